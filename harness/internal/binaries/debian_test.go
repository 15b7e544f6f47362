package binaries

import (
	"errors"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// fakeApt knows the package "server" and its library, but only after an update when
// FAKE_LISTS is empty; FAKE_APT=down makes every call fail.
const fakeApt = `#!/bin/sh
echo "$*" | sed 's/-qq//; s/-o [^ ]*//g; s/  */ /g; s/^ //' >>"$FAKE_LOG"
[ "$FAKE_APT" = up ] || { echo "cannot connect" >&2; exit 100; }
own=0; for a in "$@"; do case $a in Dir::State::Lists=*) own=1 ;; esac; done
case $* in
*update) exit 0 ;;
*install*) [ "$FAKE_LISTS" = full ] || [ $own = 1 ] || { echo "unable to locate" >&2; exit 100; }
   echo "'http://d/libx1_1_amd64.deb' libx1_1_amd64.deb 10 MD5Sum:0"
   echo "'http://d/server_7%3a1_amd64.deb' server_7%3a1_amd64.deb 10 " ;;
*download*) touch libx1_1_amd64.deb server_7%3a1_amd64.deb ;;
esac
`

const fakeDpkg = `#!/bin/sh
case ${2##*/} in
server*) mkdir -p "$3/usr/bin"; printf '#!/bin/sh\n' >"$3/usr/bin/serverd"; chmod +x "$3/usr/bin/serverd" ;;
libx1*) mkdir -p "$3/usr/lib/triplet"; : >"$3/usr/lib/triplet/libx.so.1" ;;
esac
`

func TestDebianUnpacksThePackageAndItsLibraries(t *testing.T) {
	const resolve = "install --print-uris --yes --no-install-recommends server\n"
	tests := map[string]struct{ lists, calls string }{
		"with the machine's lists of packages":             {"full", resolve + "download libx1 server\n"},
		"with lists of its own where the machine has none": {"empty", resolve + "update\n" + resolve + "download libx1 server\n"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			log := useFakes(t, map[string]string{"apt-get": fakeApt, "dpkg-deb": fakeDpkg}, "FAKE_APT=up", "FAKE_LISTS="+tc.lists)
			cache := t.TempDir()
			got, err := Debian(t.Context(), cache, "server", "serverd", io.Discard)
			if err != nil {
				t.Fatal(err)
			}
			root := filepath.Dir(filepath.Dir(filepath.Dir(got.Program)))
			want := Unpacked{Program: filepath.Join(root, "usr/bin/serverd"), LibPath: filepath.Join(root, "usr/lib/triplet")}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("unpacked (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff([]string{"usr"}, names(t, root)); diff != "" {
				t.Errorf("the cache's entry (-want +got):\n%s", diff)
			}
			again, err := Debian(t.Context(), cache, "server", "serverd", io.Discard)
			if err != nil || again != got {
				t.Errorf("the second call returned %v, %v", again, err)
			}
			if diff := cmp.Diff(tc.calls, read(t, log)); diff != "" {
				t.Errorf("calls of apt-get (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDebianThatFailsSaysWhyAndLeavesNothing(t *testing.T) {
	tests := map[string]struct {
		program, apt string
		says         string
	}{
		"no network":                     {"serverd", "down", "cannot connect"},
		"a package without that program": {"other", "up", "no program other in the packages libx1, server"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			useFakes(t, map[string]string{"apt-get": fakeApt, "dpkg-deb": fakeDpkg}, "FAKE_APT="+tc.apt, "FAKE_LISTS=full")
			cache := t.TempDir()
			_, err := Debian(t.Context(), cache, "server", tc.program, io.Discard)
			u, ok := errors.AsType[*Unavailable](err)
			if !ok || !strings.Contains(u.Error(), tc.says) || !strings.Contains(u.Fix, "apt-get install server") {
				t.Errorf("got %v", err)
			}
			for _, left := range names(t, filepath.Join(cache, "debian")) {
				if !strings.HasSuffix(left, ".lock") {
					t.Errorf("left behind: %s", left)
				}
			}
		})
	}
}

func TestDebianOnAnotherSystemSaysWhatToInstall(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := Debian(t.Context(), t.TempDir(), "server", "serverd", io.Discard)
	u, ok := errors.AsType[*Unavailable](err)
	if !ok || !strings.Contains(u.Reason, "no apt-get") || !strings.Contains(u.Fix, "install serverd") {
		t.Errorf("got %v", err)
	}
}
