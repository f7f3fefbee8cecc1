# Sourced by the scripts beside it: where things are kept, and how a server is started, frozen and stopped.
set -euo pipefail
CACHE=${TESTBED_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/pricepipe-testbed} # what is downloaded and built; kept between runs
STATE=${TESTBED_STATE:-/run/pricepipe-testbed}                            # what running servers own; gone after `down`
HOST=${TESTBED_HOST:-127.0.0.1}                                           # the address that servers listen on
mkdir -p "$CACHE" "$STATE"

fail() { echo "$(basename "$0"): $*" >&2; exit 1; }

# A process is remembered by its id and its start time, so that an id which the system has given to another is never taken for ours.
# One that is dead (Z) and that nobody has taken note of yet has none.
started() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | awk '$1 != "Z" {print $20}'; }

# running NAME: true while the process that `spawn` started under this name lives.
running() { local pid at; read -r pid at 2>/dev/null <"$STATE/$1.pid" && [ -n "$at" ] && [ "$(started "$pid")" = "$at" ]; }

# spawn NAME PORT CMD…: start CMD in the background unless it runs already; its log is STATE/NAME.log. A server without a port has port 0.
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
  local pid
  if running "$1"; then
    read -r pid _ <"$STATE/$1.pid"
    kill -TERM "$pid" 2>/dev/null || true; kill -CONT "$pid" 2>/dev/null || true
    for _ in $(seq 100); do running "$1" || break; sleep 0.1; done
    if running "$1"; then kill -KILL "$pid" 2>/dev/null || true; fi
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

# once FUNCTION…: run FUNCTION while nobody else fills the cache.
once() { (flock 9; "$@") 9>"$CACHE/lock"; }

# need COMMAND PACKAGE…: install Debian packages when COMMAND is missing, or say what is missing.
need() {
  if command -v "$1" >/dev/null; then return; fi
  [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || fail "$1 is missing: install ${*:2}"
  echo "installing ${*:2}" >&2
  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${@:2}"; } >/dev/null </dev/null
}

# go_build FILE PACKAGE MODULE@VERSION [LDFLAGS]: build one pinned Go program, unless FILE is there.
go_build() {
  [ ! -x "$1" ] || return 0
  local build; build=$(mktemp -d)
  (cd "$build"
   { go mod init testbed/tool && go get -tool "$2@${3##*@}"; } >get.log 2>&1 || { cat get.log >&2; exit 1; }
   CGO_ENABLED=0 go build -trimpath -ldflags "-s -w ${4:-}" -o program "$2"
   install -D program "$1")
  rm -rf "$build"
}

# take SLOT: own STATE/SLOT, by a lock that the system releases when this process ends, however it ends. False when another has it.
take() {
  mkdir -p "$STATE/$1"
  exec 9>"$STATE/$1.lock"; flock -n 9 || return 1
  rm -rf "$STATE/$1/failed"
}

# keep_logs FOLDER…: the logs in these folders outlive a run that has failed.
keep_logs() {
  mkdir -p "$STATE/failed"
  local folder; for folder in "$@"; do cp "$folder"/*.log "$STATE/failed" 2>/dev/null || true; done
  echo "$(basename "$0"): the servers' logs are in $STATE/failed" >&2
}
