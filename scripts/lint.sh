#!/usr/bin/env bash
# Format, lints, and what the dependencies may be.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo fmt --check
# The page is embedded at compile time; an empty one is enough here.
mkdir -p web/dist
cargo clippy --locked --all-targets -- -D warnings

# cargo-deny takes minutes to build: used where it is, brought in where nobody waits. Advisories need the network and
# change without us, so they are not part of this.
PATH=$PWD/.build/tools/bin:$PATH
if ! command -v cargo-deny >/dev/null 2>&1 && [ "${CI:-}" = true ]; then
    cargo install --quiet --locked --root .build/tools cargo-deny || true
fi
if command -v cargo-deny >/dev/null 2>&1; then
    cargo deny --log-level error check bans licenses sources
else
    echo "lint: cargo-deny is not installed, so what the dependencies may be was not checked" >&2
fi
