package history_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stormproof/stormproof/harness/history"
)

const (
	first  = `{"seq":1,"at":0,"clock":"2030-01-01T00:00:00Z","step":-1,"begin":{"schema":"stormproof.history/v1","scenario":"X"}}` + "\n"
	second = `{"seq":2,"at":1,"clock":"2030-01-01T00:00:00Z","step":0,"note":{"text":"hi"}}` + "\n"
)

func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestReading(t *testing.T) {
	for name, tc := range map[string]struct {
		text   string
		events int
		// line and what of the damage; line 0 wants none.
		line int
		what string
	}{
		"a whole file":                            {first + second, 2, 0, ""},
		"a last line without its end, yet whole":  {first + strings.TrimSuffix(second, "\n"), 2, 0, ""},
		"a truncated last line is dropped":        {first + second[:30], 1, 0, ""},
		"a damaged line in the middle is named":   {first + "{oops\n" + second, 0, 2, "no event"},
		"a damaged but ended last line is damage": {first + "{oops\n", 0, 2, "no event"},
		"an empty line is damage":                 {first + "\n" + second, 0, 2, "no event"},
		"an unknown schema is refused":            {strings.Replace(first, "/v1", "/v9", 1), 0, 1, "stormproof.history/v9"},
		"a file without a begin is refused":       {second, 0, 1, "begin"},
		"a missing line is noticed":               {first + strings.Replace(second, `"seq":2`, `"seq":3`, 1), 0, 2, "3 stands where 2"},
		"a line that is no known event is named":  {first + `{"seq":2}` + "\n", 0, 2, "exactly one kind"},
		"an empty file holds nothing":             {"", 0, 1, "no whole event"},
		"a file of half a line holds nothing":     {first[:20], 0, 1, "no whole event"},
	} {
		t.Run(name, func(t *testing.T) {
			path := write(t, filepath.Join(t.TempDir(), history.FileName), tc.text)
			events, err := history.Read(path)
			if len(events) != tc.events {
				t.Errorf("%d events, want %d (error: %v)", len(events), tc.events, err)
			}
			var damage *history.Damage
			if !errors.As(err, &damage) {
				if tc.line != 0 || err != nil {
					t.Errorf("error %v, want damage in line %d", err, tc.line)
				}
				return
			}
			if damage.Path != path || damage.Line != tc.line || !strings.Contains(damage.Error(), tc.what) {
				t.Errorf("damage %v, want line %d with %q", damage, tc.line, tc.what)
			}
		})
	}
}

func TestAMissingFileIsAnError(t *testing.T) {
	if _, err := history.Read(filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestReadDirFindsEveryHistoryInOrder(t *testing.T) {
	dir := t.TempDir()
	b := write(t, filepath.Join(dir, "B", "round-1", history.FileName), first+second)
	a := write(t, filepath.Join(dir, "A", "round-1", history.FileName), first)
	write(t, filepath.Join(dir, "A", "gateway.log"), "not a history")
	files, err := history.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]int{}
	var order []string
	for _, f := range files {
		got[f.Path], order = len(f.Events), append(order, f.Path)
	}
	if diff := cmp.Diff(map[string]int{a: 1, b: 2}, got); diff != "" {
		t.Errorf("events by file (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{a, b}, order); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
}

func TestReadDirReturnsWhatItCouldReadBesideTheDamage(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "A", history.FileName), "damage\n")
	good := write(t, filepath.Join(dir, "B", history.FileName), first)
	files, err := history.ReadDir(dir)
	var damage *history.Damage
	if !errors.As(err, &damage) || damage.Line != 1 {
		t.Errorf("error: %v", err)
	}
	if len(files) != 1 || files[0].Path != good {
		t.Errorf("files: %v", files)
	}
}

func TestReadDirOfAFolderWithoutHistoriesSaysSo(t *testing.T) {
	if _, err := history.ReadDir(t.TempDir()); err == nil || !strings.Contains(err.Error(), "history.jsonl") {
		t.Errorf("got %v", err)
	}
	if _, err := history.ReadDir(filepath.Join(t.TempDir(), "gone")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing folder: %v", err)
	}
}
