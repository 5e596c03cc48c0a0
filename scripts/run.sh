#!/usr/bin/env bash
# The hub on this machine: a private Redis, PostgreSQL and LiveKit, and three nodes behind HAProxy in round robin. A node that
# dies is started again. Ctrl-C ends all of it, and nothing is left behind.
#
#   PORT=3000        the load balancer; if it is taken, the next free one
#   REALTIME_API_PORT=8186  the load balancer too, for clients of realtime sessions; if it is taken, the next free one
#   BIND=127.0.0.1   where it listens; 0.0.0.0 lets a phone in the same network in, and everybody else there
#   CONVOKE=…        a binary to run instead of building one
#   STAND_IN=…       a program that stands in for the vendors of live interviews, instead of the one that is built; `none`: interviews run
#                    as text, unscored. With ASSEMBLYAI_API_KEY, AI_BASE_URL or TTS_BASE_URL set it is not started: those count
#   LIVEKIT=…        a livekit-server to run instead of the installed one or the one that scripts/livekit.sh brought
#   READY_FILE=…     gets the page's address once everything stands, on a second line the nodes' process files, on a third
#                    LiveKit's address or "none", on a fourth the nodes' addresses, on a fifth whether there are vendors, "true"
#                    or "false", on a sixth the address of realtime sessions, and on a seventh a token for them or "none" (for scripts)
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
    cargo build --quiet --profile demo --bin convoke --example vendors
    CONVOKE=${CARGO_TARGET_DIR:-target}/demo/convoke
fi
stand_in=${STAND_IN:-$(dirname "$CONVOKE")/examples/vendors}
vendors=true
if [ -n "${ASSEMBLYAI_API_KEY:-}${AI_BASE_URL:-}${TTS_BASE_URL:-}" ]; then
    stand_in=none
elif [ ! -x "$stand_in" ]; then
    stand_in=none vendors=false
fi

# --- What ends when we end -----------------------------------------------------------------------------------------

folder=$(mktemp -d "${TMPDIR:-/tmp}/convoke-run.XXXXXX")
children=() logs=()
# Secrets are in it.
umask 077

clean_up() {
    trap - EXIT
    trap '' INT TERM HUP
    local child
    # Last started, first stopped: the nodes want their Redis while they drain.
    for ((i = ${#children[@]} - 1; i >= 0; i--)); do
        child=${children[i]}
        kill -TERM "$child" 2>/dev/null || continue
        # After two seconds once more, for those that wait for their own clients; after ten without asking.
        for tenths in $(seq 100); do
            kill -0 "$child" 2>/dev/null || break
            [ "$tenths" -ne 20 ] || kill -TERM "$child" 2>/dev/null || true
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
    logs+=("$1")
    shift
    setsid setpriv --pdeathsig KILL "$@" >"$log" 2>&1 </dev/null &
    children+=($!)
}

# --- PostgreSQL and LiveKit: what there is -------------------------------------------------------------------------

# Debian does not put PostgreSQL's programs on the path.
initdb=$(command -v initdb || find /usr/lib/postgresql -name initdb -path '*/bin/*' 2>/dev/null | sort -V | tail -n 1)
[ -n "$initdb" ] || fail "PostgreSQL is missing: install it (Debian: postgresql), then run this again"
pg_bin=$(dirname "$(readlink -f "$initdb")")
# It refuses to run as root. The death signal is set last: a change of user forgets it.
as_postgres=()
if [ "$(id -u)" -eq 0 ]; then
    as_postgres=(setpriv --reuid=postgres --regid=postgres --init-groups --)
fi

livekit=${LIVEKIT:-$(scripts/livekit.sh)}

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

# The same for UDP, where a port that nobody listens on does not say so.
free_udp_port() {
    port=$1
    while [[ $taken == *" udp $port "* ]] || grep -q ":$(printf %04X "$port") " /proc/net/udp /proc/net/udp6 2>/dev/null; do
        port=$((port + 1))
    done
    taken+="udp $port "
}

free_port "${PORT:-3000}" && front=$port
free_port "${REALTIME_API_PORT:-8186}" && realtime=$port
free_port "${REDIS_PORT:-6390}" && redis=$port
free_port "${POSTGRES_PORT:-5440}" && postgres=$port
free_port "${VENDORS_PORT:-3190}" && vendors_http=$port
free_port "${LIVEKIT_PORT:-7880}" && livekit_http=$port
free_port $((${LIVEKIT_PORT:-7880} + 1)) && livekit_tcp=$port
free_udp_port $((${LIVEKIT_PORT:-7880} + 2)) && livekit_udp=$port
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

# --- Redis, PostgreSQL, LiveKit ------------------------------------------------------------------------------------

start redis redis-server --bind 127.0.0.1 --port "$redis" --save '' --appendonly no --dir "$folder"

random() { head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n'; }
export JWT_SECRET=${JWT_SECRET:-$(random)}
export SESSIONS_JWT_SECRET=${SESSIONS_JWT_SECRET:-$(random)}
export INTERVIEW_JWT_SECRET=${INTERVIEW_JWT_SECRET:-$(random)}
# Realtime sessions: the settings of a Keycloak realm, but that a secret stands in for its keys, unless JWKS_URL is set.
if [ -z "${JWKS_URL:-}" ] && [ "${AUTH_ENABLED:-true}" = true ]; then
    export REALTIME_JWT_SECRET=${REALTIME_JWT_SECRET:-$(random)}
fi
export AUTH_ENABLED=${AUTH_ENABLED:-true} ISSUER=${ISSUER:-http://localhost:8085/realms/jan} AUDIENCE=${AUDIENCE:-account}
export INTERNAL_AUTH_TOKEN=${INTERNAL_AUTH_TOKEN:-$(random)}
export CLUSTER_SECRET=${CLUSTER_SECRET:-$(random)}

# PostgreSQL's own user has to get to its folder, and into nothing else.
chmod 711 "$folder"
mkdir "$folder/postgres"
[ "$(id -u)" -ne 0 ] || chown postgres: "$folder/postgres"
(cd / && "${as_postgres[@]}" "$initdb" --pgdata "$folder/postgres/data" --username postgres --auth trust --encoding UTF8 \
    --no-locale --no-sync >"$folder/initdb.log" 2>&1) || {
    cat "$folder/initdb.log" >&2
    fail "no database could be made"
}
# What is gone with the folder anyway need not reach the disk.
start postgres "${as_postgres[@]}" setpriv --pdeathsig KILL "$pg_bin/postgres" -D "$folder/postgres/data" -p "$postgres" \
    -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off
export DATABASE_URL="postgres://postgres@127.0.0.1:$postgres/postgres"

if [ -n "$livekit" ]; then
    # Where browsers find it: a telephone needs an address of this machine.
    case ${BIND:-127.0.0.1} in
        127.0.0.1) livekit_host=127.0.0.1 ;;
        0.0.0.0) livekit_host=$(hostname -I | cut -d ' ' -f 1) ;;
        *) livekit_host=$BIND ;;
    esac
    export LIVEKIT_API_KEY=demo LIVEKIT_API_SECRET=${LIVEKIT_API_SECRET:-$(random)}
    export LIVEKIT_WS_URL=ws://$livekit_host:$livekit_http LIVEKIT_API_URL=http://127.0.0.1:$livekit_http
    webhook=${BIND:-127.0.0.1}
    cat >"$folder/livekit.yaml" <<CONFIG
port: $livekit_http
bind_addresses: [127.0.0.1$([ "$livekit_host" = 127.0.0.1 ] || echo ", $livekit_host")]
rtc:
  tcp_port: $livekit_tcp
  udp_port: $livekit_udp
  node_ip: $livekit_host
  use_external_ip: false
  enable_loopback_candidate: $([ "$livekit_host" = 127.0.0.1 ] && echo true || echo false)
keys:
  $LIVEKIT_API_KEY: $LIVEKIT_API_SECRET
webhook:
  api_key: $LIVEKIT_API_KEY
  urls: ["http://${webhook/0.0.0.0/127.0.0.1}:$front/livekit/webhook"]
CONFIG
    start livekit "$livekit" --config "$folder/livekit.yaml"
fi

# It opens its port before it takes anybody in; its log says when it does.
for _ in $(seq 300); do
    grep -q 'ready to accept connections' "$folder/postgres.log" && break
    kill -0 "${children[1]}" 2>/dev/null || break
    sleep 0.1
done
grep -q 'ready to accept connections' "$folder/postgres.log" || {
    cat "$folder/postgres.log" >&2
    fail "PostgreSQL does not get ready"
}

# --- Vendors of live interviews ----------------------------------------------------------------------------------------

# Audio of interviews: in a folder that all nodes share, unless the environment names another place.
mkdir "$folder/audio"
export AUDIO_STORAGE_URL=${AUDIO_STORAGE_URL:-file://$folder/audio}
if [ "$stand_in" != none ]; then
    start vendors "$stand_in" --port "$vendors_http"
    # Its last line says where audio is kept; ours are in the folder. It prints its settings once it listens.
    for _ in $(seq 100); do
        grep -q '^AWS_SECRET_ACCESS_KEY=' "$folder/vendors.log" && break
        sleep 0.05
    done
    while IFS='=' read -r name value; do
        case $name in ASSEMBLYAI_* | AI_* | TTS_*) export "$name=$value" ;; esac
    done <"$folder/vendors.log"
fi

# --- Three nodes, HAProxy ------------------------------------------------------------------------------------------

# What makes it quick to look at, unless the environment says something else.
export INTERVIEW_DURATION_MINUTES=${INTERVIEW_DURATION_MINUTES:-5}
export BETA_INTERVIEWS_PER_USER=${BETA_INTERVIEWS_PER_USER:-100}
export TIMEOUT_ENFORCEMENT_INTERVAL_MS=${TIMEOUT_ENFORCEMENT_INTERVAL_MS:-5000}
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
first_node=${#children[@]}
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
    bind ${BIND:-127.0.0.1}:$realtime
    default_backend nodes
backend nodes
    balance roundrobin
    option forwardfor
    option httpchk GET /readyz
$(for i in 0 1 2; do echo "    server node-$((i + 1)) 127.0.0.1:${nodes[i]} check inter 500ms"; done)
CONFIG
start haproxy haproxy -db -f "$folder/haproxy.cfg"

for i in 0 1 2; do
    wait_ready node-$((i + 1)) "${nodes[i]}" "${children[first_node + i]}"
done
wait_ready haproxy "$front" "${children[first_node + 3]}"

# --- What to do with it --------------------------------------------------------------------------------------------

token() { "${hub[@]}" PORT="${nodes[0]}" METRICS_PORT="${metrics[0]}" "$CONVOKE" token "$@"; }
citizen=$(token --role citizen --user citizen-1 --sos demo-1)
rescuer=$(token --role rescuer --user rescuer-1 --sos demo-1)
user=
if [ -n "${REALTIME_JWT_SECRET:-}" ]; then
    user=$(token --surface realtime --user user-1)
fi

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

  An interview session: the page's second tab, http://localhost:$front/demo?page=interview, or by hand:
  token=\$(curl -s http://localhost:$front/demo/holder -H 'content-type: application/json' \\
      -d '{"name":"ana","resume":true}' | sed 's/.*"token":"\([^"]*\)".*/\1/')
  curl -s -X POST http://localhost:$front/api/interviews/start -H "Authorization: Bearer \$token"

  A live interview: the page's third tab, http://localhost:$front/demo?page=live. $(
    [ "$stand_in" = none ] || printf 'A stand-in hears, scores and speaks; its faults: http://localhost:%s/control' "$vendors_http"
)

  A realtime session (docs/realtime.md): a LiveKit room for the user of a token
  curl -X POST http://localhost:$realtime/v1/realtime/sessions -H "Authorization: Bearer ${user:-<your-jwt-token>}"

  PostgreSQL    $DATABASE_URL
  LiveKit       ${LIVEKIT_WS_URL:-none}

  Ctrl-C ends all of it.

TEXT
if [ -z "$livekit" ]; then
    printf '\033[1;31m%s\033[0m\n\n' "  THERE IS NO LIVEKIT: no interview session starts. scripts/livekit.sh brings it; it needs Go." >&2
fi
if [ -n "${READY_FILE:-}" ]; then
    printf '%s\n' "http://localhost:$front/demo" "$folder/node-*.pid" "${LIVEKIT_WS_URL:-none}" \
        "$(printf 'http://localhost:%s ' "${nodes[@]}")" "$vendors" "http://localhost:$realtime" "${user:-none}" >"$READY_FILE.new"
    mv "$READY_FILE.new" "$READY_FILE"
fi

# Until Ctrl-C, or until one of them ends by itself.
wait -n "${children[@]}" || true
for log in "${logs[@]}"; do
    printf '\n%s\n' "--- $log" >&2
    tail -n 10 "$folder/$log.log" >&2 || true
done
fail "something ended by itself; its last words are above"
