package report

// Merge makes one report of several, each with its own runs: the gate's runs are separate
// processes with separate files. Title, start and environment are the first one's, but
// what speaks against the whole (a missing race detector, restarts of the control plane, a
// dirty tree) is kept from any of them.
func Merge(parts ...Report) Report {
	var out Report
	for i, p := range parts {
		if i == 0 {
			out = p
			out.Runs = nil
			out.Totals = Totals{}
			out.Gate, out.Flake = nil, nil
		} else {
			out.Environment.Race = out.Environment.Race && p.Environment.Race
			out.Environment.Dirty = out.Environment.Dirty || p.Environment.Dirty
			out.Environment.StartRetries += p.Environment.StartRetries
			out.Environment.StartedMS = max(out.Environment.StartedMS, p.Environment.StartedMS)
		}
		out.Runs = append(out.Runs, p.Runs...)
		out.Totals.Expected += p.Totals.Expected
		out.Totals.Scenarios += p.Totals.Scenarios
		out.Totals.Passed += p.Totals.Passed
		out.Totals.Failed += p.Totals.Failed
		out.Totals.Skipped += p.Totals.Skipped
	}
	return out
}
