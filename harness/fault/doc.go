// Package fault breaks the two things that a gateway stands on, Redis and the Kubernetes
// API, on purpose and by count, and says afterwards what it really broke.
//
// Start with NewRedisProxy or NewKubeProxy: each listens on loopback in front of the real
// server and passes everything through. Arm injects a fault as a Spec describes it, and
// returns a Handle. Kinds lists the faults of a target, Validate explains what is wrong
// with a Spec.
//
//	gateway --> RedisProxy --> Redis          latency cut hang reply-lost bandwidth
//	gateway --> KubeProxy  --> API server     latency status hang reset reply-lost slow-body watch-drop
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
// What this package refuses: random faults, faults on anything but loopback, and faults of
// the server itself (out of memory, read-only, restart), which belong to package redis.
//
// Proxies listen on a port that the kernel chose, in its range for clients. That is safe,
// because the listener is open from before the address is told until Close, through every
// fault: nobody can take a port that is never given back.
package fault
