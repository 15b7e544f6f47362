package fault

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	flowcontrolv1 "k8s.io/api/flowcontrol/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/stormproof/stormproof/harness/internal/wait"
)

// seats are places at the API server that are held by requests whose bodies never end: a
// review of one's own rights, which changes nothing. The server gives up on one after a
// minute, and it is then made again.
type seats struct {
	stop     context.CancelFunc
	running  sync.WaitGroup
	rejected atomic.Int64
}

const (
	reviewPath = "apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
	reviewBody = `{"apiVersion":"authorization.k8s.io/v1","kind":"SelfSubjectAccessReview","spec":{"nonResourceAttributes":{"path":"/readyz","verb":"get"}}}`
	// reseat keeps requests that are refused from becoming a flood.
	reseat = 50 * time.Millisecond
)

// take holds n seats until free.
func (s *seats) take(p *KubeProxy, user string, n int) {
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	for range n {
		s.running.Go(func() {
			for ctx.Err() == nil {
				s.hold(ctx, p, user)
			}
		})
	}
}

// hold keeps one request open until it ends.
func (s *seats) hold(ctx context.Context, p *KubeProxy, user string) {
	body, end := io.Pipe()
	defer context.AfterFunc(ctx, func() { _ = end.CloseWithError(ctx.Err()) })()
	code, _, err := p.as(ctx, user, http.MethodPost, reviewPath, body)
	if err == nil && code == http.StatusTooManyRequests {
		s.rejected.Add(1)
	}
	pause := time.NewTimer(reseat)
	defer pause.Stop()
	select {
	case <-pause.C:
	case <-ctx.Done():
	}
}

// free lets go and waits until all have ended.
func (s *seats) free() {
	if s.stop != nil {
		s.stop()
		s.running.Wait()
	}
}

// as makes a request past the faults as another user, and returns the status and the uid
// of the priority level that it was served by.
func (p *KubeProxy) as(ctx context.Context, user, method, path string, body io.Reader) (code int, level string, err error) {
	r, err := http.NewRequestWithContext(ctx, method, p.target.JoinPath(path).String(), body)
	if err != nil {
		return 0, "", err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Impersonate-User", user)
	res, err := p.direct.RoundTrip(r)
	if err != nil {
		return 0, "", err
	}
	_, err = io.Copy(io.Discard, res.Body)
	return res.StatusCode, res.Header.Get(levelHeader), errors.Join(err, res.Body.Close())
}

// classified waits until the user is served by our level, and allowed to do things.
func (t *throttle) classified(ctx context.Context) error {
	return wait.Until(ctx, "the API server serves user "+t.user+" by priority level "+t.level.Name, healthyWithin, 20*time.Millisecond, func(ctx context.Context) wait.Look {
		_, level, err := t.proxy.as(ctx, t.user, http.MethodPost, reviewPath, strings.NewReader(reviewBody))
		if err != nil {
			return wait.Look{Err: err}
		}
		code, _, err := t.proxy.as(ctx, t.user, http.MethodGet, "api/v1/namespaces/default", nil)
		return wait.Look{Err: err, Done: level == string(t.level.UID) && code == http.StatusOK,
			State: func() string { return fmt.Sprintf("level %q, status %d of a list", level, code) }}
	})
}

// limitOf waits until the API server knows a level, and says how many seats it has.
func (p *KubeProxy) limitOf(ctx context.Context, level string) (int, error) {
	seats := 0
	err := wait.Until(ctx, "the API server knows priority level "+level, healthyWithin, 20*time.Millisecond, func(ctx context.Context) wait.Look {
		n, err := p.metric(ctx, seatsMetric, level)
		seats = int(n)
		return wait.Look{Done: n > 0, Err: err}
	})
	return seats, err
}

// busy waits until so many seats of a level are taken.
func (p *KubeProxy) busy(ctx context.Context, level string, want int) error {
	return wait.Until(ctx, fmt.Sprintf("%d seats of priority level %s are taken", want, level), healthyWithin, 20*time.Millisecond, func(ctx context.Context) wait.Look {
		n, err := p.metric(ctx, busyMetric, level)
		return wait.Look{Done: err == nil && int(n) == want, Err: err, State: func() string { return fmt.Sprintf("%d are", int(n)) }}
	})
}

// metric is the sum of a metric's series that belong to a priority level, 0 for none.
func (p *KubeProxy) metric(ctx context.Context, name, level string) (float64, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, p.target.JoinPath("metrics").String(), nil)
	if err != nil {
		return 0, err
	}
	res, err := p.direct.RoundTrip(r)
	if err != nil {
		return 0, err
	}
	defer func() { _ = res.Body.Close() }() // it was read
	if res.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("reading the API server's metrics: %s", res.Status)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(res.Body)
	if err != nil {
		return 0, fmt.Errorf("reading the API server's metrics: %w", err)
	}
	sum := 0.0
	for _, m := range families[name].GetMetric() {
		if ofLevel(m, level) {
			sum += m.GetGauge().GetValue() + m.GetCounter().GetValue()
		}
	}
	return sum, nil
}

func ofLevel(m *dto.Metric, level string) bool {
	for _, l := range m.GetLabel() {
		if l.GetName() == "priority_level" && l.GetValue() == level {
			return true
		}
	}
	return false
}

// admin is a client with the upstream's rights that goes past the faults.
func (p *KubeProxy) admin() (client.Client, error) {
	scheme := runtime.NewScheme()
	if err := errors.Join(flowcontrolv1.AddToScheme(scheme), rbacv1.AddToScheme(scheme)); err != nil {
		return nil, fmt.Errorf("registering kinds: %w", err)
	}
	c, err := client.New(p.upstream, client.Options{Scheme: scheme, HTTPClient: &http.Client{Transport: p.direct}})
	if err != nil {
		return nil, fmt.Errorf("building the faults' own client: %w", err)
	}
	return c, nil
}
