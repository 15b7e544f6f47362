package report

import (
	"regexp"
	"strings"
)

// rule replaces what varies between repeats of one cause. The order matters: the more
// particular shape first, else its digits would be taken for plain numbers.
type rule struct {
	pattern *regexp.Regexp
	with    string
}

var colour = regexp.MustCompile(`\x1b\[[0-9;]*[A-Za-z]`)

var rules = []rule{
	{regexp.MustCompile(`"(?:[^"\\]|\\.)*"|\B'[^'\s][^']*'` + "|`[^`]*`"), "<name>"},
	{regexp.MustCompile(`(?i)\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b`), "<uuid>"},
	{regexp.MustCompile(`\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)?\b`), "<time>"},
	{regexp.MustCompile(`\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b`), "<address>"},
	{regexp.MustCompile(`(?i)\b0x[0-9a-f]+\b`), "<hex>"},
	{regexp.MustCompile(`(?i)\b(?:[a-f]+[0-9]|[0-9]+[a-f])[0-9a-f]{6,}\b`), "<hex>"},
	{regexp.MustCompile(`\b\d+(?:\.\d+)?(?:ns|µs|us|ms|s|m|h)(?:\d+(?:\.\d+)?(?:ns|µs|us|ms|s|m))*\b`), "<duration>"},
	{regexp.MustCompile(`\b\d+(?:[.,]\d+)*\b`), "<n>"},
	{regexp.MustCompile(`\s+`), " "},
}

// Signature is a cause with its numbers, times, hashes, addresses and quoted names
// removed, so that two failures for one reason have one signature. It keeps promise names
// such as P2, which say what broke. The first line alone counts.
func Signature(cause string) string {
	cause, _, _ = strings.Cut(strings.TrimSpace(cause), "\n")
	cause = colour.ReplaceAllString(cause, "")
	for _, r := range rules {
		cause = r.pattern.ReplaceAllString(cause, r.with)
	}
	return strings.TrimSpace(cause)
}
