package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stormproof/stormproof/harness/environment"
	"github.com/stormproof/stormproof/harness/internal/process"
	"github.com/stormproof/stormproof/harness/report"
)

func writeStanding(t *testing.T, s standing) {
	t.Helper()
	t.Chdir(t.TempDir())
	if err := os.MkdirAll(".stormproof/up", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := s.write(); err != nil {
		t.Fatal(err)
	}
}

func TestWhatAKilledUpLeftIsRemoved(t *testing.T) {
	gone := exec.Command("true")
	if err := gone.Run(); err != nil {
		t.Fatal(err)
	}
	writeStanding(t, standing{PID: gone.Process.Pid, Born: "1"})
	var out bytes.Buffer
	s, err := readStanding(&out)
	if s != nil || err != nil || !strings.Contains(out.String(), "gone without a clean-up") {
		t.Errorf("%v, %v, %q", s, err, out.String())
	}
	for _, path := range []string{standingPath(), ".stormproof/up"} {
		if _, err := os.Stat(path); !os.IsNotExist(err) {
			t.Errorf("%s is still there", path)
		}
	}
}

func TestAnEnvironmentThatIsHeldIsFound(t *testing.T) {
	born, err := process.StartTime(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	writeStanding(t, standing{PID: os.Getpid(), Born: born, Asked: map[string]string{"redis": "process"}})
	s, err := readStanding(&bytes.Buffer{})
	if err != nil || s == nil || s.Asked["redis"] != "process" {
		b, _ := json.Marshal(s)
		t.Errorf("%s, %v", b, err)
	}
}

func TestAnEnvironmentMustFitTheFlags(t *testing.T) {
	s := standing{Asked: map[string]string{"redis": "process"}}
	d := environment.Description{Choices: []report.Choice{{Part: "cluster", Chosen: "envtest (cache)"}, {Part: "redis", Chosen: "process (redis-server 7)"}}}
	for name, c := range map[string]struct {
		flags map[string]string
		fits  bool
	}{
		"no wish":                           {nil, true},
		"the same wish":                     {map[string]string{"redis": "process"}, true},
		"what was chosen by itself":         {map[string]string{"cluster": "envtest"}, true},
		"another Redis":                     {map[string]string{"redis": "embedded"}, false},
		"a kubeconfig of one's own":         {map[string]string{"kubeconfig": "/k"}, false},
		"a topology that was not asked for": {map[string]string{"redis-topology": "cluster"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if why := s.fits(d, c.flags); (why == "") != c.fits {
				t.Error(why)
			}
		})
	}
}
