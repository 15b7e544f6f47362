package jsonl

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestWhatWasAppendedIsLoaded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sub", "record.jsonl")
	if got, err := Load[string](path); err != nil || got != nil {
		t.Errorf("no file: %v, %v", got, err)
	}
	long := strings.Repeat("x", 1<<20)
	if err := Append(path, "a", long); err != nil {
		t.Fatal(err)
	}
	if err := Append(path, "b"); err != nil {
		t.Fatal(err)
	}
	if got, err := Load[string](path); err != nil || !slices.Equal(got, []string{"a", long, "b"}) {
		t.Errorf("%d items, %v", len(got), err)
	}
	if err := os.WriteFile(path, []byte("\"a\"\n{half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load[string](path); err == nil || !strings.HasPrefix(err.Error(), path+":2: ") {
		t.Errorf("a damaged line: %v", err)
	}
}
