package scenario

import "fmt"

// Crash arms a crash point: the replica kills itself when it next reaches the named step of
// its own pipeline. It is a fault like any other: faults[id] holds its receipt, and one that
// was never reached makes the scenario inconclusive.
type Crash struct {
	ID      string `yaml:"id,omitempty" json:"id,omitempty" jsonschema_description:"Name for faults[id] in expressions. Default: the point's name."`
	At      string `yaml:"at" json:"at" jsonschema:"minLength=1" jsonschema_description:"Name of the crash point. The gateway has parsed, decided, object-created, page-written, durable, settled, answering."`
	Replica int    `yaml:"replica,omitempty" json:"replica,omitempty" jsonschema:"minimum=1,maximum=3" jsonschema_description:"Which replica. Default 1."`
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

// replicas checks that a replica that is named is there, and that one that dies can die alone.
func (l *linter) replicas() {
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
		if what := v.needsProgram(); what != "" && l.scenario.System == nil && l.scenario.Needs.System != "binary" {
			l.add(v.path+"."+field, what+" would end the harness itself where the gateway runs in its process", "write needs: {system: binary}")
		}
	}
}
