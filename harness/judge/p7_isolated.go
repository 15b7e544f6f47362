package judge

import (
	"slices"
	"strings"
)

// isolated judges P7: nothing is left behind, and nothing was touched that belongs to
// another scenario.
func isolated(e *evidence, b *breach) {
	for _, ev := range e.events {
		switch {
		case ev.Residue != nil:
			b.fail(ev.Seq, "left behind: %s %s", ev.Residue.Kind, firstLine(ev.Residue.What))
		case ev.Object != nil && !slices.Contains(e.begin.Namespaces, ev.Object.Namespace):
			b.fail(ev.Seq, "object %s/%s lies outside of the scenario's namespaces", ev.Object.Namespace, ev.Object.Name)
		case ev.Page != nil && !slices.Contains(e.begin.Namespaces, ev.Page.Namespace):
			b.fail(ev.Seq, "page %s/%s lies outside of the scenario's namespaces", ev.Page.Namespace, ev.Page.Name)
		case ev.Key != nil && !strings.HasPrefix(ev.Key.Name, e.begin.RedisPrefix):
			b.fail(ev.Seq, "Redis key %s lies outside of the scenario's prefix", ev.Key.Name)
		}
	}
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}
