#!/bin/sh
# chromium.sh PYTHON: a Chromium for the browser tests, from the machine, its packages or Playwright.
set -u
python=$1
found() {
    [ -n "${CHROMIUM:-}" ] && return 0
    for name in chromium chromium-browser google-chrome; do
        command -v "$name" >/dev/null && return 0
    done
    "$python" - 2>/dev/null <<'PY'
import pathlib, sys
from playwright.sync_api import sync_playwright
with sync_playwright() as p:
    sys.exit(not pathlib.Path(p.chromium.executable_path).exists())
PY
}
found && exit 0
echo "Installing Chromium for the browser tests"
# Ubuntu's chromium package is a snap, which does not work everywhere; Debian's is the browser.
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null && ! grep -qi ubuntu /etc/os-release; then
    apt-get update -qq && apt-get install -y -qq chromium >/dev/null
    found && exit 0
fi
"$python" -m playwright install --with-deps chromium || "$python" -m playwright install chromium
found && exit 0
echo "No Chromium could be had. Install one and name it: CHROMIUM=/path/to/chrome make test" >&2
exit 1
