#!/usr/bin/env bash
# The hub on this machine: a private Redis and three nodes behind HAProxy in round robin. A node that dies is started again.
# Ctrl-C ends all of it, and nothing is left behind.
#
#   PORT=3000        the load balancer; if it is taken, the next free one
#   BIND=127.0.0.1   where it listens; 0.0.0.0 lets a phone in the same network in, and everybody else there
#   CONVOKE=…        a binary to run instead of building one
#   READY_FILE=…     gets the page's address once everything stands, and on a second line the nodes' process files (for scripts)
set -euo pipefail
cd "$(dirname "$0")/.."
PATH=$PATH:/usr/sbin:/sbin

say() { printf '\033[2m· %s\033[0m\n' "$*" >&2; }
fail() {
    printf 'run: %s\n' "$*" >&2
    exit 1
}

# --- Build ---------------------------------------------------------------------------------------------------------

if [ -z "${CONVOKE:-}" ]; then
    scripts/setup.sh run
    if [ -f web/package.json ]; then
        scripts/web.sh
    fi
    say "building (the first time takes some minutes)"
    # Its own profile: optimised, but without the link-time optimisation that a release waits for.
    cargo build --quiet --profile demo --bin convoke
    CONVOKE=${CARGO_TARGET_DIR:-target}/demo/convoke
fi

# --- What ends when we end -----------------------------------------------------------------------------------------

folder=$(mktemp -d "${TMPDIR:-/tmp}/convoke-run.XXXXXX")
children=()

clean_up() {
    trap - EXIT
    trap '' INT TERM HUP
    local child
    # Last started, first stopped: the nodes want their Redis while they drain.
    for ((i = ${#children[@]} - 1; i >= 0; i--)); do
        child=${children[i]}
        kill -TERM "$child" 2>/dev/null || continue
        # Ten seconds, then without asking.
        for _ in $(seq 100); do
            kill -0 "$child" 2>/dev/null || break
            sleep 0.1
        done
        kill -KILL "$child" 2>/dev/null || true
        wait "$child" 2>/dev/null || true
    done
    rm -rf "$folder"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# Starts a program that the kernel ends should this script be killed. In a process group of its own (setsid), Ctrl-C
# reaches only this script, which then stops them in order.
start() {
    local log=$folder/$1.log
    shift
    setsid setpriv --pdeathsig KILL "$@" >"$log" 2>&1 </dev/null &
    children+=($!)
}

# --- Ports ---------------------------------------------------------------------------------------------------------

taken=" "
# Sets $port to the first free one from $1 on. Not a subshell: it must remember what it gave out.
free_port() {
    port=$1
    while [[ $taken == *" $port "* ]] || (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do
        port=$((port + 1))
    done
    taken+="$port "
}

free_port "${PORT:-3000}" && front=$port
free_port "${REDIS_PORT:-6390}" && redis=$port
nodes=() metrics=() peers=()
for n in 1 2 3; do
    free_port $((${NODE_PORTS:-3100} + n)) && nodes+=("$port")
    free_port $((${METRICS_PORTS:-9090} + n)) && metrics+=("$port")
    free_port $((${PEER_PORTS:-7945} + n)) && peers+=("$port")
done

# Waits until a port answers `GET /readyz` with 200, or until its program has ended.
#   wait_ready <name> <port> <process>
wait_ready() {
    local line
    for _ in $(seq 300); do
        kill -0 "$3" 2>/dev/null || break
        line=$( (
            exec 3<>"/dev/tcp/127.0.0.1/$2"
            printf 'GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' >&3
            read -r -t 2 line <&3
            printf %s "$line"
        ) 2>/dev/null) || true
        [[ $line == *" 200"* ]] && return
        sleep 0.1
    done
    tail -n 20 "$folder/$1.log" >&2 || true
    fail "$1 does not get ready"
}

# --- Redis, three nodes, HAProxy -----------------------------------------------------------------------------------

start redis redis-server --bind 127.0.0.1 --port "$redis" --save '' --appendonly no --dir "$folder"

random() { head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n'; }
export JWT_SECRET=${JWT_SECRET:-$(random)}
export INTERNAL_AUTH_TOKEN=${INTERNAL_AUTH_TOKEN:-$(random)}
export CLUSTER_SECRET=${CLUSTER_SECRET:-$(random)}
hub=(
    env -u REALTIME_API_PORT HOST=127.0.0.1 POD_IP=127.0.0.1 REDIS_URL="redis://127.0.0.1:$redis" DEMO=true
    TRUSTED_PROXIES=127.0.0.1 DRAIN_DELAY_SECONDS=0 DRAIN_SECONDS=1
)
# Runs a node again and again, as an orchestrator would: `<file for its process> <command>…`.
# shellcheck disable=SC2016
keeper='file=$1; shift
    trap "kill -TERM \$child; wait \$child; exit" TERM
    while :; do
        setpriv --pdeathsig KILL "$@" & child=$!
        echo $child >"$file"
        wait $child
        echo "--- ended with $?; starting it again"
        sleep 0.5
    done'
for i in 0 1 2; do
    name=node-$((i + 1))
    start "$name" bash -c "$keeper" "$name" "$folder/$name.pid" "${hub[@]}" NODE_ID="$name" PORT="${nodes[i]}" \
        METRICS_PORT="${metrics[i]}" PEER_PORT="${peers[i]}" "$CONVOKE" serve
done

cat >"$folder/haproxy.cfg" <<CONFIG
global
    fd-hard-limit 20000
defaults
    mode http
    option http-server-close
    option redispatch
    retries 3
    timeout connect 2s
    timeout client 60s
    timeout server 60s
    timeout tunnel 1h
frontend hub
    bind ${BIND:-127.0.0.1}:$front
    default_backend nodes
backend nodes
    balance roundrobin
    option forwardfor
    option httpchk GET /readyz
$(for i in 0 1 2; do echo "    server node-$((i + 1)) 127.0.0.1:${nodes[i]} check inter 500ms"; done)
CONFIG
start haproxy haproxy -db -f "$folder/haproxy.cfg"

for i in 0 1 2; do
    wait_ready node-$((i + 1)) "${nodes[i]}" "${children[i + 1]}"
done
wait_ready haproxy "$front" "${children[4]}"

# --- What to do with it --------------------------------------------------------------------------------------------

token() { "${hub[@]}" PORT="${nodes[0]}" METRICS_PORT="${metrics[0]}" "$CONVOKE" token "$@"; }
citizen=$(token --role citizen --user citizen-1 --sos demo-1)
rescuer=$(token --role rescuer --user rescuer-1 --sos demo-1)

cat <<TEXT

  The page      http://localhost:$front/demo
  Three nodes   $(printf 'http://localhost:%s   ' "${nodes[@]}")
  Metrics       $(printf 'http://localhost:%s/metrics   ' "${metrics[@]}")
  Logs          $folder/node-{1,2,3}.log

  Connect a client of your own to http://localhost:$front with one of these tokens.
  Kill a node:  kill -9 \$(cat $folder/node-1.pid)      nobody misses anything, and it is started again

  citizen-1, incident demo-1
  $citizen

  rescuer-1, incident demo-1
  $rescuer

  Internal API: X-Internal-Token: $INTERNAL_AUTH_TOKEN

  Ctrl-C ends all of it.

TEXT
if [ -n "${READY_FILE:-}" ]; then
    printf 'http://localhost:%s/demo\n%s\n' "$front" "$folder/node-*.pid" >"$READY_FILE.new"
    mv "$READY_FILE.new" "$READY_FILE"
fi

# Until Ctrl-C, or until one of them ends by itself.
wait -n "${children[@]}" || true
for log in redis node-1 node-2 node-3 haproxy; do
    printf '\n%s\n' "--- $log" >&2
    tail -n 10 "$folder/$log.log" >&2 || true
done
fail "something ended by itself; its last words are above"
