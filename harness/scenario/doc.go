// Package scenario is the language in which Stormproof's tests are written, and the machine
// that carries them out. One YAML file is one scenario; QA writes it without Go:
//
//	id: DED-01
//	title: second delivery is a duplicate
//	category: deduplication
//	promises: [P1, P2, P5]
//	steps:
//	  - send: {id: first, alerts: [{labels: {alertname: CPUHigh, pod: api-1}}], answers: {201: 1}}
//	  - send: {id: again, alerts: [{labels: {alertname: CPUHigh, pod: api-1}}], answers: {202: 1}}
//	  - expect: {that: "rr.size() == 1", because: "one incident, one object"}
//
// From file to verdict:
//
//	file --Load--> Scenario --Lint--> no problems --Run--> history + Outcome
//	                                                 |
//	       World: own namespace, own Redis prefix, own clock, own fault proxies
//
// Load refuses what the JSON Schema (Schema) does not know and says file, line, field and
// the nearest valid name. Run executes the steps in order, records everything in a
// history, takes the world down, looks for residue, and lets package judge decide on the
// promises from the history alone. A scenario passes when its own steps and every judged
// promise pass.
//
// What is deliberately absent: sleeps, retries of a failed scenario, skips, and loops.
// Time is moved with `advance`; states are awaited with `eventually`, which stops at once
// when its expression has an error instead of hiding it.
package scenario
