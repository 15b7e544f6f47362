package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/stormproof/stormproof/harness/history"
	"github.com/stormproof/stormproof/harness/judge"
)

// judged is what the verb says of one history; with --json, one line each.
type judged struct {
	Path     string                   `json:"path"`
	Scenario string                   `json:"scenario"`
	Outcome  judge.Outcome            `json:"outcome"`
	Promises map[string]judge.Finding `json:"promises"`
	// FirstCause is "" for a pass; Evidence are the numbers of the events that show it.
	FirstCause string  `json:"first_cause"`
	Evidence   []int64 `json:"evidence,omitempty"`
}

func newJudge() *cobra.Command {
	asJSON := false
	cmd := &cobra.Command{
		Use:   "judge DIR|FILE",
		Short: "Judge the histories of a saved run again, without the system",
		Long:  "Judge every history.jsonl below DIR, or one FILE, from what it recorded alone.\nExit: 0 all pass, 1 a promise is broken or the evidence is not there, 2 nothing readable is there.",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			files, err := histories(args[0])
			if err != nil {
				return usageError{fmt.Errorf("%w; name the folder of a run, for example reports/latest, or one %s", err, history.FileName)}
			}
			red := 0
			for _, f := range files {
				j := judgeFile(f)
				if j.Outcome != judge.Pass {
					red++
				}
				if err := j.print(cmd.OutOrStdout(), asJSON); err != nil {
					return err
				}
			}
			if !asJSON {
				fmt.Fprintf(cmd.OutOrStdout(), "%d passed, %d failed\n", len(files)-red, red)
			}
			if red > 0 {
				return quietError{exitFail}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON object a history, and nothing else")
	return cmd
}

// histories reads a folder, or one file whatever it is called.
func histories(path string) ([]history.File, error) {
	path, err := filepath.EvalSymlinks(path) // reports/latest is a link
	if err != nil {
		return nil, fmt.Errorf("finding the run: %w", err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("finding the run: %w", err)
	}
	if info.IsDir() {
		return history.ReadDir(path)
	}
	events, err := history.Read(path)
	return []history.File{{Path: path, Events: events}}, err
}

func judgeFile(f history.File) judged {
	v := judge.Judge(f.Events)
	_, cause := v.Cause()
	return judged{Path: f.Path, Scenario: f.Events[0].Begin.Scenario, Outcome: v.Outcome(), Promises: v.Promises,
		FirstCause: v.FirstCause(), Evidence: cause.Evidence}
}

// print writes a line with the promises in their order, and one with the cause.
func (j judged) print(out io.Writer, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(out).Encode(j)
	}
	var promises []string
	for _, p := range judge.Promises {
		mark := map[judge.Outcome]string{judge.Pass: "ok", judge.Fail: "FAIL", judge.Inconclusive: "?"}[j.Promises[p].Outcome]
		if mark != "" {
			promises = append(promises, p+" "+mark)
		}
	}
	fmt.Fprintf(out, "%-12s  %-8s  %s  %s\n", j.Outcome, j.Scenario, strings.Join(promises, "  "), j.Path)
	if j.FirstCause != "" {
		at := ""
		if len(j.Evidence) > 0 {
			at = fmt.Sprintf("  (event %d)", j.Evidence[0])
		}
		fmt.Fprintf(out, "              %s%s\n", j.FirstCause, at)
	}
	return nil
}
