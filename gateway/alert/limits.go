package alert

import "fmt"

// Limits bound what one payload may hold.
type Limits struct {
	// Depth of nested objects and lists.
	Depth int
	// Alerts in one payload.
	Alerts int
	// Labels of one alert, and annotations of one alert, after the merge.
	Labels int
	// LabelBytes is for names and values of one alert's labels together.
	LabelBytes int
	// NameBytes is for the name of a label or annotation.
	NameBytes int
}

// number refuses too many labels or annotations.
func (l Limits) number(field string, n int) *Invalid {
	if n <= l.Labels {
		return nil
	}
	return &Invalid{Field: field, Detail: fmt.Sprintf("holds more than %d entries (limits.labels)", l.Labels)}
}

// size refuses an alert whose labels or names are too long.
func (l Limits) size(a Alert) *Invalid {
	total := 0
	for name, value := range a.Labels {
		total += len(name) + len(value)
		if len(name) > l.NameBytes {
			return l.longName("labels")
		}
	}
	if total > l.LabelBytes {
		return &Invalid{Field: "labels", Detail: fmt.Sprintf("take %d bytes; at most %d are taken (limits.labelBytes)", total, l.LabelBytes)}
	}
	for name := range a.Annotations {
		if len(name) > l.NameBytes {
			return l.longName("annotations")
		}
	}
	return nil
}

func (l Limits) longName(field string) *Invalid {
	return &Invalid{Field: field, Detail: fmt.Sprintf("has a name of more than %d bytes (limits.nameBytes)", l.NameBytes)}
}
