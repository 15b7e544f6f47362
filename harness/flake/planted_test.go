package flake

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stormproof/stormproof/harness/report"
)

const plantedHead = `# What the gate says of planted flakes

<!-- written by a test: UPDATE_GOLDEN=1 go test -run Planted ./harness/flake -->

**Simulated.** A scenario is red by chance in 1 %, 5 % or 20 % of its runs; seeded coins stand for the runs, and everything after
them is what the gate does with real ones: they are recorded, read back and judged. Seed 1.

The last column is the chance that so many runs in a row are all green although the flake is there: that the gate lets it
through. Three runs catch a flake of 20 % in half of the cases, and one of 1 % hardly ever; 30 runs still let that one through three
times in four. So the gate says "at most", counts on over all runs of a tree, and says how many are missing.

| planted | runs | red | at most (95 %) | what the gate says | lets it through |
|---|---|---|---|---|---|
`

// simulate makes a history of runs that are red with chance rate.
func simulate(rate float64, runs int) []Run {
	coin := rand.New(rand.NewPCG(1, uint64(1000*rate)))
	subject := Subject{Tree: "planted", Code: "planted", Sources: map[string]string{"STO-01": "planted"}}
	var out []Run
	for i := range runs {
		one := report.Scenario{ID: "STO-01", Status: report.Passed}
		if coin.Float64() < rate {
			one.Status = report.Failed
		}
		out = append(out, Record(subject, report.Run{Seed: int64(i), Started: time.Unix(int64(i), 0), Scenarios: []report.Scenario{one}}))
	}
	return out
}

// TestPlantedFlakes keeps docs/flakes.md true.
func TestPlantedFlakes(t *testing.T) {
	var out strings.Builder
	out.WriteString(plantedHead)
	for _, rate := range []float64{0.01, 0.05, 0.20} {
		for _, n := range []int{3, 30, 300} {
			history := simulate(rate, n)
			series := SeriesOf(history)[0]
			runs, red := CountTree(history, "planted")
			if runs != n || red != series.Red || series.Runs != n {
				t.Fatalf("%v, %d runs: %d and %d counted, %d red and %d", rate, n, runs, series.Runs, red, series.Red)
			}
			if n == 300 && (series.Upper95 < rate || series.Upper95 > 4*rate) {
				t.Errorf("after 300 runs at most %.3f, planted %.2f", series.Upper95, rate)
			}
			verdict := "green"
			if red > 0 {
				verdict = "red at run " + fmt.Sprint(1+strings.IndexByte(series.Results, 'F'))
			}
			f := Of(runs, red, 3)
			fmt.Fprintf(&out, "| %.0f %% | %d | %d | %.1f %% | %s; for 5 %%: %d more green runs, for 1 %%: %d | %.1f %% |\n",
				100*rate, n, red, 100*f.UpperBound95, verdict, f.RunsFor5Pct, f.RunsFor1Pct, 100*(1-Power(rate, n)))
		}
	}
	path := filepath.Join("..", "..", "docs", "flakes.md")
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(path, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(path)
	if err != nil || string(b) != out.String() {
		t.Errorf("docs/flakes.md is not what the simulation gives (%v); UPDATE_GOLDEN=1 writes it", err)
	}
}
