package config_test

import (
	"strings"
	"testing"

	"github.com/stormproof/stormproof/gateway/config"
)

// FuzzDecode: a file is taken and valid, or refused with its name; nothing in it ends the
// program, which may be one that runs for months and reads it again.
func FuzzDecode(f *testing.F) {
	var defaults strings.Builder
	if err := config.Defaults().Write(&defaults); err != nil {
		f.Fatal(err)
	}
	for _, text := range []string{defaults.String(), "", "null", "dedup: {window: 0s}", "storm: {rules: [{}]}", "a: &a [*a]", "policy: {environments: {'a.b[0]': x}}", "redis:\n\tdb: 1", "- - -", "? : :"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "passwordFile") {
			return // it would read a file of this machine
		}
		c, err := config.Decode([]byte(text), "fuzz.yaml")
		switch {
		case err == nil && c.Validate() != nil:
			t.Errorf("taken, and not valid: %v", c.Validate())
		case err != nil && !strings.HasPrefix(err.Error(), "fuzz.yaml:"):
			t.Errorf("the error does not say where: %v", err)
		}
	})
}
