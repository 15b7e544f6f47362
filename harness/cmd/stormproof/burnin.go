package main

import (
	"fmt"
	"slices"
	"time"

	"github.com/stormproof/stormproof/harness/flake"
	"github.com/stormproof/stormproof/harness/gate"
	"github.com/stormproof/stormproof/harness/report"
	"github.com/stormproof/stormproof/harness/scenario"
)

// burnInRuns is the number of the first run of a burn-in; the gate's own count from 1, and
// --until-confidence may ask for thousands.
const burnInRuns = 100_001

// mostNew is the share of the catalogue, in percent, above which a burn-in says nothing of
// single scenarios any more, and costs too much.
const mostNew = 30

// burnIn runs the scenarios that the kept history has never seen as they are now, each as often
// as flake.BurnIn says, and stops at the first red one.
func (g *gateRun) burnIn() (*gate.BurnIn, error) {
	s, ctx := g.session, g.cmd.Context()
	history, err := flake.Load(keptHistory)
	if err != nil {
		return nil, err
	}
	fresh := flake.Fresh(history, s.subject.Sources)
	out := &gate.BurnIn{Scenarios: len(fresh)}
	switch {
	case len(history) == 0:
		out.Off = "no run is on record here, so nothing is known to be new"
	case 100*len(fresh) > mostNew*len(s.list):
		out.Off = fmt.Sprintf("%d of %d scenarios are new", len(fresh), len(s.list))
	}
	if out.Off != "" {
		return out, nil
	}
	list := slices.DeleteFunc(slices.Clone(s.list), func(one *scenario.Scenario) bool { return !slices.Contains(fresh, one.ID) })
	s.count = burnInRuns - 1
	for round := 1; len(list) > 0 && ctx.Err() == nil; round++ {
		fmt.Fprintf(g.cmd.OutOrStdout(), "gate: burn-in %d of what is new\n", round)
		run, err := s.runOf(ctx, list, g.seed+int64(round), g.procs)
		if err != nil {
			return nil, err
		}
		took := map[string]time.Duration{}
		for _, one := range run.Scenarios {
			out.Executions++
			took[one.ID] = time.Duration(one.DurationS * float64(time.Second))
			if one.Status != report.Passed && out.First == "" {
				out.First = one.ID + ": " + one.Replay
			}
		}
		if out.First != "" {
			break
		}
		list = slices.DeleteFunc(list, func(one *scenario.Scenario) bool { return flake.BurnIn(took[one.ID]) <= round })
	}
	return out, ctx.Err()
}
