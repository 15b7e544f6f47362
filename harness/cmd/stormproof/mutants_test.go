package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stormproof/stormproof/harness/mutation"
)

func TestASampleOfMutantsIsDrawnBySeedAndKeepsTheOrder(t *testing.T) {
	list := []mutation.Mutant{{Name: "a"}, {Name: "b"}, {Name: "c"}, {Name: "d"}, {Name: "e"}}
	seen := map[string]bool{}
	for seed := range int64(50) {
		got := draw(list, 2, seed)
		if len(got) != 2 || got[0].Name >= got[1].Name {
			t.Fatalf("seed %d: %v", seed, got)
		}
		if diff := cmp.Diff(got, draw(list, 2, seed)); diff != "" {
			t.Errorf("seed %d draws twice:\n%s", seed, diff)
		}
		seen[got[0].Name], seen[got[1].Name] = true, true
	}
	if len(seen) != len(list) {
		t.Errorf("fifty seeds draw only %v", seen)
	}
	for _, n := range []int{0, 5, 9} {
		if diff := cmp.Diff(list, draw(list, n, 1)); diff != "" {
			t.Errorf("a sample of %d is not all:\n%s", n, diff)
		}
	}
}
