#!/usr/bin/env bash
# Sees to it that there is a browser and what drives it, which only the tests of `formation ui` need: `make browser`.
set -euo pipefail

command -v chromedriver > /dev/null && exit

if command -v apt-get > /dev/null; then
  echo "installing Chromium and its driver from Debian"
  root=$(test "$(id -u)" = 0 || echo sudo)
  $root apt-get update --quiet --quiet
  $root env DEBIAN_FRONTEND=noninteractive apt-get install --quiet --quiet --yes --no-install-recommends chromium chromium-driver
elif [ -n "${CI:-}${BROWSER_REQUIRED:-}" ]; then
  echo "error: there is neither chromedriver nor apt-get: install Chromium and its driver" >&2
  exit 1
else
  cat >&2 << 'TEXT'
********************************************************************************
*** THE PAGES OF formation ui ARE NOT TESTED: there is no chromedriver here,  ***
*** and no apt-get to install it. Install Chromium and its driver for that.   ***
********************************************************************************
TEXT
fi
