package why

import (
	"fmt"
	"io"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Text writes the report for people.
func (r Report) Text(w io.Writer) error {
	out := &lines{w: w}
	out.add("fingerprint  %s", r.Fingerprint)
	for _, p := range r.Places {
		out.add("")
		p.text(out)
		switch {
		case p.Redis != nil:
			out.add("  redis      %s; last seen %s", counted(p.Redis.Occurrences, p.Redis.Deliveries, p.Redis.Renotifications), at(p.Redis.LastSeen))
		case r.RedisError == "":
			out.add("  redis      knows nothing of it: the next delivery asks Kubernetes")
		}
	}
	out.add("")
	if r.RedisError != "" {
		out.add("redis        cannot be asked: %s", r.RedisError)
	}
	object := r.Next.Object
	if object != "" {
		object = " of " + object
	}
	out.add("next         %s%s: %s", r.Next.Verdict, object, r.Next.Because)
	return out.err
}

func (p Place) text(out *lines) {
	state := "over"
	if p.Open {
		state = "open"
	}
	phase := string(p.Status.Phase)
	if phase == "" {
		phase = "without a phase yet"
	}
	if p.Joined != nil {
		out.add("%s/%s  a member of this storm", p.Namespace, p.Name)
	} else {
		out.add("%s/%s  incarnation %d", p.Namespace, p.Name, p.Incarnation)
	}
	out.add("  incident   %s, %s", state, phase)
	s := p.Status
	of := ""
	if s.Members > 0 {
		of = fmt.Sprintf(" over %d members", s.Members)
	}
	out.add("  counted    %s%s", counted(s.Occurrences, s.Deliveries, s.Renotifications), of)
	out.add("  opened     %s", at(p.OpenedAt))
	if p.Joined != nil {
		out.add("  joined     with the firing of %s", at(*p.Joined))
	}
	out.add("  last seen  %s", micro(s.LastSeen))
	out.add("  resolved   %s", micro(s.ResolvedAt))
}

func counted(occurrences, deliveries, renotifications int64) string {
	return fmt.Sprintf("occurrences %d, deliveries %d, renotifications %d", occurrences, deliveries, renotifications)
}

func micro(t *metav1.MicroTime) string {
	if t == nil {
		return "never"
	}
	return at(t.Time)
}

func at(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.UTC().Format(time.RFC3339)
}

// lines keeps the first error of writing.
type lines struct {
	w   io.Writer
	err error
}

func (l *lines) add(format string, args ...any) {
	if l.err == nil {
		_, l.err = fmt.Fprintf(l.w, format+"\n", args...)
	}
}
