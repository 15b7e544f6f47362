// Package degraded takes the place of Redis while it is lost: redis.onFailure: degrade.
//
// Each storm group has a ledger then, a ConfigMap with the keys that Redis would have. A
// call reads the ledger, runs the scripts of package window on a Redis inside of this
// process that holds those keys, and writes them back by the resource version that it read:
//
//	ledger ── keys ──> Redis inside: the same scripts ── keys ──> ledger
//	   └──────────────── written meanwhile by another replica: again ───┘
//
// So there is one logic for both, and replicas share it: what a storm may make stays
// bounded, and counts are true. An empty ledger knows nothing, and the intake rebuilds it
// from Kubernetes as it does a Redis that forgot.
//
// Switch chooses. It takes Redis for lost when a batch failed at it and a write does, too,
// and every second it tries again. Once Redis is back every ledger is taught to it and
// closed: a replica that has not noticed meets the closed ledger, and not an empty one.
package degraded
