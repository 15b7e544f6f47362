// Package fault breaks the two things that a gateway stands on, Redis and the Kubernetes
// API, on purpose and by count, and says afterwards what it really broke.
//
// Start with a Site: it names what one scenario may break, and its Arm injects a fault as a
// Spec describes it and returns a Handle. Registry lists what there is, with what each kind
// reads; Validate explains what is wrong with a Spec.
//
//	gateway --> RedisProxy --> Redis          latency bandwidth cut hang reply-lost
//	                   server's own faults:   oom evict readonly loading noscript connections flush
//	gateway --> KubeProxy  --> API server     status latency hang reset cut reply-lost slow-body watch-drop
//	             server's own answers:        forbidden throttle
//
// A site demands health: a target's first fault is armed on a healthy target, and after its
// last one the target must be healthy again. Otherwise the error is an *UnhealthyError, and
// what the scenario saw says nothing of the system. A fault that cannot be injected here
// says why and what to change, as an *UnavailableError: faults that reconfigure a server
// are refused on one that others use.
//
// Every fault keeps a Receipt. What a fault could have hit is matched; what it did hit is
// applied. A scenario whose fault applied nothing has tested nothing, so callers treat
// that as inconclusive and never as a pass.
//
// Faults are deterministic by count, never by chance: the first After matches pass, the
// next Times are hit, the rest pass again. Times 0 means until removed. Removing a fault
// undoes it at once: what it holds back goes on, and what it can no longer save (bytes that
// a hang swallowed) ends with its connection. A receipt does not change after that.
//
// A Redis fault counts requests, where a request is a read of the client's bytes in which
// at least one command begins (a pipeline is one); cut and hang count connections, and
// bandwidth counts reads in either direction. A Kubernetes fault counts HTTP requests as
// they reach the proxy, so a client's own retries count too.
//
// The delays of Redis are Toxiproxy's toxics. The links that they run on are this package's
// own, because a scenario must be able to wait until the last goroutine of its proxy ended.
//
// The receipts of the server's own faults come from the server: its error statistics, its
// evicted keys, the 429s that carry our priority level's UID. They count what was hit, not
// what we believe to have done. Each replica has a door of its own in both proxies; a fault
// with a replica hits that door alone, which is how one replica is partitioned.
//
// What this package refuses: random faults, and faults on anything but loopback. Stopping,
// restarting and failing over a Redis server are steps of the language, not faults: they
// have no count, and what they leave behind is the point of them. Sinks and crash points
// have their own ways in: Door and ArmCrash.
//
// # How to add one
//
// Write one file with a function that returns its Kind: target and name (a constant in
// spec.go), one line of Doc, the fields that it Reads, a check of their values, and one of
//
//   - conn: what it does at a connection to Redis (see redislatency.go),
//   - call: what it does at a request to the API server (see kubestatus.go),
//   - site: what it does to a server, with its undo and the server's own count (see
//     redisoom.go, and OwnServer where it reconfigures).
//
// Then add one line to Registry. Lint, the JSON Schema and completion follow from there.
// Its test arms it, provokes it, compares the receipt, removes it, and shows that all is as
// it was; what needs a real server goes into servers_test.go (go test -tags servers).
//
// Proxies listen on a port that the kernel chose, in its range for clients. That is safe,
// because the listener is open from before the address is told until Close, through every
// fault: nobody can take a port that is never given back.
package fault
