// Package model explores the protocol of windows and writer: the real code of the gateway
// (intake, window with its Lua scripts, remediation), two replicas of it, under schedules
// that no real system could be driven through on purpose. It holds test code only.
//
// A schedule is a list of steps. Every call that leaves a replica, be it a script in Redis, a
// call to the API server or the answer to a sender, waits until the schedule says what
// becomes of it:
//
//	runs       it is applied, and the caller hears so
//	fails      it is not applied, and the caller sees a broken connection
//	is lost    it is applied, and the caller sees a broken connection
//	again      it is applied, and the client sends the same once more (go-redis does)
//
// Between them the world moves: senders send and retry, replicas crash and start anew with
// empty memory, time passes, clocks differ, users delete objects, remediators finish them,
// Redis forgets everything. A call whose caller has gone (crashed, or out of time) may still
// be applied later, as in a network.
//
// All runs in a bubble of testing/synctest: time is fake, one call moves at once, so a
// schedule does the same each time it is played and takes milliseconds. Rapid draws
// schedules and shrinks those that break a promise; what is left is told in words, with a
// line of text that plays it again. See docs/model.md for the assumptions.
package model
