# Sourced by the scripts beside it: where things are kept, and how a server is started, frozen and stopped.
set -euo pipefail
CACHE=${TESTBED_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/pricepipe-testbed} # what is downloaded and built; kept between runs
STATE=${TESTBED_STATE:-/run/pricepipe-testbed}                            # what running servers own; gone after `down`
HOST=127.0.0.1
mkdir -p "$CACHE" "$STATE"

fail() { echo "$(basename "$0"): $*" >&2; exit 1; }

# A process is remembered by its id and its start time, so that an id which the system has given to another is never taken for ours.
started() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20; }

# running NAME: true while the process that `spawn` started under this name lives.
running() { local pid at; read -r pid at 2>/dev/null <"$STATE/$1.pid" && [ -n "$at" ] && [ "$(started "$pid")" = "$at" ]; }

# spawn NAME PORT CMD…: start CMD in the background unless it runs already; its log is STATE/NAME.log.
spawn() {
  local name=$1 port=$2 pid; shift 2
  if running "$name"; then return; fi
  if port_open "$port"; then fail "port $port is taken by a server that is not ours; stop it, or choose another port"; fi
  setsid "$@" >>"$STATE/$name.log" 2>&1 </dev/null & pid=$!
  echo "$pid $(started $pid)" >"$STATE/$name.pid"
}

# send SIGNAL NAME: signal what `spawn` started.
send() { local pid; running "$2" || fail "$2 is not running"; read -r pid _ <"$STATE/$2.pid"; kill -s "$1" "$pid"; }

# reap NAME: end what `spawn` started, politely and then not. A frozen process is thawed, or it would not hear.
reap() {
  if running "$1"; then
    send TERM "$1"; send CONT "$1"
    for _ in $(seq 100); do running "$1" || break; sleep 0.1; done
    if running "$1"; then send KILL "$1"; fi
  fi
  rm -f "$STATE/$1.pid"
}

port_open() { (exec 3<>"/dev/tcp/$HOST/$1") 2>/dev/null; }

# wait_for_port NAME PORT: until the server NAME listens on PORT; at once an error when it has died.
wait_for_port() {
  local deadline=$((SECONDS + 60))
  until port_open "$2"; do
    running "$1" || { tail -5 "$STATE/$1.log" >&2; fail "$1 ended while starting; see $STATE/$1.log"; }
    [ $SECONDS -lt $deadline ] || fail "$1 does not listen on port $2; see $STATE/$1.log"
    sleep 0.2
  done
}

# once FUNCTION: run FUNCTION while nobody else fills the cache.
once() { (flock 9; "$1") 9>"$CACHE/lock"; }

# need COMMAND PACKAGE…: install Debian packages when COMMAND is missing, or say what is missing.
need() {
  if command -v "$1" >/dev/null; then return; fi
  [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || fail "$1 is missing: install ${*:2}"
  echo "installing ${*:2}" >&2
  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${@:2}"; } >/dev/null </dev/null
}
