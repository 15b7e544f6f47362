package fault

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/rest"
)

// exposed is a proxy whose door of replica 1 is for strangers, and a client of that door
// with a token of its own, "" for none.
func exposed(t *testing.T, bearer string) (*apiServer, *KubeProxy, func(path string) (int, error)) {
	t.Helper()
	s, p, _ := kubeWorld(t)
	if err := p.Expose(loopback); err != nil {
		t.Fatal(err)
	}
	door, err := p.Door(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	door.BearerToken = bearer
	transport, idle, err := ownTransport(door)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(idle)
	return s, p, func(path string) (int, error) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, door.Host+path, strings.NewReader("{}"))
		if err != nil {
			return 0, err
		}
		res, err := transport.RoundTrip(r)
		if err != nil {
			return 0, err
		}
		return res.StatusCode, res.Body.Close()
	}
}

func TestAnExposedDoorPassesTheCallersOwnCredentialsOn(t *testing.T) {
	for name, tc := range map[string]struct {
		bearer string
		want   int
	}{
		"a good token":    {token, http.StatusOK},
		"another's":       {"somebody", http.StatusUnauthorized},
		"none":            {"", http.StatusUnauthorized},
		"looks like ours": {"the-upstream", http.StatusUnauthorized},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, post := exposed(t, tc.bearer)
			if code, err := post(things); code != tc.want || err != nil {
				t.Errorf("got %d, %v; want %d", code, err, tc.want)
			}
		})
	}
}

func TestAnExposedDoorSpeaksTLSUnderItsOwnAuthority(t *testing.T) {
	_, p, _ := exposed(t, token)
	door, err := p.Door(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(door.Host, "https://") || len(door.CAData) == 0 {
		t.Errorf("the door is %+v", door)
	}
	for name, config := range map[string]*rest.Config{
		"without its authority": {Host: door.Host},
		"without TLS":           {Host: strings.Replace(door.Host, "https", "http", 1)},
	} {
		transport, idle, err := ownTransport(config)
		if err != nil {
			t.Fatal(err)
		}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, config.Host+things, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		res, err := transport.RoundTrip(r)
		if err == nil {
			_ = res.Body.Close()
			if res.StatusCode == http.StatusOK {
				t.Errorf("%s: answered %s", name, res.Status)
			}
		}
		idle()
	}
}

func TestFaultsMeetWhatComesInFromOutside(t *testing.T) {
	s, p, post := exposed(t, token)
	lost := arm(t, p, Spec{ID: "lost", Target: Kubernetes, Kind: ReplyLost, Times: 1, Replica: 1})
	if code, err := post(things); err == nil {
		t.Errorf("the reply was not lost: %d", code)
	}
	remove(t, lost)
	wantCounts(t, lost, 1, 1)
	if diff := cmp.Diff([]string{"POST " + things + " {}"}, s.log()); diff != "" {
		t.Error(diff)
	}
	if code, err := post(things); code != http.StatusOK || err != nil {
		t.Errorf("after the fault: %d, %v", code, err)
	}
	cut := arm(t, p, Spec{ID: "cut", Target: Kubernetes, Kind: Cut, Replica: 1})
	if _, err := post(things); !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, syscall.EPIPE) {
		t.Errorf("a cut is no reset under TLS: %v", err)
	}
	remove(t, cut)
}

func TestAFaultThatActsAsAnotherUserLendsItsOwnCredentials(t *testing.T) {
	_, p, post := exposed(t, "")
	a := newArmed(Spec{ID: "other", Target: Kubernetes, Kind: Forbidden})
	a.act = (&impersonation{armed: a, user: "other", refused: func(int, http.Header) bool { return false }}).meet
	p.attach(a)
	if code, err := post(things); code != http.StatusOK || err != nil {
		t.Errorf("got %d, %v", code, err)
	}
	remove(t, a)
	if code, err := post(things); code != http.StatusUnauthorized || err != nil {
		t.Errorf("after the fault: %d, %v", code, err)
	}
}

func TestOnlyAnAddressCanBeExposed(t *testing.T) {
	_, p, _ := kubeWorld(t)
	if err := p.Expose("localhost"); err == nil {
		t.Error("a name was taken for an address")
	}
}

func TestRedisDoorsListenWhereTheyAreExposed(t *testing.T) {
	p, err := NewRedisProxy(t.Context(), "127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	p.Expose("0.0.0.0")
	for range 2 {
		addr, err := p.Door(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		if host, _, _ := net.SplitHostPort(addr); !net.ParseIP(host).IsUnspecified() {
			t.Errorf("the door is at %s", addr)
		}
	}
	if host, _, _ := net.SplitHostPort(p.Addr()); host != loopback {
		t.Errorf("the harness's own way moved to %s", p.Addr())
	}
}
