// Package flake keeps a history of runs and says, honestly, what it is worth.
//
// Three green runs prove little: a suite that is red one time in five passes them half the
// time. So every run is kept as one line of a file (Append, Load), with what it was a run of:
// the code, each scenario's own text, the environment. Runs count together only where all of
// these are the same, so a scenario that was changed starts again at nothing. SeriesOf reads a
// scenario's line of results out of it, with the upper bound that they support (UpperBound,
// Clopper-Pearson; without failures the rule of three), FirstBadOf says since which commit it
// is red, and BurnIn how often a scenario that is new should run before it counts.
//
// Everything here is pure but for the file.
package flake
