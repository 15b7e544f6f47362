package judge

// secret judges the part of P9 that a history shows: no planted secret was found, and
// somebody looked everywhere.
func secret(e *evidence, b *breach) {
	seq := e.events[0].Seq
	if len(e.begin.Secrets) == 0 {
		b.keep(NotJudged, seq, "no secret was planted", nil)
		return
	}
	scanned := false
	for _, ev := range e.events {
		if ev.Leak != nil {
			b.fail(ev.Seq, "secret %q stands in %s", ev.Leak.Secret, ev.Leak.Where)
		}
		if ev.Scan == nil {
			continue
		}
		scanned = scanned || ev.Scan.Places > 0 && ev.Scan.Bytes > 0
		for _, what := range ev.Scan.Missed {
			b.unclear(ev.Seq, "not searched for secrets: %s", what)
		}
	}
	if !scanned {
		b.unclear(seq, "%d secrets were planted and nothing was searched for them", len(e.begin.Secrets))
	}
}
