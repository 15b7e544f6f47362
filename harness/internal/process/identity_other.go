//go:build !linux

package process

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// StartTime identifies a process together with its id, in the words of ps with "_" for
// runs of spaces.
func StartTime(pid int) (string, error) {
	out, err := exec.Command("ps", "-o", "lstart=", "-p", strconv.Itoa(pid)).Output()
	if err != nil {
		return "", fmt.Errorf("asking ps for the start of %d: %w", pid, err)
	}
	return strings.Join(strings.Fields(string(out)), "_"), nil
}

// Runs reports whether the process with this id and StartTime runs.
func Runs(pid int, start string) bool {
	now, err := StartTime(pid)
	return err == nil && now == start
}

// Children returns the ids of the direct children of this process that run the program at
// path with an argument that contains marker.
func Children(path, marker string) ([]int, error) {
	out, err := exec.Command("ps", "-axo", "pid=,ppid=,command=").Output()
	if err != nil {
		return nil, fmt.Errorf("listing processes: %w", err)
	}
	var pids []int
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		if len(f) < 3 || f[1] != strconv.Itoa(os.Getpid()) || filepath.Base(f[2]) != filepath.Base(path) || !strings.Contains(line, marker) {
			continue
		}
		if pid, err := strconv.Atoi(f[0]); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

// KillMarked does nothing here, where the environment of processes cannot be read: the
// watchdogs have to do.
func KillMarked(string, string) (int, error) { return 0, nil }
