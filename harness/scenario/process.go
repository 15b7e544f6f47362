package scenario

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
