#!/usr/bin/env bash
# Makes sure that there is a LiveKit server, and prints where it is: an installed one, else the one in the cache, else one
# built now from its Go module, which takes some minutes once.
#
#   scripts/livekit.sh         the newest release that the hub is held to
#   scripts/livekit.sh both    the oldest one too, for the tests; it is never the installed one, and is printed first
#
# Without Go it says so, prints nothing and succeeds, because only what needs LiveKit is missing then: the tests that need it
# say that they are skipped, the hub of `make run` has none. Under CI=true it fails, so that nobody takes that for a pass.
set -euo pipefail

# tests/support/livekit.rs reads these two lines.
oldest=1.13.5
newest=1.13.11
cache=${XDG_CACHE_HOME:-$HOME/.cache}/convoke

say() { printf '\033[2m· %s\033[0m\n' "$*" >&2; }
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

# Builds a release in a folder: `compile <version> <folder>` makes <folder>/server.
compile() {
    local source
    source=$(cd / && go mod download -json "github.com/livekit/livekit-server@v$1" | sed -n 's/.*"Dir": "\(.*\)".*/\1/p')
    cp -r "$source" "$2/source" && chmod -R u+w "$2/source" && cd "$2/source" || return
    export GOFLAGS="-mod=mod -buildvcs=false"
    go build -o ../server ./cmd/server && return
    # From 1.13.6 on it has forks of some modules, for a way of connecting that is off unless its configuration asks for it. Not
    # every module proxy has them. Without them that way is missing, and nothing else.
    say "once more, with the modules that LiveKit has forks of"
    sed -i '/^replace github\.com\/pion\//d' go.mod
    sed -i '/^\t*se\.EnableSped(/d' pkg/rtc/transport.go
    go build -o ../server ./cmd/server
}

# Prints where a release is, which is built if it is missing.
bring() {
    local server=$cache/livekit-server-$1 folder
    if [ ! -x "$server" ]; then
        command -v go >/dev/null || give_up "there is neither livekit-server nor Go to build it"
        say "building LiveKit server $1 (some minutes, once)"
        mkdir -p "$cache"
        # Beside its place, and then moved there whole: the build may be stopped, or run twice at once.
        folder=$(mktemp -d "$cache/build.XXXXXX")
        # shellcheck disable=SC2064
        trap "rm -rf '$folder'" EXIT
        (compile "$1" "$folder") >&2 || give_up "$1 could not be built"
        mv "$folder/server" "$server"
        rm -rf "$folder"
    fi
    printf '%s\n' "$server"
}

if [ "${1:-}" = both ]; then
    bring "$oldest"
fi
command -v livekit-server || bring "$newest"
