#!/usr/bin/env bash
# Every test: those of the TypeScript client and of the page, the crate's with real servers and official clients, and page and client in a browser.
set -euo pipefail
cd "$(dirname "$0")/.."
PATH=$PATH:/usr/sbin:/sbin

# The tests wait more than they work (.cargo/config.toml).
cores=$(nproc)
export RUST_TEST_THREADS=${RUST_TEST_THREADS:-$((cores > 4 ? cores : 4))}

step() { printf '\n\033[1m%s\033[0m\n' "$*" >&2; }

step "The TypeScript client"
(cd clients/typescript && npm test --silent)

if [ -f web/package.json ]; then
    step "The demo page"
    scripts/web.sh
    (cd web && npm test --silent)
fi

step "The crate"
cargo test --locked --lib --bins --tests --examples
cargo test --locked --doc

if [ -f web/e2e/demo.mjs ]; then
    step "The demo page and the TypeScript client in a browser"
    scripts/e2e.sh
fi
