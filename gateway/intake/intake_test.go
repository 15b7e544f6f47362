package intake_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/mock"
	"k8s.io/apimachinery/pkg/types"

	"github.com/stormproof/stormproof/gateway/alert"
	"github.com/stormproof/stormproof/gateway/api/v1alpha1"
	"github.com/stormproof/stormproof/gateway/clock"
	"github.com/stormproof/stormproof/gateway/config"
	"github.com/stormproof/stormproof/gateway/intake"
	"github.com/stormproof/stormproof/gateway/intake/mocks"
	"github.com/stormproof/stormproof/gateway/policy"
	"github.com/stormproof/stormproof/gateway/remediation"
	"github.com/stormproof/stormproof/gateway/window"
)

var began = time.Unix(1_700_000_000, 0).UTC()

// parts is an intake on mocks. A call that was not expected fails the test.
type parts struct {
	*intake.Intake
	windows  *mocks.Windows
	writer   *mocks.Writer
	pages    *mocks.Pages
	counters *mocks.Counters
}

func newParts(t *testing.T) parts {
	t.Helper()
	rules, err := policy.Compile(policy.Default())
	if err != nil {
		t.Fatal(err)
	}
	p := parts{windows: mocks.NewWindows(t), writer: mocks.NewWriter(t), pages: mocks.NewPages(t), counters: mocks.NewCounters(t)}
	p.Intake = &intake.Intake{Config: config.Defaults(), Policy: rules, Windows: p.windows, Writer: p.writer, Pages: p.pages, Counters: p.counters, Clock: clock.Real{}}
	return p
}

func alerts(names ...string) []alert.Alert {
	var out []alert.Alert
	for i, pod := range names {
		out = append(out, alert.Alert{Index: i, Source: alert.Alertmanager{}.Name(), StartsAt: began,
			Labels: map[string]string{"alertname": "CPUHigh", "namespace": "shop", "pod": pod}})
	}
	return out
}

// decides makes the windows answer these decisions; counts, if any, were booked at once.
func (p parts) decides(decisions []window.Decision, counts []window.Counts) {
	p.windows.EXPECT().Decide(mock.Anything, mock.Anything, counting(true), mock.Anything).Return(decisions, counts, nil).Once()
}

// counting matches a request to Redis that counts at once, or that does not.
func counting(yes bool) any {
	return mock.MatchedBy(func(r window.Request) bool { return r.Count == yes })
}

func object(name string) *v1alpha1.RemediationRequest {
	rr := &v1alpha1.RemediationRequest{}
	rr.Name, rr.Namespace, rr.UID, rr.Spec.Incarnation = name, "shop", types.UID("uid-"+name), 1
	return rr
}

func said(vs []intake.Verdict) []string {
	var out []string
	for _, v := range vs {
		out = append(out, fmt.Sprintf("%d %s %s", v.Index, v.Verdict, v.Name))
	}
	return out
}

func check(t *testing.T, got, want []string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestPureDuplicatesNeedNothingButOneDecision(t *testing.T) {
	p := newParts(t)
	p.decides([]window.Decision{{Kind: window.Duplicate, Object: window.Object{UID: "u", Namespace: "shop", Name: "rr"}, Incarnation: 1}},
		[]window.Counts{{Occurrences: 1, Deliveries: 2}})
	p.counters.EXPECT().Note("u", "shop", "rr", mock.Anything).Once()
	got, err := p.Process(context.Background(), alerts("a"))
	if err != nil {
		t.Fatal(err)
	}
	check(t, said(got), []string{"0 duplicate rr"})
}

func TestANewAlertIsDurableBeforeItIsCounted(t *testing.T) {
	p := newParts(t)
	p.decides([]window.Decision{{Kind: window.Open}}, nil)
	ensured := p.writer.EXPECT().Ensure(mock.Anything, mock.Anything).Return(remediation.Found{Object: object("rr"), Created: true}, nil).Once()
	p.windows.EXPECT().Settle(mock.Anything, mock.Anything, mock.Anything, mock.Anything).Return([]window.Counts{{Occurrences: 1, Deliveries: 1}}, nil).Once().NotBefore(ensured)
	p.counters.EXPECT().Note("uid-rr", "shop", "rr", mock.Anything).Once()
	got, err := p.Process(context.Background(), alerts("a", "a"))
	if err != nil {
		t.Fatal(err)
	}
	check(t, said(got), []string{"0 created rr", "1 duplicate rr"})
}

func TestOneAlertThatCannotBeWrittenFailsTheBatchAndNothingIsCounted(t *testing.T) {
	p := newParts(t)
	p.decides([]window.Decision{{Kind: window.Open}, {Kind: window.Duplicate, Object: window.Object{UID: "u", Name: "x"}}}, nil)
	p.writer.EXPECT().Ensure(mock.Anything, mock.Anything).Return(remediation.Found{}, &remediation.UnavailableError{Doing: "creating", Err: errors.New("hang")}).Once()
	_, err := p.Process(context.Background(), alerts("a", "b"))
	var unavailable *remediation.UnavailableError
	if !errors.As(err, &unavailable) {
		t.Errorf("got %v; Settle and Note must not have been called either", err)
	}
}

func TestARefusedAlertDoesNotBlockItsNeighbour(t *testing.T) {
	p := newParts(t)
	p.decides([]window.Decision{{Kind: window.Open}, {Kind: window.Duplicate, Object: window.Object{UID: "u", Namespace: "shop", Name: "x"}, Incarnation: 1}}, nil)
	p.writer.EXPECT().Ensure(mock.Anything, mock.Anything).Return(remediation.Found{}, &remediation.RefusedError{Reason: remediation.NamespaceMissing, Detail: "no namespace", Err: errors.New("404")}).Once()
	p.windows.EXPECT().Settle(mock.Anything, mock.Anything, mock.Anything, mock.MatchedBy(func(items []window.Settled) bool { return len(items) == 1 })).
		Return([]window.Counts{{Occurrences: 1, Deliveries: 2}}, nil).Once()
	p.counters.EXPECT().Note("u", "shop", "x", mock.Anything).Once()
	got, err := p.Process(context.Background(), alerts("a", "b"))
	if err != nil {
		t.Fatal(err)
	}
	check(t, said(got), []string{"0 refused ", "1 duplicate x"})
	if got[0].Reason != "namespace-missing" || got[0].Retryable || got[0].Detail != "no namespace: 404" || got[0].Fingerprint == "" {
		t.Errorf("got %+v", got[0])
	}
}

func TestABatchWithAnAlertThatCanBeRepeatedIsSentBackWithAReasonForEach(t *testing.T) {
	p := newParts(t)
	p.decides([]window.Decision{{Kind: window.Open}, {Kind: window.Open}, {Kind: window.Open}}, nil)
	full := &remediation.UnavailableError{Reason: remediation.QuotaExceeded, Doing: "creating", Err: errors.New("403")}
	p.writer.EXPECT().Ensure(mock.Anything, mock.Anything).RunAndReturn(func(_ context.Context, i remediation.Incident) (remediation.Found, error) {
		switch i.Alert.Labels["pod"] {
		case "full":
			return remediation.Found{}, full
		case "denied":
			return remediation.Found{}, &remediation.RefusedError{Reason: remediation.AdmissionDenied, Detail: "no", Err: errors.New("403")}
		}
		return remediation.Found{Object: object("rr"), Created: true}, nil
	}).Times(3)
	got, err := p.Process(context.Background(), alerts("full", "denied", "well"))
	var again *intake.RetryError
	if got != nil || !errors.As(err, &again) || !errors.Is(err, full) {
		t.Fatalf("got %v, %v; Settle and Note must not have been called either", got, err)
	}
	var reasons []string
	for _, v := range again.Verdicts {
		reasons = append(reasons, fmt.Sprintf("%d %s %s %s %t", v.Index, v.Verdict, v.Name, v.Reason, v.Retryable))
	}
	check(t, reasons, []string{"0 refused  quota-exceeded true", "1 refused  admission-denied false", "2 refused rr batch-unfinished true"})
}

func TestTheRequestThatMadeTheStormOpensItAndTheOthersJoin(t *testing.T) {
	p := newParts(t)
	p.decides([]window.Decision{{Kind: window.Member, Storm: "s1"}, {Kind: window.Member, Storm: "s1"}}, nil)
	p.pages.EXPECT().Join(mock.Anything, mock.Anything, mock.Anything, mock.MatchedBy(func(is []remediation.Incident) bool { return len(is) == 2 })).
		Return(remediation.Joined{Found: remediation.Found{Object: object("storm"), Created: true}, Members: 2}, nil).Once()
	p.windows.EXPECT().Settle(mock.Anything, mock.Anything, mock.Anything, mock.Anything).
		Return([]window.Counts{{StormMembers: 1, StormOccurrences: 1, StormDeliveries: 1}, {StormMembers: 2, StormOccurrences: 2, StormDeliveries: 2}}, nil).Once()
	p.counters.EXPECT().Note("uid-storm", "shop", "storm", mock.Anything).Twice()
	got, err := p.Process(context.Background(), alerts("a", "b"))
	if err != nil {
		t.Fatal(err)
	}
	check(t, said(got), []string{"0 created storm", "1 member storm"})
}

func TestAnIncidentWhoseObjectIsGoneIsForgottenAndDecidedAnew(t *testing.T) {
	p := newParts(t)
	p.decides([]window.Decision{{Kind: window.Expired, Object: window.Object{UID: "old", Namespace: "shop", Name: "rr-1"}, Incarnation: 1}}, nil)
	p.writer.EXPECT().Read(mock.Anything, "shop", "rr-1").Return(nil, nil).Once()
	p.windows.EXPECT().Decide(mock.Anything, mock.Anything, counting(false),
		mock.MatchedBy(func(items []window.Item) bool { return len(items) == 1 && items[0].Over == "old" })).
		Return([]window.Decision{{Kind: window.Open, Incarnation: 1}}, nil, nil).Once()
	p.writer.EXPECT().Ensure(mock.Anything, mock.MatchedBy(func(i remediation.Incident) bool { return i.Past == 1 })).
		Return(remediation.Found{Object: object("rr-2"), Created: true}, nil).Once()
	p.windows.EXPECT().Settle(mock.Anything, mock.Anything, mock.Anything, mock.Anything).Return([]window.Counts{{Occurrences: 1, Deliveries: 1}}, nil).Once()
	p.counters.EXPECT().Note("uid-rr-2", "shop", "rr-2", mock.Anything).Once()
	got, err := p.Process(context.Background(), alerts("a"))
	if err != nil {
		t.Fatal(err)
	}
	check(t, said(got), []string{"0 created rr-2"})
}

func TestRedisErrorsSayThatItIsRedis(t *testing.T) {
	p := newParts(t)
	p.windows.EXPECT().Decide(mock.Anything, mock.Anything, counting(true), mock.Anything).Return(nil, nil, errors.New("cut")).Once()
	_, err := p.Process(context.Background(), alerts("a"))
	var redis *intake.RedisError
	if !errors.As(err, &redis) {
		t.Errorf("got %v", err)
	}
}

func TestTheIncidentIsToldOfTheMostThatWasLeftOut(t *testing.T) {
	p := newParts(t)
	p.decides([]window.Decision{{Kind: window.Duplicate, Object: window.Object{UID: "u", Namespace: "shop", Name: "rr"}}}, []window.Counts{{Occurrences: 1}})
	p.counters.EXPECT().Note("u", "shop", "rr", mock.MatchedBy(func(t remediation.Tally) bool { return t.Truncated == 7 })).Once()
	batch := alerts("a", "a")
	batch[0].Truncated = 7
	if _, err := p.Process(context.Background(), batch); err != nil {
		t.Fatal(err)
	}
}
