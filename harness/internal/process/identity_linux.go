package process

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// Positions in /proc/<pid>/stat after the closing bracket of the command's name.
const (
	fieldState  = 0
	fieldParent = 1
	fieldStart  = 19
)

// StartTime identifies a process together with its id: clock ticks since boot.
func StartTime(pid int) (string, error) {
	fields, err := stat(pid)
	if err != nil {
		return "", err
	}
	return fields[fieldStart], nil
}

// Runs reports whether the process with this id and StartTime runs. One that has ended and
// that nobody has waited for does not.
func Runs(pid int, start string) bool {
	fields, err := stat(pid)
	return err == nil && fields[fieldStart] == start && fields[fieldState] != "Z"
}

func stat(pid int) ([]string, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil, err
	}
	return parseStat(raw)
}

// parseStat returns the fields after the command's name, which may itself contain spaces
// and brackets.
func parseStat(raw []byte) ([]string, error) {
	end := bytes.LastIndexByte(raw, ')')
	if end < 0 {
		return nil, errors.New("no command name in the process's stat line")
	}
	fields := strings.Fields(string(raw[end+1:]))
	if len(fields) <= fieldStart {
		return nil, fmt.Errorf("%d fields in the process's stat line, want more than %d", len(fields), fieldStart)
	}
	return fields, nil
}

// Children returns the ids of the direct children of this process that run the program at
// path with an argument that contains marker.
func Children(path, marker string) ([]int, error) {
	want, err := filepath.EvalSymlinks(path)
	if err != nil {
		return nil, fmt.Errorf("resolving %s: %w", path, err)
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, fmt.Errorf("listing processes: %w", err)
	}
	self := strconv.Itoa(os.Getpid())
	var pids []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		fields, err := stat(pid)
		if err != nil || fields[fieldParent] != self {
			continue // it ended meanwhile, or is another's
		}
		exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
		if err != nil || exe != want {
			continue
		}
		args, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if err == nil && bytes.Contains(args, []byte(marker)) {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

// KillMarked kills every process of this user that has the variable with this value in its
// environment, and returns how many there were. A process that starts others meanwhile is
// caught, too: it looks until it finds none.
func KillMarked(variable, value string) (int, error) {
	mark := []byte("\x00" + variable + "=" + value + "\x00")
	killed := map[string]bool{}
	for {
		entries, err := os.ReadDir("/proc")
		if err != nil {
			return len(killed), fmt.Errorf("listing processes: %w", err)
		}
		fresh := false
		for _, e := range entries {
			pid, err := strconv.Atoi(e.Name())
			if err != nil || pid == os.Getpid() {
				continue
			}
			environ, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
			start, startErr := StartTime(pid)
			if err != nil || startErr != nil || !bytes.Contains(append([]byte{0}, environ...), mark) {
				continue // it has ended meanwhile, or is another's
			}
			if id := e.Name() + " " + start; !killed[id] {
				killed[id], fresh = true, true
				_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended by itself
			}
		}
		if !fresh {
			return len(killed), nil
		}
	}
}
