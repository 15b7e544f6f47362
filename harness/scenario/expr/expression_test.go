package expr

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// seen is a small world as an expression sees it.
func seen() map[string]any {
	return map[string]any{
		"rr":    []any{map[string]any{"spec": map[string]any{"alertName": "DiskFull"}}, map[string]any{"spec": map[string]any{"alertName": "CPUHigh"}}},
		"ready": map[string]any{"status": int64(503)},
		"ns":    "ns-1",
	}
}

func TestAFalseExpressionShowsBothSides(t *testing.T) {
	second := seen()["rr"].([]any)[1]
	for name, tc := range map[string]struct {
		source string
		want   Sides
	}{
		"a size shows what was counted": {"rr.size() == 3", Sides{Part: "rr.size() == 3", Expected: int64(3), Seen: int64(2), Compared: true,
			Values: []Value{{Name: "rr.size()", Value: int64(2)}, {Name: "rr", Value: seen()["rr"]}}}},
		"the first false part of an and": {"ns == 'ns-1' && ready.status == 200 && false", Sides{Part: "ready.status == 200", Expected: int64(200), Seen: int64(503), Compared: true,
			Values: []Value{{Name: "ready.status", Value: int64(503)}}}},
		"the constant side is what was expected": {"200 == ready.status", Sides{Part: "200 == ready.status", Expected: int64(200), Seen: int64(503), Compared: true,
			Values: []Value{{Name: "ready.status", Value: int64(503)}}}},
		"a bound, seen from the other side": {"200 >= ready.status", Sides{Part: "200 >= ready.status", Expected: "at most 200", Seen: int64(503), Compared: true,
			Values: []Value{{Name: "ready.status", Value: int64(503)}}}},
		"structures are compared whole": {"ready == {'status': 200}", Sides{Part: `ready == {"status": 200}`, Expected: map[string]any{"status": int64(200)}, Seen: map[string]any{"status": int64(503)}, Compared: true,
			Values: []Value{{Name: "ready", Value: map[string]any{"status": int64(503)}}}}},
		"a call shows the value": {"ns.startsWith('a')", Sides{Part: `ns.startsWith("a")`, Values: []Value{{Name: "ns", Value: "ns-1"}}}},
		"an all shows the nearest miss": {"rr.all(x, x.spec.alertName == 'DiskFull')", Sides{Part: `rr.all(x, x.spec.alertName == "DiskFull")`,
			Values: []Value{{Name: "first x of rr for which it is false", Value: second}}}},
	} {
		t.Run(name, func(t *testing.T) {
			e, err := Compile(tc.source)
			if err != nil {
				t.Fatal(err)
			}
			if ok, err := e.Eval(seen()); ok {
				t.Fatalf("the expression is true, %v", err)
			}
			if diff := cmp.Diff(tc.want, e.Sides(seen())); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestValuesArePrintedForAPerson(t *testing.T) {
	object := map[string]any{"kind": "RemediationRequest", "metadata": map[string]any{"name": "rr-1", "uid": "u", "managedFields": []any{1}}, "spec": map[string]any{"a": 1}}
	for name, c := range map[string]struct {
		value Value
		want  string
	}{
		"a number":         {Value{Name: "n", Value: 3}, "n = 3"},
		"an empty list":    {Value{Name: "rr", Value: []any{}}, "rr = []"},
		"an error":         {Value{Name: "rr[0]", Err: errors.New("no such key")}, "rr[0]: error: no such key"},
		"a list":           {Value{Name: "rr", Value: []any{object, "x"}}, "rr = 2 items:\n  {\"metadata\":{\"name\":\"rr-1\"},\"spec\":{\"a\":1}}\n  \"x\""},
		"a long list ends": {Value{Name: "n", Value: []any{1, 2, 3, 4, 5, 6, 7}}, "n = 7 items:\n  1\n  2\n  3\n  4\n  5\n  and 2 more"},
		"a long text":      {Value{Name: "log", Value: strings.Repeat("x", 5000)}, "log = \"" + strings.Repeat("x", 399) + " …(4602 bytes more)"},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, c.value.String()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAnExpressionOfAnUnknownTypeThatIsNoTruthValueIsAnError(t *testing.T) {
	e, err := Compile("ready.status")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Eval(seen()); err == nil || !strings.Contains(err.Error(), "not true or false") {
		t.Errorf("got %v", err)
	}
}
