// Package bench measures what the harness costs. The same test is written four times and run
// on one API server, one Redis and one build of the gateway, in turns:
//
//	calls      the requests alone, by net/http, against a gateway that is up already
//	hand       by hand, as one writes it on bare envtest: client, gateway, waits, clean-up
//	framework  the same as a feature of sigs.k8s.io/e2e-framework
//	scenario   the same as a YAML scenario, carried out by harness/scenario/play
//
// The test: a fresh namespace, a gateway with a Redis prefix of its own, one alert, an answer
// 201, exactly one RemediationRequest with the name that was answered and six fields as they must be, and
// nothing left behind. Each turn runs all four in an order drawn from the seed; the first
// turns are thrown away. `make bench-harness` runs it and writes docs/benchmarks.md.
//
// It is a module of its own so that e2e-framework does not weigh on the main one.
package bench
