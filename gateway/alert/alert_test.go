package alert_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/stormproof/stormproof/gateway/alert"
	"github.com/stormproof/stormproof/gateway/api/v1alpha1"
)

func limits() alert.Limits {
	return alert.Limits{Depth: 8, Alerts: 3, Labels: 4, LabelBytes: 64, NameBytes: 16}
}

const good = `{"labels":{"alertname":"A"},"startsAt":"2026-01-02T03:04:05Z"}`

func TestOneBadAlertNeverBlocksItsNeighbours(t *testing.T) {
	for name, tc := range map[string]struct{ alert, field string }{
		"no labels":                      {`{"startsAt":"2026-01-02T03:04:05Z"}`, "labels.alertname"},
		"an empty name":                  {`{"labels":{"alertname":""},"startsAt":"2026-01-02T03:04:05Z"}`, "labels.alertname"},
		"a label that is a number":       {`{"labels":{"alertname":"A","x":1},"startsAt":"2026-01-02T03:04:05Z"}`, "labels.x"},
		"a label that is null":           {`{"labels":{"alertname":"A","x":null},"startsAt":"2026-01-02T03:04:05Z"}`, "labels.x"},
		"labels that are a list":         {`{"labels":["A"],"startsAt":"2026-01-02T03:04:05Z"}`, "labels"},
		"an annotation that is a number": {`{"labels":{"alertname":"A"},"annotations":{"x":1},"startsAt":"2026-01-02T03:04:05Z"}`, "annotations.x"},
		"no start":                       {`{"labels":{"alertname":"A"}}`, "startsAt"},
		"a start in year 1":              {`{"labels":{"alertname":"A"},"startsAt":"0001-01-01T00:00:00Z"}`, "startsAt"},
		"a start that is no time":        {`{"labels":{"alertname":"A"},"startsAt":"noon"}`, "startsAt"},
		"an end that is no time":         {`{"labels":{"alertname":"A"},"startsAt":"2026-01-02T03:04:05Z","endsAt":7}`, "endsAt"},
		"a status of its own":            {`{"labels":{"alertname":"A"},"startsAt":"2026-01-02T03:04:05Z","status":"maybe"}`, "status"},
		"too many labels":                {`{"labels":{"alertname":"A","a":"","b":"","c":"","d":""},"startsAt":"2026-01-02T03:04:05Z"}`, "labels"},
		"a number for an alert":          {`7`, ""},
		"null for an alert":              {`null`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			b, err := alert.Alertmanager{}.Parse([]byte(`{"version":"4","alerts":[`+good+`,`+tc.alert+`,`+good+`]}`), limits())
			if err != nil {
				t.Fatal(err)
			}
			if len(b.Alerts) != 2 || b.Alerts[0].Index != 0 || b.Alerts[1].Index != 2 {
				t.Errorf("neighbours: %+v", b.Alerts)
			}
			if len(b.Invalid) != 1 || b.Invalid[0].Index != 1 || b.Invalid[0].Field != tc.field || b.Invalid[0].Detail == "" {
				t.Errorf("invalid: %+v, want index 1 and field %q", b.Invalid, tc.field)
			}
		})
	}
}

func TestABodyThatIsNotJSONIsRefusedWithItsPosition(t *testing.T) {
	for name, tc := range map[string]struct {
		body         string
		offset       int64
		line, column int
	}{
		"nothing":                {"", 0, 1, 1},
		"cut short":              {`{"alerts":[`, 11, 1, 12},
		"a stray character":      {"{\n  \"a\": x}", 9, 2, 8},
		"after a wide character": {"{\"ü\": x}", 7, 1, 7},
		"more after the end":     {`{} {}`, 2, 1, 3},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := alert.Alertmanager{}.Parse([]byte(tc.body), limits())
			var e *alert.SyntaxError
			if !errors.As(err, &e) {
				t.Fatalf("error %v", err)
			}
			if e.Offset != tc.offset || e.Line != tc.line || e.Column != tc.column {
				t.Errorf("byte %d, line %d, column %d; want %d, %d, %d", e.Offset, e.Line, e.Column, tc.offset, tc.line, tc.column)
			}
		})
	}
}

func TestAPayloadThatBreaksTheContractNamesItsField(t *testing.T) {
	for name, tc := range map[string]struct{ body, field string }{
		"version 3":                  {`{"version":"3","alerts":[` + good + `]}`, "version"},
		"version as a number":        {`{"version":4}`, "version"},
		"too many alerts":            {`{"alerts":[` + good + "," + good + "," + good + "," + good + `]}`, "alerts"},
		"alerts that are no list":    {`{"alerts":{}}`, "alerts"},
		"common labels of numbers":   {`{"commonLabels":{"a":1}}`, "commonLabels.a"},
		"common annotations, a list": {`{"commonAnnotations":[]}`, "commonAnnotations"},
		"a list for a payload":       {`[]`, "body"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := alert.Alertmanager{}.Parse([]byte(tc.body), limits())
			var e *alert.FieldError
			if !errors.As(err, &e) || e.Field != tc.field {
				t.Errorf("error %v, want field %q", err, tc.field)
			}
		})
	}
}

func TestOwnValuesWinOverCommonOnes(t *testing.T) {
	b, err := alert.Alertmanager{}.Parse([]byte(`{"commonLabels":{"alertname":"A","x":"common"},"commonAnnotations":{"s":"c","t":"c"},
		"alerts":[{"labels":{"x":"own"},"annotations":{"t":"own"},"status":"resolved","startsAt":"2026-01-02T03:04:05+01:00"}]}`), limits())
	if err != nil || len(b.Alerts) != 1 {
		t.Fatalf("%+v, %v", b, err)
	}
	a := b.Alerts[0]
	if d := cmp.Diff(map[string]string{"alertname": "A", "x": "own"}, a.Labels); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(map[string]string{"s": "c", "t": "own"}, a.Annotations); d != "" {
		t.Error(d)
	}
	if !a.Resolved || a.StartsAt.Hour() != 2 || a.Severity() != "unknown" {
		t.Errorf("%+v", a)
	}
}

func TestTargetsAreRecognisedMostSpecificFirst(t *testing.T) {
	for name, tc := range map[string]struct {
		labels map[string]string
		want   v1alpha1.Target
	}{
		"a pod before its node":       {map[string]string{"pod": "p", "node": "n", "namespace": "x"}, v1alpha1.Target{Kind: "Pod", Name: "p", Namespace: "x"}},
		"a node has no namespace":     {map[string]string{"node": "n", "namespace": "x"}, v1alpha1.Target{Kind: "Node", Name: "n"}},
		"job is the scrape job":       {map[string]string{"job": "j", "service": "s"}, v1alpha1.Target{Kind: "Service", Name: "s"}},
		"job_name is a Job":           {map[string]string{"job_name": "j"}, v1alpha1.Target{Kind: "Job", Name: "j"}},
		"an empty label names nobody": {map[string]string{"pod": "", "deployment": "d"}, v1alpha1.Target{Kind: "Deployment", Name: "d"}},
		"nothing known":               {map[string]string{"namespace": "x"}, v1alpha1.Target{Kind: "Unknown", Name: "A", Namespace: "x"}},
	} {
		t.Run(name, func(t *testing.T) {
			tc.labels["alertname"] = "A"
			if d := cmp.Diff(tc.want, alert.Alert{Labels: tc.labels}.Target()); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestGroupsFollowTheFirstRuleThatFits(t *testing.T) {
	rules := []alert.Rule{{Name: "a", By: []string{"alertname", "namespace"}}, {Name: "b", By: []string{"alertname"}}}
	for name, tc := range map[string]struct {
		labels map[string]string
		rules  []alert.Rule
		key    string
	}{
		"the first fits":                  {map[string]string{"alertname": "A", "namespace": "n"}, rules, `a|alertname="A"|namespace="n"`},
		"the second fits":                 {map[string]string{"alertname": "A"}, rules, `b|alertname="A"`},
		"none fits, so the last is taken": {map[string]string{"alertname": "A"}, rules[:1], `a|alertname="A"|namespace=""`},
	} {
		t.Run(name, func(t *testing.T) {
			g := alert.GroupOf(alert.Alert{Labels: tc.labels}, tc.rules)
			if g.Key != tc.key || len(g.Tag) != 16 {
				t.Errorf("key %s, tag %s; want key %s", g.Key, g.Tag, tc.key)
			}
		})
	}
}

func labels(t *rapid.T, name string) map[string]string {
	m := rapid.MapOf(rapid.StringMatching(`[a-c]{0,3}`), rapid.StringMatching(`[a-c="|,]{0,3}`)).Draw(t, name)
	m["alertname"] = "A"
	return m
}

func TestFingerprintsAreEqualExactlyWhenIdentitiesAre(t *testing.T) {
	id := alert.Identity{Mode: alert.ByLabels, Ignored: []string{"b"}}
	rapid.Check(t, func(t *rapid.T) {
		x, y := labels(t, "x"), labels(t, "y")
		fx, fy := id.Fingerprint(alert.Alert{Labels: x}), id.Fingerprint(alert.Alert{Labels: y})
		delete(x, "b")
		delete(y, "b")
		if cmp.Equal(x, y) != (fx == fy) {
			t.Fatalf("%v and %v: fingerprints %s and %s", x, y, fx, fy)
		}
	})
}

func TestPartsNeverRunIntoEachOther(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := rapid.SliceOf(rapid.StringMatching(`[ab]{0,2}`)).Draw(t, "a")
		b := rapid.SliceOf(rapid.StringMatching(`[ab]{0,2}`)).Draw(t, "b")
		same := fmt.Sprintf("%q", a) == fmt.Sprintf("%q", b)
		if same != (alert.Digest(a...) == alert.Digest(b...)) {
			t.Fatalf("%q and %q", a, b)
		}
	})
}

func TestIdentityByTargetIgnoresOtherLabels(t *testing.T) {
	id := alert.Identity{Mode: alert.ByTarget}
	at := func(extra string) string {
		return id.Fingerprint(alert.Alert{Labels: map[string]string{"alertname": "A", "pod": "p", "device": extra}})
	}
	if at("sda") != at("sdb") {
		t.Error("two devices of one pod are two incidents")
	}
	if got := at("sda"); len(got) != 64 || strings.ToLower(got) != got {
		t.Errorf("fingerprint %q", got)
	}
}

// TestTheFormOfAFingerprintIsPinned: an open incident is found by its fingerprint, so a
// change of the form needs a new version, and a plan for what is open.
func TestTheFormOfAFingerprintIsPinned(t *testing.T) {
	a := alert.Alert{Labels: map[string]string{"alertname": "CPUHigh", "namespace": "shop", "pod": "api-1", "severity": "critical"}}
	for name, tc := range map[string]struct {
		id                   alert.Identity
		version, fingerprint string
	}{
		"by labels": {alert.Identity{Mode: alert.ByLabels, Ignored: []string{"severity", "replica"}}, "v1-labels-fb77bca0", "e53eced7b7c53a06523a25aa94ae33feaabe8338a5bdc4c88f52b6c7061b6595"},
		"by target": {alert.Identity{Mode: alert.ByTarget}, "v1-target-e3b0c442", "0e402a7dea8c49f327cbefd2c29257c3abb51c3bf68fa7cb64da50d0909a9628"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := tc.id.Fingerprint(a); got != tc.fingerprint {
				t.Errorf("fingerprint %s", got)
			}
			if got := tc.id.Version(); got != tc.version {
				t.Errorf("version %s", got)
			}
		})
	}
	reordered := alert.Identity{Ignored: []string{"replica", "severity", "replica"}}
	if got := reordered.Version(); got != "v1-labels-fb77bca0" {
		t.Errorf("the same rule, written in another way, has version %s", got)
	}
}
