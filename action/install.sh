#!/usr/bin/env bash
# Sees to it that there is a `formation`: the one that BINARY names, the one that an earlier run has
# KEPT, or one that is built of the sources that this action came with.
set -euo pipefail
root="$HOME/.cache/formation-action"
if [ -n "${BINARY:-}" ]; then
  if ! formation=$(command -v -- "$BINARY"); then
    echo "::error::there is no command $(tr -d '\r\n' <<< "$BINARY") to run: see the action's input binary"
    exit 64
  fi
  formation=$(realpath -- "$formation")
else
  formation="$root/bin/formation"
  if [ "${KEPT:-}" != true ] || [ ! -x "$formation" ]; then
    if ! command -v cargo > /dev/null; then
      echo "::error::cargo is missing: the action builds the command. Install Rust first, or give the input binary"
      exit 64
    fi
    # The newest Rust, where rustup can tell: that of the runner may be too old.
    if command -v rustup > /dev/null; then
      rustup toolchain install stable --profile minimal --no-self-update
    fi
    cd "$(dirname "$0")/.."
    cargo install --locked --force --path crates/formation-cli --root "$root"
  fi
fi
"$formation" --version
echo "formation=$formation" >> "$GITHUB_OUTPUT"
