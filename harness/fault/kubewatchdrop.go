package fault

import "net/http"

// dropOpen breaks off the open watches that a fault is aimed at, oldest first. Clients see
// the stream end in the middle, as when an API server dies.
func dropOpen(a *armed, watches []*call) {
	for _, c := range watches {
		if a.aimsAt(c.info) && a.hit() {
			c.drop()
		}
	}
}

func kubeWatchDropKind() Kind {
	return Kind{Target: Kubernetes, Name: WatchDrop, Reads: ofRequest,
		Doc: "breaks off watches: those that are open, and new ones when their answer begins",
		check: func(s Spec) *SpecError {
			if s.Match.Verb != "" && s.Match.Verb != "watch" {
				return &SpecError{"match.verb", "a watch-drop fault never meets " + s.Match.Verb, "remove it, or write watch"}
			}
			return nil
		},
		call: func(c *call, _ *armed, w http.ResponseWriter, r *http.Request, next http.HandlerFunc) {
			c.dropEarly = true
			next(w, r)
		}}
}
