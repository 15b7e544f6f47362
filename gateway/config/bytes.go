package config

import (
	"fmt"
	"strconv"
	"strings"
)

// Bytes is a size; written as a number or with KiB, MiB or GiB.
type Bytes int64

// units are the greatest first.
var units = []struct {
	suffix string
	size   Bytes
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}}

// UnmarshalText reads "16MiB" or "16777216".
func (b *Bytes) UnmarshalText(text []byte) error {
	s, unit := strings.TrimSpace(string(text)), int64(1)
	for _, u := range units {
		if rest, ok := strings.CutSuffix(s, u.suffix); ok {
			s, unit = strings.TrimSpace(rest), int64(u.size)
			break
		}
	}
	n, err := strconv.ParseInt(s, 10, 32)
	if err != nil || n < 0 {
		return fmt.Errorf("%q is not a size: write a number of bytes, or for example 16MiB", text)
	}
	*b = Bytes(n * unit)
	return nil
}

// MarshalText writes the size in the largest unit that is exact.
func (b Bytes) MarshalText() ([]byte, error) {
	for _, u := range units {
		if b >= u.size && b%u.size == 0 {
			return []byte(strconv.FormatInt(int64(b/u.size), 10) + u.suffix), nil
		}
	}
	return []byte(strconv.FormatInt(int64(b), 10)), nil
}
