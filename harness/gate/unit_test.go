package gate

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// module writes a Go module whose packages a/same and b/same have one test each.
func module(t *testing.T, second string) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":              "module example.org/m\n\ngo 1.26\n",
		"a/same/same_test.go": "package same\n\nimport \"testing\"\n\nfunc TestA(t *testing.T) {}\n",
		"b/same/same_test.go": "package same\n\nimport (\n\t\"os\"\n\t\"testing\"\n)\n\nvar _ = os.Exit\n\n" + second + "\n",
		"none/none.go":        "package none\n",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
}

func TestUnitTestsAreBuiltOnceAndRunByTheirOwnSeeds(t *testing.T) {
	for name, tc := range map[string]struct {
		second         string
		passed, failed int
		said           string
	}{
		"all pass":                       {"func TestB(t *testing.T) {}", 2, 0, ""},
		"one fails":                      {"func TestB(t *testing.T) { t.Error(\"no\") }", 1, 1, ""},
		"a program that ends by itself":  {"func TestMain(m *testing.M) { os.Exit(3) }", 1, 0, "b/same: its program failed without a failed test"},
		"a test reads its own folder":    {"func TestB(t *testing.T) {\n\tif _, err := os.Stat(\"same_test.go\"); err != nil {\n\t\tt.Error(err)\n\t}\n}", 2, 0, ""},
		"a test that panics is a failed": {"func TestB(t *testing.T) { panic(\"no\") }", 1, 1, ""},
	} {
		t.Run(name, func(t *testing.T) {
			module(t, tc.second)
			var log bytes.Buffer
			tests, err := BuildUnit(t.Context(), t.TempDir(), false, &log)
			if err != nil {
				t.Fatalf("%v\n%s", err, log.String())
			}
			for seed := range int64(2) {
				u := tests.Run(t.Context(), seed+1)
				if u.Seed != seed+1 || u.Passed != tc.passed || u.Failed != tc.failed || (u.Error == "") != (tc.said == "") || !strings.Contains(u.Error, tc.said) {
					t.Errorf("%+v\n%s", u, log.String())
				}
			}
		})
	}
}

func TestATestThatDoesNotCompileIsAnError(t *testing.T) {
	module(t, "func TestB(t *testing.T) { nothing() }")
	var log bytes.Buffer
	if _, err := BuildUnit(t.Context(), t.TempDir(), false, &log); err == nil || !strings.Contains(log.String(), "nothing") {
		t.Errorf("%v\n%s", err, log.String())
	}
}
