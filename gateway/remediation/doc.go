// Package remediation writes RemediationRequests exactly once, and keeps their counters.
//
// Kubernetes is the truth: an object's name follows from the fingerprint and the
// incarnation number, so a create that is tried again, or by another replica, or after a
// reply was lost, meets the object that the first one made:
//
//	create name n ── created ───────────────> new incident
//	      └─ AlreadyExists ── read it ── ours and open ──> duplicate
//	                              ├───── ours and over ──> n+1
//	                              └───── foreign ────────> n+1, theirs untouched
//
// Writer.Ensure does this for one alert, Writer.EnsureStorm for a storm, Pages keeps a
// storm's members, and Counters brings counts into status, at most one write a second and
// object. All reads are live: no decision hangs on a cache.
package remediation
