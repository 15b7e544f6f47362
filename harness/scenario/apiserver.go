package scenario

// What a step does to the scenario's own API server.
const (
	StopAPIServer  = "stop"
	StartAPIServer = "start"
	InstallCRDs    = "install"
	StoreAsNext    = "store-" + NextVersion
	// NextVersion is that of the gateway's kinds after StoreAsNext.
	NextVersion = "v1alpha2"
)

// ownAPIServer reports whether the scenario has an API server for itself.
func (s *Scenario) ownAPIServer() bool { return s.Needs.APIServer == "own" }

// apiServer checks that nothing is done to an API server that others use, and that nobody
// asks more of the scenario's own than it has.
func (l *linter) apiServer() {
	n := l.scenario.Needs
	if !l.scenario.ownAPIServer() {
		if n.NoCRDs {
			l.add("needs.noCRDs", "the run's API server knows the kinds, which others need", "add apiServer: own to needs")
		}
		for _, v := range l.steps {
			if v.APIServer != nil {
				l.add(v.path+".apiServer", "it would reach other scenarios", "write needs: {apiServer: own}")
			}
		}
		return
	}
	if n.Controllers {
		l.add("needs.controllers", "they run at the run's API server, and not at the scenario's own", "leave out controllers, or apiServer")
	}
	if n.Account {
		l.add("needs.account", "the scenario's own API server does not know it", "leave out account, or apiServer")
	}
	if n.System == Cluster {
		l.add("needs.system", "Pods run in the run's cluster, and the scenario's own API server has no node", "write needs: {system: binary}")
	}
}
