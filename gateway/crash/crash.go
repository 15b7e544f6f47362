// Package crash lets a test kill the gateway at a named step of its pipeline, to prove that
// what was promised survives and what was not promised was not half done.
//
// In an ordinary build Point is an empty function that the compiler removes. Built with
// `-tags crashpoints`, Point looks into the folder that the variable STORMPROOF_CRASH_DIR
// names: a file with the point's name means "die here". The point renames the file to
// name.hit, which is the receipt, and kills its own process with SIGKILL: no deferred
// function runs, no buffer is flushed, no connection is closed politely. A file with the
// point's name and ".panic" means "panic here".
//
// The convention is files and an environment variable, so a service in any language can
// offer crash points to the harness in ten lines.
package crash

// The points, in the order in which a request passes them.
const (
	// Parsed: the body was read, nothing was decided.
	Parsed = "parsed"
	// Decided: the windows said what each alert is, nothing is in Kubernetes.
	Decided = "decided"
	// ObjectCreated: a RemediationRequest was made, be it an incident's or a storm's.
	ObjectCreated = "object-created"
	// PageWritten: members of a storm are durable.
	PageWritten = "page-written"
	// Durable: everything new is in Kubernetes, nothing is counted.
	Durable = "durable"
	// Settled: everything is counted, the answer is not on its way.
	Settled = "settled"
	// Answering: the next thing would be the answer's first byte.
	Answering = "answering"
)
