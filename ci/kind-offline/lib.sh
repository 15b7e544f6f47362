# Shared by the scripts of this folder; source it, do not run it.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/stormproof/kind
began=$(date +%s)

# Nothing fails in silence: with set -E functions and subshells tell too.
set -E
trap 'code=$?; printf "kind-offline: %s:%s: \"%s\" failed with %s\n" "${BASH_SOURCE[0]##*/}" "$LINENO" "$BASH_COMMAND" "$code" >&2' ERR

# say LINE: progress, on standard error so that standard output stays usable.
say() { printf 'kind-offline: %s (%d s)\n' "$1" "$(($(date +%s) - began))" >&2; }

# die REASON FIX
die() { printf 'kind-offline: %s\nkind-offline: to fix it: %s\n' "$1" "$2" >&2; exit 1; }

# need PROGRAM PACKAGE...: installs Debian packages where the program is missing.
need() {
  local program=$1; shift
  if command -v "$program" >/dev/null; then return; fi
  command -v apt-get >/dev/null || die "$program is not there" "install it with your system's packages"
  [ "$(id -u)" = 0 ] || die "$program is not there" "run as root: apt-get install $*"
  say "installing $*"
  # A policy that is not there is made for the while: the package must not start a daemon.
  local policy=/usr/sbin/policy-rc.d made=
  if [ ! -e "$policy" ]; then made=1; printf '#!/bin/sh\nexit 101\n' >"$policy"; chmod 755 "$policy"; fi
  local code=0
  { DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" ||
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"; }
  } >&2 || code=$?
  if [ -n "$made" ]; then rm -f "$policy"; fi
  [ "$code" = 0 ] || die "$* could not be installed" "check apt's sources and the network"
}

# built DIR PACKAGE: compiles one of our own small programs into DIR.
built() {
  need go golang-go
  mkdir -p "$1"
  (cd "$here/$2" && CGO_ENABLED=0 GOFLAGS=-mod=readonly GOWORK=off go build -trimpath -buildvcs=false -ldflags "-s -w" -o "$1/$2" .)
}

# reachable: there is a container daemon to give the image to.
reachable() {
  docker version --format '{{.Server.Version}}' >/dev/null 2>&1 ||
    die "no Docker daemon is reachable${DOCKER_HOST:+ at $DOCKER_HOST}" "eval \"\$(ci/kind-offline/daemon.sh start)\""
}

# digest FILE...: twelve characters that change with any of the files.
digest() { cat "$@" | sha256sum | cut -c1-12; }

# labelled IMAGE DIGEST: the image is there and was made from the same files.
labelled() {
  [ "$(docker image inspect --format '{{index .Config.Labels "stormproof.dev/digest"}}' "$1" 2>/dev/null)" = "$2" ]
}

# mirror: where this machine gets Debian's packages from.
mirror() {
  { apt-get indextargets --format '$(SITE)' 'Created-By: Packages' 2>/dev/null || true; } |
    grep -v security | sort -u | head -n 1 | grep . || echo http://deb.debian.org/debian
}
