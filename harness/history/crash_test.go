package history_test

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stormproof/stormproof/harness/history"
)

// crashVariable tells a copy of this test program how to die, and where to write before.
const (
	crashVariable = "STORMPROOF_TEST_CRASH"
	fileVariable  = "STORMPROOF_TEST_FILE"
)

func TestMain(m *testing.M) {
	if how := os.Getenv(crashVariable); how != "" {
		crash(how, os.Getenv(fileVariable))
	}
	os.Exit(m.Run())
}

// crash writes a history and dies in the middle of it.
func crash(how, path string) {
	w, err := history.Open(path, time.Now)
	if err != nil {
		panic(err)
	}
	add := func(e history.Event) {
		if err := w.Add(e); err != nil {
			panic(err)
		}
	}
	add(begin())
	switch how {
	case "panic":
		add(note("one"))
		add(note("two"))
		panic("as a scenario may")
	default:
		// Say how far it is after each event, until the parent kills us.
		for {
			add(note("x"))
			if _, err := os.Stdout.WriteString("x\n"); err != nil {
				panic(err)
			}
		}
	}
}

// child is a process that writes a history at path and crashes.
func child(t *testing.T, how, path string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), crashVariable+"="+how, fileVariable+"="+path)
	return cmd
}

func TestAHistorySurvivesAPanic(t *testing.T) {
	path := filepath.Join(t.TempDir(), history.FileName)
	if err := child(t, "panic", path).Run(); err == nil {
		t.Fatal("the child did not panic")
	}
	events, err := history.Read(path)
	if err != nil || len(events) != 3 || events[2].Note.Text != "two" {
		t.Errorf("%d events, %v; want the three before the panic", len(events), err)
	}
}

func TestAHistorySurvivesAKill(t *testing.T) {
	path := filepath.Join(t.TempDir(), history.FileName)
	cmd := child(t, "kill", path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said := 0
	for lines := bufio.NewScanner(out); said < 200 && lines.Scan(); said++ {
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Error("the child ended by itself")
	}
	events, err := history.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	if said != 200 || len(events) < said+1 {
		t.Errorf("%d events are left of the %d that were written for certain", len(events), said+1)
	}
	if events[len(events)-1].End != nil {
		t.Error("a killed process has written an end")
	}
}

// TestAnyCutKeepsWhatWasWholeBefore cuts a history at every byte, as a full disk or a
// killed machine may.
func TestAnyCutKeepsWhatWasWholeBefore(t *testing.T) {
	whole := first + second
	path := filepath.Join(t.TempDir(), history.FileName)
	for n := len(first); n < len(whole)-1; n++ {
		events, err := history.Read(write(t, path, whole[:n]))
		if err != nil || len(events) != 1 {
			t.Fatalf("cut after %d bytes: %d events, %v; want one and no error", n, len(events), err)
		}
	}
}

// TestAFileOfTheFirstVersionLoads reads a file as version 1 wrote it.
func TestAFileOfTheFirstVersionLoads(t *testing.T) {
	events, err := history.Read(filepath.Join("testdata", "v1.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	if len(events) != 14 || events[0].Begin.Window != 5*time.Minute || events[9].Answer.Verdicts[0].Deliveries != 2 || !events[13].End.Clean {
		t.Errorf("%d events, not those that were written: %+v", len(events), events)
	}
}
