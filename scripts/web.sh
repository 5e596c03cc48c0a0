#!/usr/bin/env bash
# Builds the demo page into web/dist, unless it is newer than everything it is made of: the sources of the TypeScript client too.
set -euo pipefail
cd "$(dirname "$0")/../web"

if [ -f dist/index.html ] &&
    [ -z "$(find . ../clients/typescript/src -path ./node_modules -prune -o -path ./dist -prune -o -type f -newer dist/index.html -print -quit)" ]; then
    exit 0
fi
npm run --silent build >&2
# Vite may keep an old time stamp on a page that did not change.
touch dist/index.html
