// Package suite runs scenarios as Ginkgo specs, in parallel processes of one program.
//
// The program that runs the suite is also the test binary: Run starts this executable as
// the Ginkgo command line, which starts it again, under a name that ends in ".test", once
// for each process. Labels, seeds, random order, parallel processes and progress are
// Ginkgo's; nothing has to be compiled when a scenario changes.
//
//	stormproof run           Run: writes plan.json, starts Ginkgo, reads the results
//	  └ ginkgo CLI           Command: hands out specs, collects outcomes
//	      ├ scenarios.test   Spec: registers one It a scenario, runs what it is given
//	      └ scenarios.test
//
// A result counts only when both sides agree: Ginkgo says that the spec ran and passed, and
// the scenario's own result file says so, too. Whatever did not run is reported as skipped,
// which is never green.
package suite
