package window

// callSeed is a Seed as the script reads it. Its lists are never null.
type callSeed struct {
	Openings []callOpening `json:"openings"`
	Storm    *callStorm    `json:"storm,omitempty"`
	Totals   []callTotals  `json:"totals"`
}

type callOpening struct {
	Fingerprint string `json:"fp"`
	At          int64  `json:"at"`
}

type callStorm struct {
	ID   string `json:"id"`
	UID  string `json:"uid"`
	Last int64  `json:"last"`
}

type callTotals struct {
	ID          string `json:"id"`
	Members     int64  `json:"members"`
	Occurrences int64  `json:"occ"`
	Deliveries  int64  `json:"del"`
	Renotified  int64  `json:"ren"`
	LastSeen    int64  `json:"last"`
	ResolvedAt  int64  `json:"res"`
	Newest      int64  `json:"new"`
}

func asSeed(s *Seed) *callSeed {
	if s == nil {
		return nil
	}
	out := &callSeed{Openings: []callOpening{}, Totals: []callTotals{}}
	for _, o := range s.Openings {
		out.Openings = append(out.Openings, callOpening{o.Fingerprint, millis(o.At)})
	}
	if s.Storm != nil {
		out.Storm = &callStorm{s.Storm.ID, s.Storm.UID, millis(s.Storm.Last)}
	}
	for _, t := range s.Totals {
		out.Totals = append(out.Totals, callTotals{t.ID, t.Members, t.Occurrences, t.Deliveries, t.Renotifications,
			millis(t.LastSeen), millis(t.ResolvedAt), millis(t.Newest)})
	}
	return out
}
