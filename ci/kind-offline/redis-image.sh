#!/usr/bin/env bash
# A Redis image from Debian's package alone, for a Docker daemon that reaches no registry:
#
#   ci/kind-offline/redis-image.sh      # makes stormproof/redis:VERSION, prints its name
#
# It holds redis-server, redis-cli and the libraries that they load, and nothing else: no
# shell, no package manager. An image that was made from the same package is kept.
. "$(dirname "$0")/lib.sh"

need docker docker.io
reachable
need apt-get apt
version=$(apt-cache policy redis-server | awk '/Candidate:/ {print $2}')
[ -n "$version" ] && [ "$version" != "(none)" ] || die "apt knows no redis-server" "run apt-get update"
plain=${version#*:}; plain=${plain%%-*} # 5:7.0.15-1~deb12u8 is Redis 7.0.15
image=stormproof/redis:$plain
key=$(printf '%s' "$version" | cat - "$0" | sha256sum | cut -c1-12)
if labelled "$image" "$key"; then say "$image is there"; echo "$image"; exit; fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
say "downloading Debian's redis $version"
mkdir "$work/debs" "$work/all" "$work/root"
(cd "$work/debs" && apt-get download -qq redis-server redis-tools liblua5.1-0 libjemalloc2 liblzf1 lua-cjson lua-bitop \
  libatomic1 libssl3 libsystemd0 libc6 libgcc-s1 libstdc++6 libcap2 libgcrypt20 liblz4-1 liblzma5 libzstd1 libgpg-error0 2>/dev/null) ||
  die "the packages could not be downloaded" "run apt-get update, or check the network"
for deb in "$work"/debs/*.deb; do dpkg-deb -x "$deb" "$work/all"; done
# Documentation and locales are most of the packages and none of the server.
rm -rf "$work/all/usr/share" "$work/all/etc" "$work/all/var"
cp -a "$work/all/." "$work/root/"
mkdir -p "$work/root/data" "$work/root/tmp" "$work/root/etc"
chmod 1777 "$work/root/tmp" "$work/root/data"
echo 'redis:x:999:999::/data:/' >"$work/root/etc/passwd"
tar -C "$work/root" --owner=0 --group=0 -c . | docker import \
  --change 'ENTRYPOINT ["/usr/bin/redis-server"]' --change 'CMD ["--bind","0.0.0.0","--protected-mode","no"]' \
  --change 'WORKDIR /data' --change 'EXPOSE 6379' --change 'USER 999:999' \
  --change "LABEL stormproof.dev/digest=$key" - "$image" >/dev/null
docker run --rm "$image" --version >&2 || die "the image does not run" "read what is said above"
say "made $image"
echo "$image"
