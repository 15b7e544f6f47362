package expr

import (
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

func TestAFalseExpressionExplainsWhichPartIsFalseAndWhatWasSeen(t *testing.T) {
	for name, tc := range map[string]struct{ source, want string }{
		"a comparison shows its operand":           {"rr.size() == 3", "false: rr.size() == 3\n  rr.size() = 2"},
		"only the false part of an and is shown":   {"ns == 'ns-1' && ready.status == 200", "false: ready.status == 200\n  ready.status = 503"},
		"both false parts of an and are shown":     {"ns == 'x' && ready.status == 200", "false: ns == \"x\"\n  ns = \"ns-1\"\nfalse: ready.status == 200\n  ready.status = 503"},
		"a call on a value shows the value":        {"ns.startsWith('a')", "false: ns.startsWith(\"a\")\n  ns = \"ns-1\""},
		"a macro over a list shows the list":       {"rr.all(x, x.spec.alertName == 'DiskFull')", "false: rr.all(x, x.spec.alertName == \"DiskFull\")\n  rr = [{\"spec\":{\"alertName\":\"DiskFull\"}},{\"spec\":{\"alertName\":\"CPUHigh\"}}]"},
		"a part that cannot be evaluated says why": {"rr[0].spec.nothing == 1", "rr[0].spec.nothing == 1\n  error: no such key: nothing"},
	} {
		t.Run(name, func(t *testing.T) {
			e, err := Compile(tc.source)
			if err != nil {
				t.Fatal(err)
			}
			if ok, err := e.Eval(seen()); ok {
				t.Fatalf("the expression is true, %v", err)
			}
			if diff := cmp.Diff(tc.want, e.Explain(seen())); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestATrueExpressionHasNothingToExplain(t *testing.T) {
	e, err := Compile("rr.size() == 2 && ns == 'ns-1'")
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := e.Eval(seen()); !ok || err != nil {
		t.Errorf("got %t, %v", ok, err)
	}
	if got := e.Explain(seen()); got != "" {
		t.Errorf("explained %q", got)
	}
}

func TestALongValueIsShortenedAndSaysSo(t *testing.T) {
	e, err := Compile("log == ''")
	if err != nil {
		t.Fatal(err)
	}
	got := e.Explain(map[string]any{"log": strings.Repeat("x", 5000)})
	if len(got) > 1700 || !strings.HasSuffix(got, "(5002 bytes in all)") {
		t.Errorf("%d bytes, ending in %q", len(got), got[max(0, len(got)-60):])
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
