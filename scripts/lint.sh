#!/usr/bin/env bash
# Format, lints, and what the dependencies may be.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo fmt --check
# The page is embedded at compile time; an empty one is enough here.
mkdir -p web/dist
cargo clippy --locked --all-targets -- -D warnings

if command -v cargo-deny >/dev/null 2>&1; then
    cargo deny --log-level error check bans licenses sources
fi
