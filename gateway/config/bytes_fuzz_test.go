package config_test

import (
	"testing"

	"github.com/stormproof/stormproof/gateway/config"
)

// FuzzBytes: a size that is taken is no less than 0, is read the same each time, and is
// written so that it is read again.
func FuzzBytes(f *testing.F) {
	for _, text := range []string{"16MiB", "0", " 1 KiB ", "2147483647GiB", "3GiB", "1KiBMiB", "1MiBKiB", "-1", "9223372036854775808", "MiB", "1e3", "+5"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var b config.Bytes
		first := b.UnmarshalText([]byte(text))
		for range 8 {
			var again config.Bytes
			if err := again.UnmarshalText([]byte(text)); (err == nil) != (first == nil) || again != b {
				t.Fatalf("%q is read as %d (%v), and then as %d (%v)", text, b, first, again, err)
			}
		}
		if first != nil {
			return
		}
		if b < 0 {
			t.Errorf("%q is read as %d", text, b)
		}
		written, err := b.MarshalText()
		var back config.Bytes
		if err != nil || back.UnmarshalText(written) != nil || back != b {
			t.Errorf("%q is %d bytes, written as %q, and read as %d", text, b, written, back)
		}
	})
}
