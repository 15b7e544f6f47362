// Package scenario is the language in which Stormproof's tests are written: its types, its
// JSON Schema, its loader and its linter. One YAML file is one scenario; QA writes it
// without Go:
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
// Load refuses what the JSON Schema (Schema) does not know and says file, line, field and
// the nearest valid name; Lint finds what no schema can see. Package expr, below this one,
// is the expressions; package play carries a scenario out.
//
// What is deliberately absent: sleeps, retries of a failed scenario, skips, and loops.
// Time is moved with `advance`; states are awaited with `eventually`, which stops at once
// when its expression has an error instead of hiding it.
package scenario
