#!/usr/bin/env bash
# A Kind cluster and a Redis container that `stormproof run` in this folder uses until
# `stormproof down`: `stormproof up` in the background.
#
#   ci/kind-offline/cluster.sh [own]      # own: as ready.sh
. "$(dirname "$0")/lib.sh"

cd "$here/../.."
lines=$("$here/ready.sh" "$@") # not inside eval, which would hide its failure
eval "$lines"
if bin/stormproof down 2>&1 | grep -v "nothing is up" >&2; then say "ended what was up"; fi
mkdir -p .stormproof
log=.stormproof/up.log
setsid nohup bin/stormproof up --cluster kind --redis container >"$log" 2>&1 </dev/null &
pid=$!
for _ in $(seq 1200); do
  if grep -q '^up; ' "$log"; then
    grep -v '^up; ' "$log"
    echo "up (log: $log); bin/stormproof run uses it; end it with: bin/stormproof down"
    exit
  fi
  kill -0 "$pid" 2>/dev/null || { tail -n 5 "$log" >&2; die "the cluster did not come up" "read $log"; }
  sleep 0.5
done
kill "$pid"
die "the cluster did not come up within 10 minutes" "read $log"
