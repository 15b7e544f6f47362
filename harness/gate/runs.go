package gate

// RunSpec is how one integration run differs from the others.
type RunSpec struct {
	Seed  int64
	Procs int
}

// Plan makes n runs that differ in order and in parallelism: equal runs would test one
// interleaving n times.
func Plan(base int64, n, cpus int) []RunSpec {
	out := make([]RunSpec, n)
	for i := range out {
		procs := 2 * cpus
		switch i % 3 {
		case 1:
			procs = cpus
		case 2:
			procs = cpus + 1
		}
		out[i] = RunSpec{Seed: base + int64(i)*7919, Procs: procs}
	}
	return out
}
