package scenario

import (
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/stormproof/stormproof/harness/scenario/expr"
)

// Rule is one thing that lint looks for.
type Rule struct {
	Name string
	// Doc says what must hold, and why where that is not plain.
	Doc   string
	check func(*linter)
}

// Rules in the order in which they are looked at. What the schema sees is not among them.
func Rules() []Rule { return slices.Clone(rules) }

var rules = []Rule{
	{"unique-id", "An id is used by one scenario only, over all files.", (*linter).uniqueID},
	{"file-name", "The file's name begins with the id, so that one leads to the other.", (*linter).fileName},
	{"schema-line", "The schema that the first line names for editors is there.", (*linter).schemaLine},
	{"system", "The gateway's scenarios have a category with its prefix, and promises. A system of one's own says where it comes from, once, and that is there.", (*linter).system},
	{"kills", "A seeded bug that is named exists.", (*linter).kills},
	{"unused-param", "Every parameter and every column of `cases` is used.", (*linter).unusedParams},
	{"step-ids", "Each send, storm and load has an id of its own: answers of two steps are never mixed.", (*linter).stepIDs},
	{"fault-ids", "Each fault and crash has an id of its own.", (*linter).faultIDs},
	{"fault-kind", "A fault's kind exists for its target, its settings fit, and what it needs is there.", (*linter).faultKinds},
	{"fault-traffic", "Something follows a fault that can meet it before it is healed: a fault without traffic tests nothing.", (*linter).faultTraffic},
	{"heal", "What is healed was armed before.", (*linter).heals},
	{"redis-needs", "What is asked of Redis goes together, and a step that reaches a whole server has its own.", (*linter).redisRules},
	{"api-server-needs", "What is done to a whole API server is done to the scenario's own, which has no controllers, no Pods and no account.", (*linter).apiServer},
	{"replica", "A replica that is named exists, and one that is killed is a program.", (*linter).replicas},
	{"credentials", "What a send shows is known by then, certificates have `needs: {https: true}`, and a file that is written anew was there.", (*linter).credentials},
	{"possible", "The system can do what a step demands of it.", (*linter).possible},
	{"send", "A way of sending goes with what is demanded of it.", (*linter).sends},
	{"load", "A load's profile and arrival make sense.", (*linter).loads},
	{"expression", "Expressions compile and yield true or false.", (*linter).expressions},
	{"variables", "`it` is known in `where`, and only there; sinks, objects and Redis nodes are known where the scenario has them.", (*linter).variables},
	{"answers-of", "`answers.X` names a step that sends, and that comes before.", (*linter).answersOf},
	{"faults-of", "`faults.X` names a fault that is armed before.", (*linter).faultsOf},
	{"cannot-fail", "No assertion is true whatever happens: `true`, `x == x`, `size() >= 0`, `all(r, true)`, and what folds to them.", (*linter).cannotFail},
	{"waits-for-nothing", "What `eventually` and `consistently` look at can change: the expression reads a variable.", (*linter).waitsForNothing},
	{"empty-demand", "`answers` and `verdicts` that are there say something.", (*linter).emptyDemands},
	{"no-check", "Something is checked.", (*linter).checked},
	{"no-time", "`within`, `for` and `advance` are longer than nothing.", (*linter).noTime},
	{"timeout", "`eventually`, `consistently` and `load` end before the scenario's timeout.", (*linter).longerThanTimeout},
	{"unreachable", "Every step can be reached: nothing before it must fail or outlast the timeout.", (*linter).unreachable},
}

// Lint checks what the schema cannot. mutants are the names of the known seeded bugs.
func Lint(list []*Scenario, mutants []string) Problems { return lintBy(rules, list, mutants) }

func lintBy(rules []Rule, list []*Scenario, mutants []string) Problems {
	var out Problems
	taken := map[string]string{}
	for _, s := range list {
		for _, v := range s.Variants() {
			l := &linter{scenario: v, all: s, mutants: mutants, taken: taken, compiled: map[string]*expr.Expression{}}
			l.collect("steps", v.Steps, nil)
			for _, r := range rules {
				r.check(l)
			}
			for _, p := range l.problems {
				// Every case would say it again.
				if !slices.ContainsFunc(out, p.same) {
					out = append(out, p)
				}
			}
		}
		taken[s.ID] = s.File
	}
	sort.SliceStable(out, func(i, j int) bool { return out[i].File < out[j].File })
	return out
}

// linter collects the problems of one variant of a scenario.
type linter struct {
	scenario *Scenario
	// all is the scenario with its cases.
	all     *Scenario
	mutants []string
	// taken maps ids to the files that have them.
	taken    map[string]string
	steps    []visited
	compiled map[string]*expr.Expression
	problems Problems
}

func (l *linter) add(field, message, suggestion string) {
	l.problems = append(l.problems, l.scenario.place(field).problem(message, suggestion))
}

// visited is a step with its path, in the order of the file.
type visited struct {
	*Step
	path string
	n    int
	// branches are the branches of concurrently that it is in, by the path of each.
	branches map[string]int
}

// collect lists steps and the steps inside of them.
func (l *linter) collect(path string, steps []Step, branches map[string]int) {
	for i := range steps {
		at := fmt.Sprintf("%s.%d", path, i)
		inner := map[string]int{}
		for k, v := range branches {
			inner[k] = v
		}
		if strings.HasSuffix(path, ".concurrently") {
			inner[path] = i
		}
		l.steps = append(l.steps, visited{&steps[i], at, len(l.steps), inner})
		l.collect(at+".concurrently", steps[i].Concurrently, inner)
		l.collect(at+".sequence", steps[i].Sequence, inner)
	}
}

// overlaps says that two steps run at the same time, in branches of one concurrently.
func (v visited) overlaps(other visited) bool {
	for group, branch := range v.branches {
		if b, both := other.branches[group]; both && b != branch {
			return true
		}
	}
	return false
}

// sees says that a step may meet what another one has done.
func (v visited) sees(other visited) bool { return other.n < v.n || v.overlaps(other) }

func contains(list []string, x string) bool { return slices.Contains(list, x) }

func sortedKeys[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}
