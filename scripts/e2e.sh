#!/usr/bin/env bash
# Drives the demo page in Chromium against three nodes behind a balancer, as visitors would, and the TypeScript client as its users would.
set -euo pipefail
cd "$(dirname "$0")/.."

work=$(mktemp -d "${TMPDIR:-/tmp}/convoke-e2e.XXXXXX")
# The story of the client signs tokens of its own.
random() { head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n'; }
JWT_SECRET=$(random) REALTIME_JWT_SECRET=$(random)
export JWT_SECRET REALTIME_JWT_SECRET
# One place and two interviews: so that two users soon meet both limits.
MAX_CONCURRENT_INTERVIEWS=1 BETA_INTERVIEWS_PER_USER=2 PORT=${PORT:-3300} READY_FILE=$work/ready scripts/run.sh >"$work/run.log" 2>&1 &
run=$!
trap 'kill -TERM $run 2>/dev/null || true; wait $run 2>/dev/null || true; rm -rf "$work"' EXIT

# The build may take some minutes the first time.
for _ in $(seq 1800); do
    [ -s "$work/ready" ] && break
    if ! kill -0 $run 2>/dev/null; then
        cat "$work/run.log" >&2
        exit 1
    fi
    sleep 0.5
done
[ -s "$work/ready" ] || {
    cat "$work/run.log" >&2
    exit 1
}
{
    read -r DEMO_URL && read -r NODES && read -r LIVEKIT && read -r NODE_URLS && read -r VENDORS
    read -r REALTIME_URL && read -r REALTIME_TOKEN
} <"$work/ready"
export DEMO_URL NODES NODE_URLS VENDORS REALTIME_URL REALTIME_TOKEN
(cd clients/typescript && npm run --silent generate -- "${DEMO_URL%/demo}" --check)
node web/e2e/client.mjs
node web/e2e/demo.mjs
node web/e2e/call.mjs
node web/e2e/live.mjs
node web/e2e/docs.mjs
if [ "$LIVEKIT" = none ]; then
    printf '\n\033[1m!! Interview sessions on the page and realtime sessions: skipped, there is no LiveKit server.\033[0m\n\n' >&2
    [ "${CI:-}" != true ]
else
    node web/e2e/interview.mjs
    node web/e2e/realtime.mjs
fi
