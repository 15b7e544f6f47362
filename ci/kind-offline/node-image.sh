#!/usr/bin/env bash
# A Kind node image from Go modules and Debian packages alone, for a Docker daemon that
# reaches no image registry:
#
#   ci/kind-offline/node-image.sh      # makes stormproof/kind-node:vX.Y.Z, prints its name
#
# Where a registry can be reached, the official kindest/node image is better and none of
# this is needed. What is in it, and from where:
#
#   Debian 12          systemd, containerd, runc, iptables and the other tools of a node
#   the module of Kind entrypoint, units, containerd's configuration (the version in go.mod)
#   programs/go.mod    Kubernetes' seven programs, etcd, crictl: compiled, about 10 minutes once
#   pause/             what holds a pod's namespaces open
#
# There is no kube-proxy and no CoreDNS: clusters use kubeProxyMode "none", and pods are
# reached by their address, by hostNetwork or by port-forward.
. "$(dirname "$0")/lib.sh"

need docker docker.io
reachable
need debootstrap debootstrap
need go golang-go
need jq jq

programs=$here/programs
kubernetes=$(cd "$programs" && go list -m -f '{{.Version}}' k8s.io/kubernetes)
image=stormproof/kind-node:$kubernetes
kind=$(cd "$here/../.." && go mod download -json sigs.k8s.io/kind)
key=$(digest "$0" "$programs/go.mod" "$programs/go.sum" "$here/pause/main.go" "$here"/{cni.json,storage.yaml} <(jq -r .Sum <<<"$kind"))
if labelled "$image" "$key"; then say "$image is there"; echo "$image"; exit; fi

# compile: the programs into the cache, keyed by what pins them.
compile() {
  bin=$cache/bin/$kubernetes-$(digest "$programs/go.mod" "$programs/go.sum")
  if [ ! -d "$bin" ]; then
    say "compiling Kubernetes $kubernetes; about 10 minutes on 2 cores, once"
    local v=k8s.io/component-base/version minor=${kubernetes#v1.}
    rm -rf "$bin.partial"; mkdir -p "$bin.partial"
    (cd "$programs" && CGO_ENABLED=0 GOFLAGS=-mod=readonly GOWORK=off go build -v -trimpath -buildvcs=false \
      -ldflags "-s -w -X $v.gitVersion=$kubernetes -X $v.gitMajor=1 -X $v.gitMinor=${minor%%.*}" -o "$bin.partial/" tool) 2>&1 |
      awk '{n++} n % 200 == 0 {print "kind-offline: " n " packages compiled" > "/dev/stderr"}'
    mv "$bin.partial/server" "$bin.partial/etcd" # the module ends in server/v3
    mv "$bin.partial" "$bin"
  fi
  built "$bin" pause
}

# rootfs DIR: Debian with what a node runs, as Kind's own image has it.
rootfs() {
  say "unpacking Debian with systemd and containerd"
  debootstrap --variant=minbase --include="$(tr '\n' ' ' <<<"systemd systemd-sysv dbus containerd runc
    containernetworking-plugins iptables nftables iproute2 conntrack ethtool jq socat kmod mount util-linux procps
    ca-certificates bash" | xargs | tr ' ' ,)" bookworm "$1" "$(mirror)" >"$work/debootstrap.log" 2>&1 ||
    die "Debian could not be unpacked: $(tail -n 1 "$work/debootstrap.log")" "check apt's sources and the network"
  rm -rf "$1"/var/cache/apt/* "$1"/var/lib/apt/lists/* "$1"/usr/share/{doc,man,locale}
  rm -f "$1"/lib/systemd/system/multi-user.target.wants/* "$1"/etc/systemd/system/*.wants/* \
    "$1"/lib/systemd/system/local-fs.target.wants/* "$1"/lib/systemd/system/sockets.target.wants/*{udev,initctl}* \
    "$1"/lib/systemd/system/basic.target.wants/* "$1"/lib/systemd/system/sysinit.target.wants/systemd-tmpfiles-setup.service
  echo ReadKMsg=no >>"$1/etc/systemd/journald.conf"
}

# kindfiles DIR: the files of Kind's base image, bent to what Debian's containerd can do.
kindfiles() {
  local files unit=$1/etc/systemd/system/containerd.service
  files=$(jq -r .Dir <<<"$kind")/images/base/files
  cp -r --no-preserve=mode,ownership "$files/." "$1/"
  chmod 755 "$1"/usr/local/bin/* "$1"/kind/bin/*
  sed -i -e '/^Limit/d' -e '/^TasksMax/d' -e '/^OOMScoreAdjust/d' -e 's,/usr/local/bin/containerd,/usr/bin/containerd,' "$unit"
  sed -i 's/restrict_oom_score_adj = false/restrict_oom_score_adj = true/' "$1/etc/containerd/config.toml"
  chroot "$1" ctr oci spec | jq '.hooks.createContainer += [{"path": "/kind/bin/mount-product-files.sh"}] | del(.process.rlimits)' \
    >"$1/etc/containerd/cri-base.json"
  ln -sf /usr/lib/systemd/systemd "$1/sbin/init"
  chroot "$1" systemctl enable kubelet.service containerd.service undo-mount-hacks.service 2>/dev/null
  chroot "$1" systemctl mask systemd-binfmt.service 2>/dev/null
  mkdir -p "$1/etc/kubernetes/manifests" "$1/opt/cni/bin" "$1/etc/cni/net.d" "$1/kind/manifests"
  cp "$1"/usr/lib/cni/{host-local,loopback,ptp,portmap} "$1/opt/cni/bin/"
  printf %s "$kubernetes" >"$1/kind/version"
  cp "$here/cni.json" "$1/etc/cni/net.d/10-ptp.conflist"
  : >"$1/kind/manifests/default-cni.yaml"
  cp "$here/storage.yaml" "$1/kind/manifests/default-storage.yaml"
}

# archive NAME PROGRAM: an image of one static program, as a tar for `ctr images import`.
archive() {
  local dir=$work/one
  rm -rf "$dir"; mkdir -p "$dir/usr/local/bin"
  cp "$bin/$2" "$dir/usr/local/bin/"
  if [ "$2" = pause ]; then mv "$dir/usr/local/bin/pause" "$dir/pause"; fi
  tar -C "$dir" --owner=0 --group=0 -c . | docker import --change "ENTRYPOINT [\"/$([ "$2" = pause ] || echo usr/local/bin/)$2\"]" \
    --change 'ENV PATH=/usr/local/bin' - "$1" >/dev/null
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
compile
rootfs "$work/root"
kindfiles "$work/root"
cp "$bin"/{kubeadm,kubectl,kubelet} "$work/root/usr/bin/"
cp "$bin/crictl" "$work/root/usr/local/bin/"
say "packing the images of the control plane"
images=()
for name in kube-apiserver kube-controller-manager kube-scheduler; do
  archive "registry.k8s.io/$name:$kubernetes" "$name"; images+=("registry.k8s.io/$name:$kubernetes")
done
etcd=$("$bin/kubeadm" config images list --kubernetes-version "$kubernetes" 2>/dev/null | grep /etcd:)
archive "$etcd" etcd; images+=("$etcd")
for tag in 3.10 3.10.1; do archive "registry.k8s.io/pause:$tag" pause; images+=("registry.k8s.io/pause:$tag"); done
docker save "${images[@]}" -o "$work/root/kind/control-plane.tar"
docker rmi "${images[@]}" >/dev/null
tar -C "$work/root" -c . | docker import - stormproof/kind-node:building >/dev/null

# containerd itself must unpack the images, once, and Kind keeps /var in a volume that is
# filled from the image: so they are loaded in a container that is then committed.
say "loading them into the node's containerd"
docker rm -f stormproof-kind-building >/dev/null 2>&1 || true
docker run -d --name stormproof-kind-building --privileged stormproof/kind-node:building sleep infinity >/dev/null
docker exec --privileged stormproof-kind-building bash -ec '
  containerd >/dev/null 2>&1 & pid=$!
  for _ in $(seq 100); do ctr version >/dev/null 2>&1 && break; sleep 0.1; done
  ctr --namespace=k8s.io images import --no-unpack --all-platforms /kind/control-plane.tar
  kill $pid; wait $pid || true; rm /kind/control-plane.tar'
docker commit --change 'ENTRYPOINT ["/usr/local/bin/entrypoint","/sbin/init"]' --change 'ENV container=docker' \
  --change "LABEL stormproof.dev/digest=$key" stormproof-kind-building "$image" >/dev/null
docker rm -f stormproof-kind-building >/dev/null
docker rmi stormproof/kind-node:building >/dev/null
say "made $image"
echo "$image"
