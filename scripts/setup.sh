#!/usr/bin/env bash
# Installs what is missing, and nothing else. Quick when there is nothing to do; safe to repeat.
#
#   scripts/setup.sh run     what `make run` needs
#   scripts/setup.sh test    that, and what the tests need besides (the default)
set -euo pipefail
cd "$(dirname "$0")/.."

goal=${1:-test}
case $goal in
    run | test) ;;
    *)
        echo "usage: scripts/setup.sh [run|test]" >&2
        exit 2
        ;;
esac

say() { printf '\033[2m· %s\033[0m\n' "$*" >&2; }
fail() {
    printf 'setup: %s\n' "$*" >&2
    exit 1
}
has() { command -v "$1" >/dev/null 2>&1; }

# --- Debian packages -----------------------------------------------------------------------------------------------

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif has sudo; then
        sudo "$@"
    else
        fail "cannot become root to run: $*"
    fi
}

# What each program is called and which package brings it.
packages=()
want() { has "$1" || packages+=("$2"); }
# Debian keeps haproxy in sbin, which is not on everybody's path.
PATH=$PATH:/usr/sbin:/sbin
want redis-server redis-server
want haproxy haproxy
# Debian keeps PostgreSQL's server off the path.
has postgres || compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null || packages+=(postgresql)
want node nodejs
want npm npm
has cc || packages+=(build-essential)
if [ "$goal" = test ]; then
    has chromium || [ -n "${CHROMIUM:-}" ] || packages+=(chromium)
    want python3 python3
    # Debian ships python3 without the part that makes virtual environments.
    { has python3 && python3 -c 'import venv, ensurepip' 2>/dev/null; } || packages+=(python3-venv)
fi

if [ ${#packages[@]} -gt 0 ]; then
    has apt-get || fail "please install: ${packages[*]}"
    say "installing ${packages[*]}"
    export DEBIAN_FRONTEND=noninteractive
    as_root apt-get update -qq
    # RUNLEVEL=1 keeps Debian from starting the services it installs: ours are private.
    as_root env RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}" >&2
    for package in "${packages[@]}"; do
        case $package in
            redis-server | haproxy | postgresql)
                if has systemctl; then
                    as_root systemctl disable --now "$package" >/dev/null 2>&1 || true
                elif has service; then
                    as_root service "$package" stop >/dev/null 2>&1 || true
                fi
                ;;
        esac
    done
fi

# --- Rust and Node -------------------------------------------------------------------------------------------------

has cargo || fail "cargo is missing: install Rust with rustup (https://rustup.rs), then run this again"
node -e 'const [a, b] = process.versions.node.split("."); process.exit(a > 20 || (a == 20 && b >= 19) ? 0 : 1)' ||
    fail "Node $(node --version) is too old: 20.19 or newer is needed"

# --- LiveKit -------------------------------------------------------------------------------------------------------

# Without it only what needs it is missing, which it says itself. Tests that skip because of that are no pass in CI.
if [ "$goal" = run ]; then
    scripts/livekit.sh >/dev/null || true
else
    scripts/livekit.sh both >/dev/null
fi

# --- Packages of Node and Python -----------------------------------------------------------------------------------

# Runs a command in a folder unless it ran since the given file last changed.
#   once <folder> <file that decides> <what must be there> <command…>
once() {
    local folder=$1 file=$2 result=$3 stamp now
    shift 3
    stamp=.build/stamps/$(printf %s "$folder" | tr '/' '-')
    now=$(cksum <"$folder/$file")
    if [ -e "$result" ] && [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$now" ]; then
        return
    fi
    say "$folder: $*"
    (cd "$folder" && "$@" >&2)
    mkdir -p .build/stamps
    printf '%s\n' "$now" >"$stamp"
}

npm_ci() { npm ci --no-audit --no-fund --no-progress --loglevel=error; }

if [ -f web/package-lock.json ]; then
    once web package-lock.json web/node_modules npm_ci
fi

if [ "$goal" = test ]; then
    once tests/clients package-lock.json tests/clients/node_modules npm_ci
    once clients/typescript package-lock.json clients/typescript/node_modules npm_ci

    root=$PWD
    python_clients() {
        [ -x "$root/.build/venv/bin/python" ] || python3 -m venv "$root/.build/venv"
        "$root/.build/venv/bin/python" -m pip install --quiet --disable-pip-version-check -r requirements.txt
    }
    # A stamp of its own: the folder is the same as above.
    mkdir -p .build/stamps
    stamp=.build/stamps/python
    now=$(cksum <tests/clients/requirements.txt)
    if [ ! -x .build/venv/bin/python ] || [ ! -f "$stamp" ] || [ "$(cat "$stamp")" != "$now" ]; then
        say "Python clients"
        (cd tests/clients && python_clients >&2)
        printf '%s\n' "$now" >"$stamp"
    fi
fi
