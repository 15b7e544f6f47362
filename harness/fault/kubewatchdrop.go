package fault

// dropOpen breaks off the open watches that a fault is aimed at, oldest first. Clients see
// the stream end in the middle, as when an API server dies.
func dropOpen(a *armed, watches []*call) {
	for _, c := range watches {
		if a.aimsAt(c.info) && a.hit() {
			c.drop()
		}
	}
}
