package traffic

import (
	"math"
	"math/rand/v2"
	"sort"
)

// zipf draws ranks: rank r, from 0, has weight 1/(r+1)^s. s = 0 is uniform; unlike the
// standard library's Zipf it takes every s >= 0 and any number of ranks for each draw.
type zipf struct {
	// sums[r] is the weight of the ranks 0 to r.
	sums []float64
}

func newZipf(s float64, most int) zipf {
	z := zipf{sums: make([]float64, most)}
	sum := 0.0
	for r := range z.sums {
		sum += math.Pow(float64(r+1), -s)
		z.sums[r] = sum
	}
	return z
}

// draw returns a rank below n, which is at least 1 and at most what newZipf was given.
func (z zipf) draw(random *rand.Rand, n int) int {
	u := random.Float64() * z.sums[n-1]
	return min(sort.SearchFloat64s(z.sums[:n], u), n-1)
}
