package play

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/stormproof/stormproof/gateway/api/v1alpha1"
	"github.com/stormproof/stormproof/harness/history"
	hredis "github.com/stormproof/stormproof/harness/redis"
	"github.com/stormproof/stormproof/harness/system"
)

const hidden = "s0123456789abcdef01234567"

// searched is a stopped world with one gateway that has left nothing but a harmless log.
func searched(t *testing.T, content bool) *world {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	w := recorded(t)
	w.kube = fake.NewClientBuilder().WithScheme(scheme).Build()
	w.dir, w.answers, w.last = t.TempDir(), newAnswers(), &lastList{}
	w.secrets = map[string]secret{"token": {hidden, content}}
	w.search = newSearch(w.secrets)
	w.replicas = &replicas{list: []*replica{{spec: system.Spec{Replica: 1, LogFile: filepath.Join(w.dir, "gateway-1.log")}}}}
	for _, name := range []string{"gateway-1.log", "requests.jsonl", "history.jsonl"} {
		write(t, w, name, "all is well\n")
	}
	return w
}

func write(t *testing.T, w *world, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(w.dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// found is what the search of a world records.
func found(t *testing.T, w *world) (leaks []history.Leak, scan *history.Scan) {
	t.Helper()
	w.searchEvents(t.Context()) // as readLast does
	if err := w.findSecrets(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, e := range w.history.Events() {
		if e.Leak != nil {
			leaks = append(leaks, *e.Leak)
		}
		if e.Scan != nil {
			scan = e.Scan
		}
	}
	return leaks, scan
}

func TestASecretIsFoundInEveryTrace(t *testing.T) {
	in := func(name, text string) func(*testing.T, *world) {
		return func(t *testing.T, w *world) { write(t, w, name, text) }
	}
	note := v1alpha1.RemediationRequest{ObjectMeta: metav1.ObjectMeta{Name: "gone"}, Spec: v1alpha1.RemediationRequestSpec{Annotations: map[string]string{"note": hidden}}}
	object := func(_ *testing.T, w *world) { w.last.requests = []v1alpha1.RemediationRequest{note} }
	for name, tc := range map[string]struct {
		leave   func(*testing.T, *world)
		content bool
		where   string
	}{
		"nowhere":                      {in("gateway-1.log", "one\n"), false, ""},
		"a log":                        {in("gateway-1.log", "one\ntoken="+hidden+"\n"), false, "gateway-1.log, line 2"},
		"a log, though an alert's own": {in("gateway-1.log", hidden), true, "gateway-1.log, line 1"},
		"base64, first place":          {in("gateway-1.log", base64.StdEncoding.EncodeToString([]byte("abc"+hidden+"xyz"))), false, "gateway-1.log, line 1"},
		"base64, second place":         {in("gateway-1.log", base64.StdEncoding.EncodeToString([]byte("user:ab"+hidden))), false, "gateway-1.log, line 1"},
		"base64, third place":          {in("gateway-1.log", base64.URLEncoding.EncodeToString([]byte("user:"+hidden+"!"))), false, "gateway-1.log, line 1"},
		"the name of an object":        {in("requests.jsonl", hidden), true, "requests.jsonl, line 1"},
		"the history":                  {in("history.jsonl", hidden), false, "history.jsonl, line 1"},
		"the history, as it should be": {in("history.jsonl", hidden), true, ""},
		"an answer":                    {func(_ *testing.T, w *world) { w.answers.add("one", answer{body: map[string]any{"detail": hidden}}) }, true, "answers to one, line 1"},
		"the header of an answer": {func(_ *testing.T, w *world) {
			w.answers.add("one", answer{})
			w.answers.add("one", answer{headers: map[string]any{"x": hidden}})
		}, false, "answers to one, line 2"},
		"an object":               {object, false, "RemediationRequests, line 1"},
		"an object, as it may be": {object, true, ""},
		"a page": {func(_ *testing.T, w *world) {
			w.last.pages = []v1alpha1.StormPage{{ObjectMeta: metav1.ObjectMeta{Name: hidden}}}
		}, false, "StormPages, line 1"},
		"an object that is gone": {func(_ *testing.T, w *world) {
			w.watch = newWatch(w)
			stream := watch.NewFake()
			go func() { stream.Delete(&note); stream.Stop() }()
			w.watch.follow(t.Context(), stream)
		}, false, "the deleted RemediationRequest gone, line 1"},
		"an Event": {func(t *testing.T, w *world) {
			e := &corev1.Event{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "one"}, Message: hidden}
			if err := w.kube.Create(t.Context(), e); err != nil {
				t.Fatal(err)
			}
		}, false, "Events in a, line 1"},
		"metrics": {func(t *testing.T, w *world) { serve(t, w, "up{token=\""+hidden+"\"} 1\n") }, false, "GET /metrics, line 1"},
	} {
		t.Run(name, func(t *testing.T) {
			w := searched(t, tc.content)
			tc.leave(t, w)
			leaks, scan := found(t, w)
			var want []history.Leak
			if tc.where != "" {
				want = []history.Leak{{Secret: "token", Where: tc.where}}
			}
			if !slices.Equal(leaks, want) {
				t.Errorf("%+v, want %+v", leaks, want)
			}
			if scan.Places < 3 || len(scan.Missed) > 0 {
				t.Errorf("the search is recorded as %+v", scan)
			}
		})
	}
}

func serve(t *testing.T, w *world, page string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { fmt.Fprint(rw, page) }))
	defer server.Close()
	w.http = server.Client()
	remote, err := system.Remote{Public: server.URL}.Start(t.Context(), system.Spec{})
	if err != nil {
		t.Fatal(err)
	}
	r := w.replicas.list[0]
	r.set(remote)
	if got := string(w.lastMetrics(t.Context(), r)); got != page {
		t.Errorf("the metrics were %q", got)
	}
}

func TestASecretIsFoundInEveryKindOfRedisKey(t *testing.T) {
	server, err := hredis.Start(t.Context(), hredis.Options{Kind: hredis.Embedded})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
	for kind, command := range map[string][]any{
		"none": {"SET", "sp:key", "harmless"}, "string": {"SET", "sp:key", hidden}, "name": {"SET", "sp:" + hidden, "x"},
		"hash": {"HSET", "sp:key", "field", hidden}, "zset": {"ZADD", "sp:key", 1, hidden}, "set": {"SADD", "sp:key", hidden},
		"list": {"RPUSH", "sp:key", "x", hidden}, "stream": {"XADD", "sp:key", "*", "field", hidden},
	} {
		t.Run(kind, func(t *testing.T) {
			w := searched(t, true)
			w.prefix, w.access = "sp:", hredis.Access{Topology: hredis.Standalone, Addrs: []string{server.Addr}}
			if w.redis, err = w.access.Client(); err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := w.redis.Close(); err != nil {
					t.Error(err)
				}
			}()
			if err := w.redis.Do(t.Context(), "FLUSHALL").Err(); err != nil {
				t.Fatal(err)
			}
			if err := w.redis.Do(t.Context(), command...).Err(); err != nil {
				t.Fatal(err)
			}
			leaks, scan := found(t, w)
			if leaked := len(leaks) == 1 && strings.HasPrefix(leaks[0].Where, "Redis"); leaked == (kind == "none") || len(scan.Missed) > 0 {
				t.Errorf("%+v, %+v", leaks, scan)
			}
		})
	}
}

func TestATraceThatCannotBeReadIsMissed(t *testing.T) {
	for name, tc := range map[string]struct {
		lose func(*testing.T, *world)
		want string
	}{
		"a log": {func(t *testing.T, w *world) {
			if err := os.Remove(filepath.Join(w.dir, "gateway-1.log")); err != nil {
				t.Fatal(err)
			}
		}, "gateway-1.log"},
		"an empty log": {func(t *testing.T, w *world) { write(t, w, "gateway-1.log", "") }, "gateway-1.log"},
		"objects":      {func(_ *testing.T, w *world) { w.last = nil }, "RemediationRequests"},
		"Events":       {func(_ *testing.T, w *world) { w.kube = fake.NewClientBuilder().WithScheme(runtime.NewScheme()).Build() }, "Events in a"},
		"metrics": {func(t *testing.T, w *world) {
			serve(t, w, "up 1\n") // and is gone by now
			w.lastMetrics(t.Context(), w.replicas.list[0])
		}, "metrics"},
		"Redis": {func(t *testing.T, w *world) {
			w.access = hredis.Access{Topology: hredis.Standalone, Addrs: []string{"127.0.0.1:1"}}
			var err error
			if w.redis, err = w.access.Client(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = w.redis.Close() }) // it was never connected
		}, "Redis"},
	} {
		t.Run(name, func(t *testing.T) {
			w := searched(t, false)
			tc.lose(t, w)
			_, scan := found(t, w)
			if !slices.ContainsFunc(scan.Missed, func(m string) bool { return strings.Contains(m, tc.want) }) {
				t.Errorf("missed are %q, want one with %q", scan.Missed, tc.want)
			}
		})
	}
}
