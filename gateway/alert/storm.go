package alert

import (
	"strconv"
	"strings"
)

// Rule groups alerts into storms.
type Rule struct {
	Name string
	// By are the labels whose values make a group.
	By []string
}

// Group is the storm group of an alert.
type Group struct {
	// Rule is the index of the rule in the list.
	Rule int
	// Key is readable and unambiguous: the rule's name and quoted label values.
	Key string
	// Labels that all members share; those that the alert lacks are left out.
	Labels map[string]string
	// Tag is 16 hex digits of the key's SHA-256.
	Tag string
}

// GroupOf finds the alert's group: by the first rule all of whose labels it carries. An
// alert that fits no rule goes by the last one, with what it lacks as empty, because an
// alert outside of every group would be outside of every bound.
func GroupOf(a Alert, rules []Rule) Group {
	chosen := len(rules) - 1
	for i, r := range rules {
		if carries(a, r.By) {
			chosen = i
			break
		}
	}
	rule := rules[chosen]
	var key strings.Builder
	key.WriteString(plain(rule.Name))
	labels := make(map[string]string, len(rule.By))
	for _, name := range rule.By {
		value := a.Labels[name]
		key.WriteString("|" + plain(name) + "=" + strconv.Quote(value))
		if value != "" {
			labels[name] = value
		}
	}
	return Group{Rule: chosen, Key: key.String(), Labels: labels, Tag: Digest("group", key.String())[:16]}
}

// plain quotes a name that could be taken for more of the key than it is.
func plain(name string) string {
	if strings.ContainsAny(name, `|="`) {
		return strconv.Quote(name)
	}
	return name
}

func carries(a Alert, names []string) bool {
	for _, n := range names {
		if a.Labels[n] == "" {
			return false
		}
	}
	return true
}
