// Command runtime stands in front of runc where this machine withholds CAP_SYS_RESOURCE, as many
// sandboxes do.
//
// runc fails there when a command in a privileged container asks for every capability, as
// Kind's do, and when a container asks for higher limits than the daemon has. The wrapper
// takes the capability and the limits out of what is asked for, and then becomes runc: the
// rest of the command line, standard input and output, and the exit code are runc's own.
//
//	create, run   the bundle's config.json, its "process"
//	exec          the file of --process
//
// daemon.sh gives it to dockerd only where the capability is missing.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

const withheld = "CAP_SYS_RESOURCE"

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "runtime:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if bundle := value(args, "--bundle", "-b"); bundle != "" {
		err := edit(filepath.Join(bundle, "config.json"), func(spec map[string]any) {
			if process, ok := spec["process"].(map[string]any); ok {
				soften(process)
			}
		})
		if err != nil {
			return err
		}
	}
	if file := value(args, "--process", "-p"); file != "" {
		if err := edit(file, soften); err != nil {
			return err
		}
	}
	runc, err := find("runc")
	if err != nil {
		return err
	}
	return fmt.Errorf("becoming runc: %w", syscall.Exec(runc, append([]string{"runc"}, args...), os.Environ()))
}

// find looks where a shell does, and where Debian has it: Podman cleans up without a PATH.
func find(program string) (string, error) {
	path, err := exec.LookPath(program)
	for _, dir := range []string{"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin"} {
		if err == nil {
			return path, nil
		}
		path, err = exec.LookPath(filepath.Join(dir, program))
	}
	if err != nil {
		return "", fmt.Errorf("finding %s: %w", program, err)
	}
	return path, nil
}

// value is that of a flag, in any of the forms that Go programs take.
func value(args []string, names ...string) string {
	for i, arg := range args {
		for _, name := range names {
			if arg == name && i+1 < len(args) {
				return args[i+1]
			}
			if v, ok := strings.CutPrefix(arg, name+"="); ok {
				return v
			}
		}
	}
	return ""
}

// edit rewrites a JSON file; one that is not there is runc's to complain about.
func edit(path string, change func(map[string]any)) error {
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	doc := map[string]any{}
	decoder := json.NewDecoder(strings.NewReader(string(raw)))
	decoder.UseNumber() // limits do not fit into a float
	if err := decoder.Decode(&doc); err != nil {
		return fmt.Errorf("reading %s: %w", path, err)
	}
	change(doc)
	if raw, err = json.Marshal(doc); err != nil {
		return err
	}
	return os.WriteFile(path, raw, 0o600)
}

// soften takes out of a process what this machine would refuse.
func soften(process map[string]any) {
	delete(process, "rlimits")
	sets, _ := process["capabilities"].(map[string]any)
	for name, set := range sets {
		all, _ := set.([]any)
		kept := []any{}
		for _, c := range all {
			if c != withheld {
				kept = append(kept, c)
			}
		}
		sets[name] = kept
	}
}
