#!/bin/sh
# venv.sh FOLDER LOCKFILE: a virtual environment with exactly the locked packages.
set -eu
venv=$1
lock=$2

good() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; }

python=""
for candidate in "${PYTHON:-python3}" python3.13 python3.12 python3.11 python3.10; do
    if good "$candidate"; then
        python=$candidate
        break
    fi
done
if [ -z "$python" ]; then
    echo "CodeEvolver needs Python 3.10 or newer; none was found. Install one, or name it: make PYTHON=/path/to/python3" >&2
    exit 1
fi

if ! [ -x "$venv/bin/python" ] || ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
    echo "Making a virtual environment in $venv"
    rm -rf "$venv"
    if ! "$python" -m venv "$venv" >/dev/null 2>&1; then
        # Debian and Ubuntu ship Python without the module that puts pip into an environment.
        as_root=""
        [ "$(id -u)" = 0 ] || as_root="sudo -n"
        if command -v apt-get >/dev/null && $as_root true 2>/dev/null; then
            $as_root apt-get update -qq && $as_root apt-get install -y -qq python3-venv >/dev/null
        fi
        rm -rf "$venv"
        "$python" -m venv "$venv" || {
            echo "Python can't make a virtual environment. On Debian and Ubuntu: sudo apt install python3-venv" >&2
            exit 1
        }
    fi
fi

echo "Installing the packages of $lock"
"$venv/bin/python" -m pip install -q --disable-pip-version-check --require-hashes -r "$lock"
