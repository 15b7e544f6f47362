package expr

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/stormproof/stormproof/harness/internal/diff"
)

const (
	// mostItems of a list are shown, one a line.
	mostItems = 5
	// mostBytes of a value are shown.
	mostBytes = 400
)

// String prints a value for a person: a list one item a line, Kubernetes objects without
// their bookkeeping, all of it shortened. The whole objects are among the evidence.
func (v Value) String() string {
	if v.Err != nil {
		return v.Name + ": error: " + v.Err.Error()
	}
	list, isList := v.Value.([]any)
	if !isList || len(list) == 0 {
		return v.Name + " = " + showOne(v.Value)
	}
	lines := []string{fmt.Sprintf("%s = %d items:", v.Name, len(list))}
	for i, item := range list {
		if i == mostItems {
			lines = append(lines, fmt.Sprintf("  and %d more", len(list)-mostItems))
			break
		}
		lines = append(lines, "  "+showOne(item))
	}
	return strings.Join(lines, "\n")
}

func showOne(v any) string {
	b, err := json.Marshal(withoutBookkeeping(v))
	if err != nil {
		return fmt.Sprint(v)
	}
	return diff.Cut(string(b), mostBytes)
}

// withoutBookkeeping keeps of an object's metadata what names it.
func withoutBookkeeping(v any) any {
	object, ok := v.(map[string]any)
	if !ok {
		return v
	}
	meta, ok := object["metadata"].(map[string]any)
	if !ok {
		return v
	}
	out := map[string]any{}
	for k, part := range object {
		if k != "apiVersion" && k != "kind" {
			out[k] = part
		}
	}
	short := map[string]any{}
	for _, k := range []string{"name", "namespace", "deletionTimestamp"} {
		if part, has := meta[k]; has {
			short[k] = part
		}
	}
	out["metadata"] = short
	return out
}
