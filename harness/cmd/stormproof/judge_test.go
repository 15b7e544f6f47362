package main

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
)

// recorded are small histories: STO-01 as it passed, the same with a wrong count in the
// last list, and the same of a process that was killed.
var recorded = filepath.Join("testdata", "judge")

func judgeVerb(t *testing.T, args ...string) (out string, code int) {
	t.Helper()
	cmd := newJudge()
	var b bytes.Buffer
	cmd.SetOut(&b)
	cmd.SetArgs(args)
	cmd.SilenceUsage, cmd.SilenceErrors = true, true
	err := cmd.ExecuteContext(t.Context())
	return b.String(), exitCode(t.Context(), err)
}

func TestJudgingSavedRunsAgain(t *testing.T) {
	file := filepath.Join("STO-01", "round-1", "history.jsonl")
	for name, c := range map[string]struct {
		path string
		code int
		want []string
	}{
		"a run that passed":      {filepath.Join(recorded, "good"), exitPass, []string{"STO-01", "P1 ok", "P7 ok", "1 passed, 0 failed"}},
		"one history alone":      {filepath.Join(recorded, "good", file), exitPass, []string{"1 passed, 0 failed"}},
		"a wrong count":          {filepath.Join(recorded, "bad"), exitFail, []string{"P5 FAIL", "P1 ok", "P5: deliveries of o1 are 9", "(event 12)", "0 passed, 1 failed"}},
		"a process killed":       {filepath.Join(recorded, "cut"), exitFail, []string{"inconclusive", "P1 ?", "the history ends before the scenario did"}},
		"all of them":            {recorded, exitFail, []string{"1 passed, 2 failed"}},
		"a folder without any":   {filepath.Join("..", "..", "judge"), exitUsage, nil},
		"a path that is not":     {"nowhere", exitUsage, nil},
		"a file of another sort": {"main.go", exitUsage, nil},
	} {
		t.Run(name, func(t *testing.T) {
			out, code := judgeVerb(t, c.path)
			if code != c.code {
				t.Errorf("exit %d, want %d:\n%s", code, c.code, out)
			}
			for _, want := range c.want {
				if !strings.Contains(out, want) {
					t.Errorf("it does not say %q:\n%s", want, out)
				}
			}
		})
	}
}

func TestJudgingPrintsJSONLines(t *testing.T) {
	out, code := judgeVerb(t, "--json", filepath.Join(recorded, "bad"))
	var j judged
	if err := json.Unmarshal([]byte(strings.SplitN(out, "\n", 2)[0]), &j); err != nil {
		t.Fatalf("%v:\n%s", err, out)
	}
	if code != exitFail || j.Scenario != "STO-01" || j.Outcome != "fail" || j.Promises["P5"].Outcome != "fail" || len(j.Evidence) != 1 || j.Evidence[0] != 12 {
		t.Errorf("exit %d, %+v", code, j)
	}
}
