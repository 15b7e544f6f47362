package scenario

import (
	"fmt"
	"regexp"
	"strconv"
)

var caseName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,18}[a-z0-9])?$`)

// row is a line of the table of cases.
type row struct {
	name   string
	values map[string]any
}

// rows reads cases; without any there is one row without a name. What is no list of
// mappings is left to the schema.
func (x *expander) rows(top, params map[string]any) []row {
	list, _ := top["cases"].([]any)
	at := x.root.at("cases")
	var out []row
	columns := map[string]string{}
	seen := map[string]bool{}
	for i, item := range list {
		here := at.at(strconv.Itoa(i))
		line, ok := item.(map[string]any)
		name, isText := line["name"].(string)
		given, named := line["name"]
		switch {
		case !ok:
			continue
		case named && !isText:
			x.refuse(here.at("name").problem(fmt.Sprintf("a case's name is a text, and %v is %s", given, kindOf(given)), fmt.Sprintf("write name: \"%v\"", given)))
			continue
		case !named:
			x.refuse(here.problem("a case without a name", fmt.Sprintf("add name: case%d, or a better one; it appears in the report", i+1)))
			continue
		case !caseName.MatchString(name):
			x.refuse(here.at("name").problem(fmt.Sprintf("%q cannot be a case's name", name), "use up to 20 small letters, digits and dashes: it becomes part of namespaces and folders"))
		case seen[name]:
			x.refuse(here.at("name").problem(fmt.Sprintf("two cases are called %q", name), "give each its own name"))
		}
		seen[name] = true
		x.checkParams(line, here)
		for column := range line {
			columns[column] = name
		}
		out = append(out, row{name, line})
	}
	x.missingColumns(out, columns, params, at)
	if len(out) == 0 {
		return []row{{}}
	}
	return out
}

// missingColumns demands of each row what another row has and params does not give.
func (x *expander) missingColumns(rows []row, columns map[string]string, params map[string]any, at place) {
	for i, r := range rows {
		for _, column := range sortedKeys(columns) {
			_, has := r.values[column]
			if _, fallback := params[column]; !has && !fallback {
				x.refuse(at.at(strconv.Itoa(i)).problem(fmt.Sprintf("case %s has no %s, and case %s has", r.name, column, columns[column]),
					fmt.Sprintf("add %s to it, or a default to params", column)))
			}
		}
	}
}

// oneForAll are the fields that a scenario has once, whatever its cases.
var oneForAll = []string{"id", "title", "category", "promises", "kills", "rounds"}

// checkSame refuses a column of cases in a field that all cases share.
func (x *expander) checkSame(vs []variant) {
	for _, v := range vs[1:] {
		a, b := vs[0].value.(map[string]any), v.value.(map[string]any)
		for _, field := range oneForAll {
			if fmt.Sprint(a[field]) != fmt.Sprint(b[field]) {
				x.refuse(x.root.at(field).problem("all cases are one scenario and share its "+field, "write it without the columns of cases"))
			}
		}
	}
}
