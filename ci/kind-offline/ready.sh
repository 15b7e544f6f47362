#!/usr/bin/env bash
# Everything that `--cluster kind --redis container` needs, got in the shortest way:
#
#   eval "$(ci/kind-offline/ready.sh)"          # a daemon must answer
#   eval "$(ci/kind-offline/ready.sh own)"      # else starts a private one (daemon.sh; root)
#
# Images that are there are kept; else the official ones are pulled; else they are made
# without a registry (node-image.sh: about 15 minutes once; redis-image.sh: 20 seconds).
# It prints what to put into the environment.
. "$(dirname "$0")/lib.sh"

lines=
if ! docker version --format '{{.Server.Version}}' >/dev/null 2>&1 && [ "${1:-}" = own ]; then
  lines=$("$here/daemon.sh" start)
  eval "$lines"
fi
need docker docker.io
docker version --format '{{.Server.Version}}' >/dev/null 2>&1 ||
  die "no Docker daemon answers${DOCKER_HOST:+ at $DOCKER_HOST}" "start Docker; or, as root on Debian, let a private one be started: make kind DAEMON=own"

# there REPOSITORY...: an image of one of them is local.
there() {
  local repository
  for repository in "$@"; do
    if [ -n "$(docker image ls -q "$repository")" ]; then return; fi
  done
  return 1
}

# get OFFICIAL SCRIPT REPOSITORY...
get() {
  local official=$1 script=$2; shift 2
  if there "$@"; then return; fi
  say "pulling $official"
  if timeout 600 docker pull -q "$official" >&2; then return; fi
  say "that failed; making an image without a registry"
  "$here/$script" >/dev/null
}

node=$(cd "$here/../.." && sed -n 's/^const Image = "\(.*\)"$/\1/p' "$(go list -f '{{.Dir}}' sigs.k8s.io/kind/pkg/apis/config/defaults)/image.go")
get "$node" node-image.sh kindest/node stormproof/kind-node
get redis:8-alpine redis-image.sh redis stormproof/redis
say "ready"
if [ -n "$lines" ]; then echo "$lines"; fi
