package judge

// toldOf is what is known of the deliveries of one identity to one object.
type toldOf struct {
	// acked and possible deliveries; firings that the acked ones hold; the most in one delivery.
	acked, possible, firings, size int
}

// renotified bounds the deliveries that brought no new firing. Which of two brings a firing
// is not known, only that each firing is brought once: where every delivery holds one firing,
// and all are acknowledged, that is exact.
func (t *tally) renotified() (least, most int) {
	told := map[string]*toldOf{}
	for d, a := range t.deliveries {
		x := told[d.identity]
		if x == nil {
			x = &toldOf{}
			told[d.identity] = x
		}
		if a.acked {
			x.acked++
			x.possible++
		}
		x.possible += a.maybe
		x.size = max(x.size, len(a.firings))
	}
	for e := range t.episodes {
		told[e.identity].firings++
	}
	for _, x := range told {
		least += x.acked - min(x.acked, x.firings)
		most += x.possible - max(1, (x.firings+x.size-1)/x.size)
	}
	return least, most
}
