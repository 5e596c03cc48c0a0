#!/usr/bin/env bash
# Builds the demo page into web/dist and the documents into web/dist-docs, unless they are newer than everything they are made of.
set -euo pipefail
cd "$(dirname "$0")/../web"

# The demo page uses the TypeScript client, and the guides are part of the documents.
sources=(. ../clients/typescript/src ../clients/typescript/README.md ../docs ../README.md ../ARCHITECTURE.md)
if [ -f dist/index.html ] && [ -f dist-docs/index.html ] &&
    [ -z "$(find "${sources[@]}" \( -path ./node_modules -o -path ./dist -o -path ./dist-docs \) -prune -o -type f -newer dist-docs/index.html -print -quit)" ]; then
    exit 0
fi
npm run --silent build >&2
# Vite may keep an old time stamp on a page that did not change.
touch dist/index.html dist-docs/index.html
