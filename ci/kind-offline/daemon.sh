#!/usr/bin/env bash
# A Docker daemon of one's own, for machines that run none:
#
#   eval "$(ci/kind-offline/daemon.sh start)"    # installs docker.io if need be; sets DOCKER_HOST
#   ci/kind-offline/daemon.sh status
#   ci/kind-offline/daemon.sh stop               # ends what start started; the images stay
#
# Nobody else on the machine meets it: its socket, process file and state are in a folder of
# its own, not at /var/run/docker.sock, and its images are in the user's cache. Root is
# needed. Where this machine withholds CAP_SYS_RESOURCE, `docker exec --privileged` and raised
# limits fail; there, and only there, dockerd gets a runtime that asks for less
# (runtime/main.go).
#
#   STORMPROOF_DOCKER_DIR   the folder for socket and state; default /tmp/stormproof-docker
. "$(dirname "$0")/lib.sh"

dir=${STORMPROOF_DOCKER_DIR:-/tmp/stormproof-docker}
socket=$dir/docker.sock
pidfile=$dir/docker.pid
data=$cache/docker

# answers: our daemon is up.
answers() { DOCKER_HOST=unix://$socket docker version --format '{{.Server.Version}}' >/dev/null 2>&1; }

# ours: the process in the process file is still the daemon that start started.
ours() {
  local pid
  pid=$(cat "$pidfile" 2>/dev/null) && [ -n "$pid" ] &&
    tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -qF -- "--pidfile=$pidfile"
}

# withheld: bit 24 of the effective set is CAP_SYS_RESOURCE.
withheld() {
  local caps
  caps=$(awk '/^CapEff:/ {print $2}' /proc/self/status)
  [ $(((0x$caps >> 24) & 1)) = 0 ]
}

start() {
  if answers; then say "already up at $socket"; line; return; fi
  [ "$(id -u)" = 0 ] || die "dockerd needs root" "sudo $0 start, or use rootless Docker or Podman"
  need dockerd docker.io
  need docker docker.io
  mkdir -p "$dir" "$data"
  chmod 700 "$dir"
  local runtime=()
  if withheld; then
    built "$cache/bin" runtime
    runtime=(--add-runtime "withheld=$cache/bin/runtime" --default-runtime withheld)
    say "CAP_SYS_RESOURCE is withheld here: containers run without it"
  fi
  rm -f "$pidfile"
  setsid nohup dockerd --host="unix://$socket" --pidfile="$pidfile" --exec-root="$dir/exec" --data-root="$data" \
    "${runtime[@]}" >"$dir/dockerd.log" 2>&1 </dev/null &
  local pid=$!
  for _ in $(seq 300); do
    if answers; then say "up at $socket; log: $dir/dockerd.log"; line; return; fi
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.1
  done
  tail -n 5 "$dir/dockerd.log" >&2
  die "dockerd did not come up" "read $dir/dockerd.log"
}

stop() {
  if ! ours; then say "nothing of ours runs"; return; fi
  local pid
  pid=$(cat "$pidfile")
  kill "$pid"
  for _ in $(seq 300); do
    if ! kill -0 "$pid" 2>/dev/null; then say "stopped"; return; fi
    sleep 0.1
  done
  die "dockerd (process $pid) does not end" "read $dir/dockerd.log"
}

line() { echo "export DOCKER_HOST=unix://$socket"; }

case ${1:-} in
start) start ;;
stop) stop ;;
status) if answers; then line; else say "not up"; exit 1; fi ;;
*) sed -n '2,/^$/{/^#/s/^# \{0,1\}//p}' "$0"; exit 2 ;;
esac
