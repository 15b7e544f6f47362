package scenario

import "strings"

// proxied says that the scenario's Redis faults stand between the system and its Redis: a
// proxy in front of one address, which understands what is said.
func (n Needs) proxied() bool { return n.sharded() == "" && !n.TLS }

// sharded is the topology where it has more than one server, else "".
func (n Needs) sharded() string {
	if n.Topology == "standalone" {
		return ""
	}
	return n.Topology
}

func (l *linter) redisRules() {
	l.redisNeeds()
	for _, v := range l.steps {
		if v.Redis != nil {
			l.redis(v.path+".redis", v.Redis)
		}
	}
}

// redisNeeds checks that what is asked of Redis goes together.
func (l *linter) redisNeeds() {
	n := l.scenario.Needs
	for _, f := range []struct {
		field string
		set   bool
	}{{"topology", n.Topology != ""}, {"tls", n.TLS}, {"password", n.Password}, {"aof", n.AOF}} {
		if f.set && n.Redis != "own" {
			l.add("needs."+f.field, "the run's shared Redis is as the command line says", "add redis: own to needs")
		}
	}
	if n.AOF && (n.Topology != "" || n.TLS || n.Password) {
		l.add("needs.aof", "one server of the scenario's own can have it, without topology, tls and password", "leave one of them out")
	}
	if n.RedisDown && !n.proxied() {
		l.add("needs.redisDown", "no proxy stands before these servers that could refuse connections", "use a redis step with server: stop")
	}
}

// redis checks a step against the topology that the scenario has.
func (l *linter) redis(at string, c *RedisCommand) {
	n := l.scenario.Needs
	switch {
	case c.Server != "" && n.Redis != "own":
		l.add(at+".server", "stopping the server would reach other scenarios", "write needs: {redis: own}")
	case len(c.Command) > 0 && n.Redis != "own":
		l.add(at+".command", "commands may reach other scenarios' keys", "write needs: {redis: own}")
	case c.Node != "" && c.Server == "":
		l.add(at+".node", "it says which server, and nothing is done to it", "add server: stop, start or start-empty")
	case c.Node != "" && n.sharded() == "":
		l.add(at+".node", "one server has no nodes to choose from", "write needs: {redis: own, topology: sentinel}, or leave node out")
	case c.Node == "sentinel" && n.Topology != "sentinel":
		l.add(at+".node", "the topology "+n.Topology+" has no sentinels", "write master or replica, or needs: {redis: own, topology: sentinel}")
	case c.Failover && n.sharded() == "":
		l.add(at+".failover", "one server has nothing to fail over to", "write needs: {redis: own, topology: sentinel}")
	case c.Halfway != 0 && c.MoveSlotOf == "":
		l.add(at+".halfway", "no slot is moved", "add moveSlotOf")
	case c.MoveSlotOf != "" && n.Topology != "cluster":
		l.add(at+".moveSlotOf", "only a cluster has slots", "write needs: {redis: own, topology: cluster}")
	}
}

// What says in a few words what a redis step does.
func (c *RedisCommand) What() string {
	switch {
	case c.Server != "" && c.Node != "":
		return c.Server + " " + c.Node
	case c.Server != "":
		return c.Server
	case c.Failover:
		return "failover"
	case c.MoveSlotOf != "":
		return "move the slot of " + c.MoveSlotOf
	case c.Corrupt != "":
		return "corrupt " + c.Corrupt
	default:
		return strings.Join(c.Command, " ")
	}
}
