#!/bin/sh
# Bubblewrap, which generated code runs in: install it where it is missing and can be had.
# Without it the app starts all the same, says so, and refuses to run generated code.
set -u
command -v bwrap >/dev/null && exit 0
[ "$(uname -s)" = Linux ] || exit 0

as_root=""
if [ "$(id -u)" != 0 ]; then
    if command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
        as_root="sudo -n"
    else
        echo "bubblewrap is missing: generated code can't be run until it is there." >&2
        echo "Install it once: sudo apt install bubblewrap (or dnf, pacman, zypper, apk)." >&2
        exit 0
    fi
fi
echo "Installing bubblewrap, the sandbox for generated code"
if command -v apt-get >/dev/null; then
    $as_root apt-get update -qq && $as_root apt-get install -y -qq bubblewrap >/dev/null
elif command -v dnf >/dev/null; then
    $as_root dnf install -y -q bubblewrap
elif command -v pacman >/dev/null; then
    $as_root pacman -S --noconfirm bubblewrap >/dev/null
elif command -v zypper >/dev/null; then
    $as_root zypper -q install -y bubblewrap
elif command -v apk >/dev/null; then
    $as_root apk add -q bubblewrap
fi
command -v bwrap >/dev/null || echo "bubblewrap could not be installed; see above." >&2
exit 0
