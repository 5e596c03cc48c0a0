#!/usr/bin/env bash
# Makes sure that there is a LiveKit server, and prints where it is: an installed one, else the one in the cache, else one
# built now from its Go module, which takes some minutes once.
#
# Without Go it says so, prints nothing and succeeds, because only what needs LiveKit is missing then: the tests that need it
# say that they are skipped, the hub of `make run` has none. Under CI=true it fails, so that nobody takes that for a pass.
set -euo pipefail

version=1.13.5
server=${XDG_CACHE_HOME:-$HOME/.cache}/convoke/livekit-server-$version

give_up() {
    {
        printf '\n\033[1m!! No LiveKit server: %s.\n' "$1"
        printf '!! What needs one is skipped. Install Go 1.21 or newer (https://go.dev/dl), or livekit-server itself.\033[0m\n\n'
    } >&2
    if [ "${CI:-}" = true ]; then
        exit 1
    fi
    exit 0
}

if command -v livekit-server; then
    exit
fi
if [ ! -x "$server" ]; then
    command -v go >/dev/null || give_up "there is neither livekit-server nor Go to build it"
    printf '\033[2m· building LiveKit server %s (some minutes, once)\033[0m\n' "$version" >&2
    mkdir -p "${server%/*}"
    # Beside its place, and then moved there whole: the build may be stopped, or run twice at once.
    folder=$(mktemp -d "${server%/*}/build.XXXXXX")
    trap 'rm -rf "$folder"' EXIT
    GOBIN=$folder go install "github.com/livekit/livekit-server/cmd/server@v$version" >&2 || give_up "it could not be built"
    mv "$folder/server" "$server"
fi
printf '%s\n' "$server"
