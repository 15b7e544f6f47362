package judge

import "slices"

// visible judges P1: every acknowledged alert is visible exactly once, and nothing is
// visible that nobody sent.
func visible(e *evidence) Finding {
	for _, check := range []func(*evidence) Finding{verdictsComplete, fingerprintsTrue, ackedVisible, noneVanished, onceOnly, nothingInvented} {
		if f := check(e); f.Outcome != Pass {
			return f
		}
	}
	if o, missing := e.unlisted(); missing && slices.ContainsFunc(e.entries, (*entry).acked) {
		return noList(o)
	}
	return pass()
}

// noneVanished: an object goes only when a user deletes it.
func noneVanished(e *evidence) Finding {
	removed := map[string]bool{}
	for _, ev := range e.events {
		if ev.Action != nil && ev.Action.Kind == "delete" {
			removed[ev.Action.Namespace+"/"+ev.Action.Name] = true
		}
	}
	for _, o := range e.objects {
		if o.Managed && o.gone != 0 && o.final == nil && !removed[o.Namespace+"/"+o.Name] {
			return fail(o.gone, "%s %s/%s vanished and no user deleted it", kindOf(o.Storm), o.Namespace, o.Name)
		}
	}
	return pass()
}

// verdictsComplete: each alert of an acknowledged request has exactly one verdict, and a
// malformed one is called invalid.
func verdictsComplete(e *evidence) Finding {
	for _, r := range e.requests {
		if r.answer == nil || !r.answer.Acked() || r.Opaque || len(r.Alerts) == 0 {
			continue
		}
		count := map[int]int{}
		for _, v := range r.answer.Verdicts {
			count[v.Index]++
		}
		for _, a := range r.Alerts {
			if count[a.Index] != 1 {
				return fail(r.end.Seq, "alert %d of request %s has %d verdicts in a %d answer, must be one", a.Index, r.ID, count[a.Index], r.answer.Status)
			}
		}
		if len(r.answer.Verdicts) != len(r.Alerts) {
			return fail(r.end.Seq, "request %s had %d alerts and its answer has %d verdicts", r.ID, len(r.Alerts), len(r.answer.Verdicts))
		}
	}
	for _, x := range e.entries {
		if x.Malformed && x.acked() {
			return fail(x.request.end.Seq, "%s is malformed and was taken as %s", x.short(), x.verdict.Verdict)
		}
	}
	return pass()
}

// fingerprintsTrue: the gateway's fingerprints and our identities are one to one.
func fingerprintsTrue(e *evidence) Finding {
	byIdentity, byPrint := map[string]string{}, map[string]string{}
	bind := func(seq int64, identity, print string) Finding {
		if print == "" {
			return pass()
		}
		if old, ok := byIdentity[identity]; ok && old != print {
			return fail(seq, "one identity has two fingerprints, %.12s and %.12s: %s", old, print, identity)
		}
		if old, ok := byPrint[print]; ok && old != identity {
			return fail(seq, "two identities share fingerprint %.12s: %s and %s", print, old, identity)
		}
		byIdentity[identity], byPrint[print] = print, identity
		return pass()
	}
	for _, x := range e.entries {
		if x.verdict != nil && x.acked() {
			if f := bind(x.request.end.Seq, x.identity, x.verdict.Fingerprint); f.Outcome != Pass {
				return f
			}
		}
	}
	for _, o := range e.objects {
		if o.Managed && !o.Storm {
			if f := bind(o.first.Seq, o.identity, o.Fingerprint); f.Outcome != Pass {
				return f
			}
		}
	}
	for _, p := range e.pages {
		for _, m := range p.Page.Members {
			if f := bind(p.Seq, e.identity(m.Labels), m.Fingerprint); f.Outcome != Pass {
				return f
			}
		}
	}
	return pass()
}

// ackedVisible: an acknowledged firing has an object of its identity or a place in a storm,
// and the object that its verdict names existed.
func ackedVisible(e *evidence) Finding {
	seen := map[string]bool{}
	for _, o := range e.objects {
		if o.Managed && !o.Storm {
			seen[o.identity] = true
		}
	}
	for _, p := range e.pages {
		for _, m := range p.Page.Members {
			seen[e.identity(m.Labels)] = true
		}
	}
	for _, x := range e.entries {
		if !x.firing() || !x.acked() {
			continue
		}
		if !seen[x.identity] {
			return fail(x.request.end.Seq, "%s was acknowledged as %s and is nowhere to be seen", x.short(), x.verdict.Verdict)
		}
		meant := e.named(x.verdict.Namespace, x.verdict.Name)
		for _, o := range meant {
			if !o.Storm && o.identity != x.identity {
				return fail(x.request.end.Seq, "%s was acknowledged as %s of %s, which is another incident: %s", x.short(), x.verdict.Verdict, o.Name, o.identity)
			}
		}
		if len(meant) == 0 {
			return fail(x.request.end.Seq, "%s was acknowledged as %s of %s/%s, which never existed", x.short(), x.verdict.Verdict, x.verdict.Namespace, x.verdict.Name)
		}
	}
	return pass()
}

// onceOnly: nothing stands twice: not two places in one storm, and not an open object of
// its own beside a place in a storm.
func onceOnly(e *evidence) Finding {
	members := map[string]int64{}
	places := map[string]bool{}
	for _, p := range e.pages {
		for _, m := range p.Page.Members {
			identity := e.identity(m.Labels)
			place := p.Page.Namespace + "/" + p.Page.Storm + ": " + identity
			if places[place] {
				return fail(p.Seq, "twice a member of one storm: %s", place)
			}
			places[place] = true
			members[identity] = p.Seq
		}
	}
	for _, o := range e.objects {
		if seq, member := members[o.identity]; member && e.begin.HoldWhileActive && o.Managed && !o.Storm && o.final != nil && o.over == 0 {
			return fail(seq, "%s has an open object of its own (%s) and is also a member of a storm", o.identity, o.Name)
		}
	}
	return pass()
}

// nothingInvented: every object and member stands for a firing alert that was sent.
func nothingInvented(e *evidence) Finding {
	sent := map[string]bool{}
	if e.opaque() {
		return pass()
	}
	for _, x := range e.entries {
		if x.firing() {
			sent[x.identity] = true
		}
	}
	for _, o := range e.objects {
		if o.Managed && !sent[o.identity] {
			return fail(o.first.Seq, "%s %s stands for no firing alert that was sent", kindOf(o.Storm), o.Name)
		}
	}
	for _, p := range e.pages {
		for _, m := range p.Page.Members {
			if !sent[e.identity(m.Labels)] {
				return fail(p.Seq, "member %.12s of storm %s stands for no firing alert that was sent", m.Fingerprint, p.Page.Storm)
			}
		}
	}
	return pass()
}

func kindOf(storm bool) string {
	if storm {
		return "storm object"
	}
	return "object"
}
