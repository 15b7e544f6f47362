package scenario

import "fmt"

// Crash arms a crash point: the replica kills itself when it next reaches the named step of
// its own pipeline. It is a fault like any other: faults[id] holds its receipt, and one that
// was never reached makes the scenario inconclusive.
type Crash struct {
	ID      string `yaml:"id,omitempty" json:"id,omitempty" jsonschema_description:"Name for faults[id] in expressions. Default: the point's name."`
	At      string `yaml:"at" json:"at" jsonschema:"minLength=1" jsonschema_description:"Name of the crash point. The gateway has parsed, decided, object-created, page-written, durable, settled, answering."`
	Panics  bool   `yaml:"panics,omitempty" json:"panics,omitempty" jsonschema_description:"Panic there instead, in whatever goroutine reaches it first; the process must live on."`
	Replica int    `yaml:"replica,omitempty" json:"replica,omitempty" jsonschema:"minimum=1,maximum=3" jsonschema_description:"Which replica. Default 1."`
}

// Point is what is armed: a crash point, or the panic at one.
func (c *Crash) Point() string {
	if c.Panics {
		return c.At + ".panic"
	}
	return c.At
}

// Name of the crash among the faults.
func (c *Crash) Name() string {
	if c.ID != "" {
		return c.ID
	}
	return c.At
}

// Replica picks one instance of the system.
type Replica struct {
	Replica int `yaml:"replica,omitempty" json:"replica,omitempty" jsonschema:"minimum=1,maximum=3" jsonschema_description:"Which replica. Default 1."`
}

// Ways to run the gateway: inside of the harness's process, as a program of its own, as
// Pods of a Kind cluster.
const (
	Process = "process"
	Binary  = "binary"
	Cluster = "cluster"
)

// RunAs has the gateway run another way than the file says, where the scenario can do
// without what the file says: one that crashes it at a named step needs a program of its
// own, one that needs the cluster gets it, and a service that is not the gateway runs as it
// is described.
func (s *Scenario) RunAs(way string) {
	for _, v := range s.Variants() {
		if v.System == nil && v.Needs.System != Cluster && (way != Cluster || !v.ownAPIServer()) && (way != Cluster || !v.crashes()) && (way == Process || !v.inProcess()) {
			v.Needs.System = way
		}
	}
}

// crashes reports whether a step arms a crash point.
func (s *Scenario) crashes() bool {
	found := false
	Walk(s.Steps, func(step *Step) { found = found || step.Crash != nil })
	return found
}

// inProcess reports whether the gateway must run inside of the harness.
func (s *Scenario) inProcess() bool {
	found := s.Needs.Skew != 0 || s.Needs.Clock == FrozenClock
	Walk(s.Steps, func(step *Step) { found = found || step.Reload != nil })
	return found
}

// needsProgram says that the system must be a process of its own, "" when it need not.
func (s *Step) needsProgram() string {
	switch {
	case s.Crash != nil:
		return "crash"
	case s.Kill != nil:
		return "kill"
	default:
		return ""
	}
}

// clocks checks that clocks can be set apart, or stopped.
func (l *linter) clocks() {
	n := l.scenario.Needs
	own := l.scenario.System != nil || n.System == Binary || n.System == Cluster
	if n.Clock == FrozenClock && own {
		l.add("needs.clock", "only the gateway inside of the harness has a clock that can be stopped", "write needs: {system: process}")
	}
	switch {
	case n.Skew == 0:
	case n.Skew < 0:
		l.add("needs.skew", "is negative", "write how far each replica is ahead of the one before")
	case n.Replicas < 2:
		l.add("needs.skew", "one replica has nobody to differ from", "write needs: {replicas: 2}")
	case own:
		l.add("needs.skew", "only the gateway inside of the harness can be given a wall clock of its own", "write needs: {system: process}")
	}
}

// replicas checks that a replica that is named is there, and that one that dies can die alone.
func (l *linter) replicas() {
	l.clocks()
	for _, v := range l.steps {
		var n int
		var field string
		switch {
		case v.Crash != nil:
			n, field = v.Crash.Replica, "crash"
		case v.Kill != nil:
			n, field = v.Kill.Replica, "kill"
		case v.Terminate != nil:
			n, field = v.Terminate.Replica, "terminate"
		case v.Restart != nil:
			n, field = v.Restart.Replica, "restart"
		case v.Reload != nil:
			n, field = v.Reload.Replica, "reload"
		case v.Send != nil:
			n, field = v.Send.Replica, "send"
		case v.Load != nil:
			n, field = v.Load.Replica, "load"
		case v.Fault != nil:
			n, field = v.Fault.Replica, "fault"
		}
		if have := max(1, l.scenario.Needs.Replicas); n > have {
			l.add(v.path+"."+field+".replica", fmt.Sprintf("there is no replica %d, only %d", n, have), fmt.Sprintf("write needs: {replicas: %d}", n))
		}
		l.dies(v.path+"."+field, v.needsProgram())
		l.inVain(v.path+".restart.addressOf", v.Restart)
		if way := l.scenario.Needs.System; v.Reload != nil && (l.scenario.System != nil || way == Binary || way == Cluster) {
			l.add(v.path+".reload", "only the gateway inside of the harness can be given another configuration while it runs", "use restart: {gateway: ...}, or write needs: {system: process}")
		}
	}
}

// inVain checks that a replica that is to find its address taken can fail alone.
func (l *linter) inVain(at string, s *Restart) {
	switch have := max(1, l.scenario.Needs.Replicas); {
	case s == nil || s.AddressOf == 0:
	case l.scenario.System == nil && l.scenario.Needs.System != Binary:
		l.add(at, "only a program of its own can fail to start", "write needs: {system: binary}")
	case s.Replica == 0 || s.Replica == s.AddressOf || s.AddressOf > have:
		l.add(at, "it must name another replica that is there", "write for example needs: {replicas: 2}, and restart: {replica: 2, addressOf: 1}")
	}
}

// dies checks that a gateway that is to die by a crash or a kill can die alone.
func (l *linter) dies(at, what string) {
	switch way := l.scenario.Needs.System; {
	case what == "" || l.scenario.System != nil || way == Binary || way == Cluster && what == "kill":
	case way == Cluster:
		l.add(at, "a crash point is armed by a file beside the program, and there is none beside a Pod", "write needs: {system: binary}, or kill instead of crash")
	case what == "kill":
		l.add(at, "kill would end the harness itself where the gateway runs in its process", "write needs: {system: binary}, or {system: cluster}")
	default:
		l.add(at, what+" would end the harness itself where the gateway runs in its process", "write needs: {system: binary}")
	}
}
