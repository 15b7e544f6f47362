// Package reconcile keeps what Redis remembers true to the cluster, behind the back of the
// requests, which never wait for it:
//
//	an object is deleted     its window is freed, guarded by its UID: the next alert opens a new incident
//	a count lags             a replica that died had counted more than it wrote: status is raised
//
// A terminal phase frees nothing: an incident is over when its window has passed as well,
// and then the next alert looks at the phase live.
//
// One replica does this at a time, by a Lease; that two do it for a moment changes nothing.
// Nothing here may fail for good: an API server or a Redis that is down is tried again.
package reconcile
