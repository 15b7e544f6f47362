//go:build !crashpoints

package crash

// Enabled says whether this program was built with crash points.
const Enabled = false

// Point does nothing in this build.
func Point(string) {}
