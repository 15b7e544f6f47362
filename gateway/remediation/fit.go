package remediation

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/stormproof/stormproof/gateway/api/v1alpha1"
)

// An object of more than 1.5 MiB is refused by etcd, with a status that nothing tells from an
// ill server. So each part has a bound, in bytes of JSON, that keeps the whole below 1 MiB.
const (
	mostAnnotations = 512 << 10
	mostLabels      = 256 << 10
	// mostText bounds each of the other texts: alert name, severity, link, target, group key.
	mostText = 16 << 10
	// mostMemberLabels bounds one member of a page, pageBytes what a page takes before it is full.
	mostMemberLabels = 64 << 10
	pageBytes        = 768 << 10
	// mostNamed bounds how many cuts an object names, and how much of each name.
	mostNamed = 16
)

const ellipsis = "..."

// cuts lists what had to be cut, for the object's annotation.
type cuts []string

// note remembers a cut by its field.
func (c *cuts) note(field string, was int) {
	*c = append(*c, fmt.Sprintf("%s (%d bytes)", cut(field, 63), was))
}

// mark says on the object what it lacks.
func (c cuts) mark(rr *v1alpha1.RemediationRequest) {
	if len(c) == 0 {
		return
	}
	named := c[:min(len(c), mostNamed)]
	text := strings.Join(named, ", ")
	if more := len(c) - len(named); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	rr.Annotations[v1alpha1.AnnotationTruncated] = text
}

// text bounds one text.
func (c *cuts) text(field, value string) string {
	if encoded(value) <= mostText {
		return value
	}
	c.note(field, len(value))
	return cut(value, len(value)-(encoded(value)-mostText))
}

// fit cuts values, the longest first, until all weighs no more than most, and leaves out
// names only where that is not enough. Nothing is cut in any alert of a sane size.
func (c *cuts) fit(field string, m map[string]string, most int) map[string]string {
	total := 0
	for k, v := range m {
		total += weight(k, v)
	}
	if total <= most {
		return maps.Clone(m)
	}
	out := maps.Clone(m)
	// By length, and by name where that is equal: the same alert is always cut alike.
	for _, k := range slices.SortedFunc(maps.Keys(m), func(a, b string) int { return cmp.Or(len(m[b])-len(m[a]), strings.Compare(a, b)) }) {
		if total <= most || len(m[k]) <= len(ellipsis) {
			break
		}
		out[k] = cut(m[k], len(m[k])-(total-most))
		c.note(field+"."+k, len(m[k]))
		total += encoded(out[k]) - encoded(m[k])
	}
	for _, k := range slices.SortedFunc(maps.Keys(out), func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) }) {
		if total <= most {
			break
		}
		c.note(field+"."+k, len(k)+len(m[k]))
		total -= weight(k, out[k])
		delete(out, k)
	}
	return out
}

// cut shortens a text to at most n bytes with its dots, never inside of a character. It never
// yields more than the dots.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	n = max(0, n-len(ellipsis))
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + ellipsis
}

// encoded is a text's length in JSON, where some characters become six.
func encoded(s string) int {
	n := len(`""`)
	for _, r := range s {
		switch {
		case r < ' ', r == '<', r == '>', r == '&', r == '\u2028', r == '\u2029', r == utf8.RuneError:
			n += len(`\u0000`)
		case r == '"', r == '\\':
			n += 2
		default:
			n += utf8.RuneLen(r)
		}
	}
	return n
}

// weight is what one pair takes. The API server keeps each name a second time, to know who
// wrote it.
func weight(k, v string) int { return 2*encoded(k) + encoded(v) + 8 }

// full reports whether a page is. It looks at nothing but what stands there, so that
// all writers agree: a page that is not full can still grow, and changes when it does.
func full(members []v1alpha1.Member) bool { return room(members, make([]v1alpha1.Member, 1)) == 0 }

// room is how many of the new members a page takes until it is full.
func room(members, more []v1alpha1.Member) int {
	bytes := 0
	for i := range members {
		bytes += memberBytes(&members[i])
	}
	n := 0
	for n < len(more) && len(members)+n < v1alpha1.PageSize && bytes < pageBytes {
		bytes += memberBytes(&more[n])
		n++
	}
	return n
}

// memberBytes is what a member weighs, roughly: it must be the same for every writer.
func memberBytes(m *v1alpha1.Member) int {
	n := 256 + encoded(m.AlertName) + encoded(m.Target.Name) + encoded(m.Target.Namespace)
	for k, v := range m.Labels {
		n += encoded(k) + encoded(v) + 2
	}
	return n
}
