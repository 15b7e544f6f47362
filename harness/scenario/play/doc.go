// Package play carries scenarios out. Run builds a world for each round, does the steps in
// order, records everything in a history, takes the world down, looks for residue, and lets
// package judge decide on the promises from the history alone:
//
//	scenario --Run--> world: own namespace, own Redis prefix, own clock, own fault proxies
//	                    |
//	                  history.jsonl --> judge --> report.Scenario
//
// A scenario passes when its own steps and every judged promise pass. World shares nothing
// that it changes with another one, so worlds run side by side in any number.
package play
