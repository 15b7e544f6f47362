// Package window keeps the deduplication and storm windows in Redis: the gateway's fast
// memory of which incidents are open. Kubernetes stays the truth; what is lost here is
// found again there.
//
// Two Lua scripts do all of it, each atomic for one storm group:
//
//	Decide  what is each alert: new, a duplicate, a storm's member, over?  (claims a slot)
//	   |        nothing is counted, unless every alert is known and confirmed
//	   v
//	writer  makes objects durable in Kubernetes
//	   |
//	   v
//	Settle  records the objects' UIDs and counts occurrences, deliveries, renotifications,
//	            immediately before the sender is told 2xx
//
// So a request that fails has counted nothing, and its retry counts once. Both scripts may
// run twice (the Redis client repeats a script whose reply was lost): claims are idempotent
// by fingerprint, occurrences by startsAt, deliveries by a marker with the request's id.
//
// All keys of one call share the hash tag {g:...} of the storm group, so the scripts run in
// Redis Cluster; package config checks that the group follows from the fingerprint. Every
// key has a TTL. "Now" is the time of the Redis server plus the clock's offset, so replicas
// with skewed clocks agree.
package window
