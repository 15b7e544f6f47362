//go:build !race

package main

// raceEnabled says that this program was built with the race detector.
const raceEnabled = false
