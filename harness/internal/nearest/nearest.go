// Package nearest finds the word that somebody meant who typed another one.
package nearest

import (
	"slices"
	"strconv"
	"strings"
)

// Word is the candidate that is nearest to got, whatever its case; "" when none is near: at
// most half of the letters may be wrong.
func Word(got string, candidates []string) string {
	best, bestDistance := "", len(got)/2+1
	for _, c := range candidates {
		if d := Distance(strings.ToLower(got), strings.ToLower(c)); d < bestDistance {
			best, bestDistance = c, d
		}
	}
	return best
}

// Hint tells a person the nearest candidate, else all of them, else nothing.
func Hint(got string, candidates []string) string {
	if best := Word(got, candidates); best != "" {
		return "did you mean " + strconv.Quote(best) + "?"
	}
	if len(candidates) == 0 {
		return ""
	}
	return "valid here: " + strings.Join(slices.Sorted(slices.Values(candidates)), ", ")
}

// Distance is the number of letters to add, drop or change to get from a to b, in bytes.
func Distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
