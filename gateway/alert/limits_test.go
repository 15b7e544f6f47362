package alert_test

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/stormproof/stormproof/gateway/alert"
)

// nested is n lists in each other.
func nested(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }

func TestDepthIsExactAndKnowsItsPlace(t *testing.T) {
	for name, tc := range map[string]struct {
		source       alert.Source
		body         string
		line, column int
	}{
		"as deep as allowed":                {alert.Alertmanager{}, `{"x":` + nested(7) + `,"alerts":[` + good + `]}`, 0, 0},
		"one deeper":                        {alert.Alertmanager{}, "{\n\"x\":" + nested(8) + `,"alerts":[` + good + `]}`, 2, 12},
		"objects count like lists":          {alert.Alertmanager{}, strings.Repeat(`{"a":`, 8) + `{}` + strings.Repeat("}", 8), 1, 41},
		"brackets in a text do not count":   {alert.Alertmanager{}, `{"x":"` + strings.Repeat(`[\"{\\`, 20) + `","alerts":[` + good + `]}`, 0, 0},
		"what is closed does not count":     {alert.Alertmanager{}, `{"x":[` + strings.Repeat("[],", 50) + `[]],"alerts":[` + good + `]}`, 0, 0},
		"ten thousand deep":                 {alert.Alertmanager{}, nested(10000), 1, 9},
		"ten thousand deep, and never ends": {alert.KubernetesEvent{}, strings.Repeat("[", 10000), 1, 9},
		"an event one too deep":             {alert.KubernetesEvent{}, `{"kind":"Event","x":` + nested(8) + `}`, 1, 28},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := tc.source.Parse([]byte(tc.body), limits())
			var deep *alert.DepthError
			switch {
			case tc.line == 0 && err != nil:
				t.Errorf("it was refused: %v", err)
			case tc.line != 0 && !errors.As(err, &deep):
				t.Errorf("error %v, want that it is too deep", err)
			case tc.line != 0 && (deep.Line != tc.line || deep.Column != tc.column || deep.Limit != 8):
				t.Errorf("%+v, want line %d, column %d, limit 8", deep, tc.line, tc.column)
			}
		})
	}
}

func TestBytesThatAreNotUTF8AreRefusedWithTheirPosition(t *testing.T) {
	for _, source := range alert.Sources() {
		_, err := source.Parse([]byte("{\n\"ü\":\"\xff\"}"), limits())
		var e *alert.SyntaxError
		if !errors.As(err, &e) || e.Line != 2 || e.Column != 6 {
			t.Errorf("%s: error %v, want line 2, column 6", source.Name(), err)
		}
	}
}

// TestTheLimitsOfAnAlertAreExact has one alert at each limit, and one beyond it.
func TestTheLimitsOfAnAlertAreExact(t *testing.T) {
	one := func(labels, annotations string) string {
		return fmt.Sprintf(`{"labels":{"alertname":"A"%s},"annotations":{%s},"startsAt":"2026-01-02T03:04:05Z"}`, labels, annotations)
	}
	x := strings.Repeat
	for name, tc := range map[string]struct{ alert, field string }{
		"four labels":                  {one(`,"a":"","b":"","c":""`, ""), ""},
		"five labels":                  {one(`,"a":"","b":"","c":"","d":""`, ""), "labels"},
		"four annotations":             {one("", `"a":"","b":"","c":"","d":""`), ""},
		"five annotations":             {one("", `"a":"","b":"","c":"","d":"","e":""`), "annotations"},
		"the same label five times":    {one(`,"a":"","a":"","a":"","a":"","a":""`, ""), ""},
		"64 bytes of labels":           {one(`,"a":"`+x("v", 64-11)+`"`, ""), ""},
		"65 bytes of labels":           {one(`,"a":"`+x("v", 65-11)+`"`, ""), "labels"},
		"bytes are not characters":     {one(`,"a":"`+x("ü", 27)+`"`, ""), "labels"},
		"a name of 16 bytes":           {one(`,"`+x("n", 16)+`":"v"`, ""), ""},
		"a name of 17 bytes":           {one(`,"`+x("n", 17)+`":"v"`, ""), "labels"},
		"an annotation of 16 bytes":    {one("", `"`+x("n", 16)+`":"v"`), ""},
		"an annotation of 17 bytes":    {one("", `"`+x("n", 17)+`":"v"`), "annotations"},
		"a long value of annotation":   {one("", `"a":"`+x("v", 1<<20)+`"`), ""},
		"a NUL is a character":         {one(`,"a":"\u0000"`, ""), ""},
		"an empty value is a value":    {one(`,"a":""`, ""), ""},
		"a number is no value":         {one(`,"a":7`, ""), "labels.a"},
		"an object is no value either": {one(`,"a":{}`, ""), "labels.a"},
	} {
		t.Run(name, func(t *testing.T) {
			b, err := alert.Alertmanager{}.Parse([]byte(`{"alerts":[`+tc.alert+`,`+good+`]}`), limits())
			if err != nil {
				t.Fatal(err)
			}
			if tc.field == "" && len(b.Alerts) == 2 {
				return
			}
			if len(b.Alerts) != 1 || len(b.Invalid) != 1 || b.Invalid[0].Index != 0 || b.Invalid[0].Field != tc.field {
				t.Errorf("taken %d, refused %+v; want %q", len(b.Alerts), b.Invalid, tc.field)
			}
		})
	}
}

func TestCommonLabelsCountTowardsAnAlertsLimits(t *testing.T) {
	body := `{"commonLabels":{"a":"","b":"","c":""},"alerts":[` + good + `,{"labels":{"alertname":"A","d":""},"startsAt":"2026-01-02T03:04:05Z"}]}`
	b, err := alert.Alertmanager{}.Parse([]byte(body), limits())
	if err != nil || len(b.Alerts) != 1 || len(b.Invalid) != 1 || b.Invalid[0].Field != "labels" {
		t.Errorf("%+v, %v; want the first taken and the second refused", b, err)
	}
}

func TestTheNumberOfAlertsIsExact(t *testing.T) {
	for _, tc := range []struct {
		source    alert.Source
		n         int
		body, bad string
	}{
		{alert.Alertmanager{}, 3, `{"alerts":[%s]}`, ""}, {alert.Alertmanager{}, 4, `{"alerts":[%s]}`, "alerts"},
		{alert.KubernetesEvent{}, 3, `[%s]`, ""}, {alert.KubernetesEvent{}, 4, `[%s]`, "items"},
		{alert.KubernetesEvent{}, 3, `{"kind":"List","items":[%s]}`, ""}, {alert.KubernetesEvent{}, 4, `{"kind":"List","items":[%s]}`, "items"},
	} {
		b, err := tc.source.Parse(fmt.Appendf(nil, tc.body, strings.TrimSuffix(strings.Repeat("{},", tc.n), ",")), limits())
		var field *alert.FieldError
		if tc.bad == "" && (err != nil || b.Len() != tc.n) || tc.bad != "" && (!errors.As(err, &field) || field.Field != tc.bad) {
			t.Errorf("%d in %s: %d read, error %v; want %q", tc.n, tc.body, b.Len(), err, tc.bad)
		}
	}
}

func TestEventsHaveTheSameLimits(t *testing.T) {
	event := func(name string) string {
		return `{"apiVersion":"v1","kind":"Event","type":"Warning","reason":"R","lastTimestamp":"2026-01-02T03:04:05Z","involvedObject":{"kind":"Pod","name":"` + name + `"}}`
	}
	// alertname=R, severity=warning, pod=NAME
	for n, want := range map[int]int{64 - 28: 0, 65 - 28: 1} {
		b, err := alert.KubernetesEvent{}.Parse([]byte("["+event(strings.Repeat("n", n))+"]"), limits())
		if err != nil || len(b.Invalid) != want || len(b.Alerts) != 1-want {
			t.Errorf("a name of %d bytes: %+v, %v", n, b, err)
		}
	}
}

// TestHostileBodiesTakeLittleMemory: what is allocated for a body that is refused stays within
// a few times its own size, whatever it asks for.
func TestHostileBodiesTakeLittleMemory(t *testing.T) {
	const size = 4 << 20
	many := func(element string) string { return strings.Repeat(element+",", size/(len(element)+1)) + element }
	defaults := alert.Limits{Depth: 32, Alerts: 10000, Labels: 128, LabelBytes: 64 << 10, NameBytes: 1 << 10}
	var labels strings.Builder
	for i := 0; labels.Len() < size; i++ {
		fmt.Fprintf(&labels, `"l%d":"",`, i)
	}
	for name, body := range map[string]string{
		"a million lists in each other": strings.Repeat("[", size),
		"a million empty alerts":        `{"alerts":[` + many("{}") + `]}`,
		"half a million labels":         `{"alerts":[{"labels":{` + labels.String() + `"alertname":"A"},"startsAt":"2026-01-02T03:04:05Z"}]}`,
		"half a million common labels":  `{"commonLabels":{` + labels.String() + `"alertname":"A"},"alerts":[` + good + `]}`,
		"half a million members":        `{` + labels.String() + `"alerts":[]}`,
		"a million empty events":        `[` + many("{}") + `]`,
		"a million empty items":         `{"items":[` + many("{}") + `],"kind":"List"}`,
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			for _, source := range alert.Sources() {
				text := []byte(body)
				runtime.ReadMemStats(&before)
				b, err := source.Parse(text, defaults)
				runtime.ReadMemStats(&after)
				if len(b.Alerts) != 0 {
					t.Errorf("%s took %d alerts, error %v", source.Name(), len(b.Alerts), err)
				}
				most := uint64(8)
				if name == "half a million members" {
					most = 24 // each is read, and forgotten at once
				}
				if used := after.TotalAlloc - before.TotalAlloc; used > most*size {
					t.Errorf("%s: reading %d MiB allocated %d MiB", source.Name(), size>>20, used>>20)
				}
			}
		})
	}
}
