#!/usr/bin/env bash
# The digest of what the command is built of, under which it is kept: a branch of the action moves, and
# `hashFiles` sees nothing outside of the workspace.
set -euo pipefail
cd "$(dirname "$0")/.."
files=(Cargo.toml Cargo.lock rust-toolchain.toml crates)
# By Git, which every runner has: the names, then the contents.
digest=$({
  find "${files[@]}" -type f | LC_ALL=C sort
  find "${files[@]}" -type f -print0 | LC_ALL=C sort -z | xargs -0 git hash-object --no-filters
} | git hash-object --stdin)
echo "digest=$digest" >> "$GITHUB_OUTPUT"
