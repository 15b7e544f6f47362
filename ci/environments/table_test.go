package main

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stormproof/stormproof/harness/report"
	"github.com/stormproof/stormproof/harness/scenario"
)

func of(outcomes map[string]report.Status) column {
	var r report.Report
	var run report.Run
	for id, status := range outcomes {
		run.Scenarios = append(run.Scenarios, report.Scenario{ID: id, Status: status})
	}
	r.Runs = append(r.Runs, run)
	c := column{name: "somewhere"}
	c.fill(r)
	return c
}

func TestTableIsGreenOnlyWhereEveryCellPassed(t *testing.T) {
	ids := []string{"A-1", "A-2"}
	good := map[string]report.Status{"A-1": report.Passed, "A-2": report.Passed}
	for name, tc := range map[string]struct {
		ids   []string
		last  map[string]report.Status
		green bool
		shows string
	}{
		"all passed":             {ids, good, true, "2 of 2"},
		"one failed":             {ids, map[string]report.Status{"A-1": report.Passed, "A-2": report.Failed}, false, "1 of 2"},
		"one is inconclusive":    {ids, map[string]report.Status{"A-1": report.Passed, "A-2": report.Inconclusive}, false, "inconclusive"},
		"one did not run":        {ids, map[string]report.Status{"A-1": report.Passed}, false, "did not run"},
		"nothing is never green": {nil, good, false, "0 of 0"},
	} {
		t.Run(name, func(t *testing.T) {
			text, green := table(tc.ids, []column{of(good), of(tc.last)})
			if green != tc.green || !strings.Contains(text, tc.shows) {
				t.Errorf("green is %v:\n%s", green, text)
			}
		})
	}
}

func TestAPodCannotBeCrashedAtANamedStepAndThatIsNoFailure(t *testing.T) {
	t.Chdir("../..")
	ids := []string{"DED-01", "STO-19"}
	cannot, err := notAsPods(ids)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]bool{"STO-19": true}, cannot); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	c := of(map[string]report.Status{"DED-01": report.Passed})
	if _, green := table(ids, []column{c}); green {
		t.Error("green without STO-19, and nothing says that it cannot run")
	}
	c.cannot = cannot
	text, green := table(ids, []column{c})
	if !green || !strings.Contains(text, "not as a Pod") || !strings.Contains(text, "1 of 1") {
		t.Errorf("green is %v:\n%s", green, text)
	}
}

func TestListIsInTheCatalogueAndHasEveryCategory(t *testing.T) {
	t.Chdir("../..")
	raw, err := os.ReadFile(list)
	if err != nil {
		t.Fatal(err)
	}
	ids := parse(string(raw))
	if len(ids) < 25 {
		t.Errorf("%d scenarios, want 25", len(ids))
	}
	files, err := scenario.Files("scenarios")
	if err != nil {
		t.Fatal(err)
	}
	every, covered, known := map[string]bool{}, map[string]bool{}, map[string]string{}
	for _, file := range files {
		s, err := scenario.Load(file)
		if err != nil {
			t.Fatal(err)
		}
		every[s.Category], known[s.ID] = true, s.Category
	}
	for _, id := range ids {
		if known[id] == "" {
			t.Errorf("%s is not in the catalogue", id)
			continue
		}
		covered[known[id]] = true
	}
	if diff := cmp.Diff(every, covered); diff != "" {
		t.Errorf("categories (-catalogue +list):\n%s", diff)
	}
}

func TestFirstLineComesOnceAndWhole(t *testing.T) {
	f := &firstLine{found: make(chan string, 1)}
	for _, part := range []string{"export KUBE", "CONFIG=/k\nexport", " X=1\nmore\n"} {
		if n, err := f.Write([]byte(part)); n != len(part) || err != nil {
			t.Fatal(n, err)
		}
	}
	if got := <-f.found; got != "export KUBECONFIG=/k" {
		t.Errorf("got %q", got)
	}
}
