package gate

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"
)

// unitTimeout bounds the tests of one package, as go test does.
const unitTimeout = 10 * time.Minute

// UnitTests are the test programs of the module, built once for all runs: linking them takes
// longer than running most of them.
type UnitTests struct {
	packages []testProgram
	log      io.Writer
}

// testProgram is one package's.
type testProgram struct{ importPath, dir, binary string }

// BuildUnit builds the test programs of the module in this folder into dir. What the compiler
// says goes to log; the error says that a package does not build.
func BuildUnit(ctx context.Context, dir string, race bool, log io.Writer) (*UnitTests, error) {
	list := exec.CommandContext(ctx, "go", "list", "-f", "{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}}\t{{.Dir}}{{end}}", "./...")
	list.Stderr = log
	text, err := list.Output()
	if err != nil {
		return nil, fmt.Errorf("listing the packages with tests: %w", err)
	}
	u := &UnitTests{log: log}
	for _, set := range namesakes(dir, string(text)) {
		// Who keeps a program keeps what a debugger needs, too, unless told otherwise.
		args := []string{"test", "-c", "-ldflags=-s -w", "-o", filepath.Dir(set[0].binary) + string(filepath.Separator)}
		if race {
			args = append(args, "-race")
		}
		for _, p := range set {
			args = append(args, p.importPath)
		}
		cmd := exec.CommandContext(ctx, "go", args...)
		cmd.Stdout, cmd.Stderr = log, log
		if err := cmd.Run(); err != nil {
			return nil, fmt.Errorf("building the unit tests: %w", err)
		}
		u.packages = append(u.packages, set...)
	}
	return u, nil
}

// namesakes sorts packages, one a line, into sets in which no two programs have the same name:
// go test -c takes no others at once.
func namesakes(dir, list string) [][]testProgram {
	var out [][]testProgram
	seen := map[string]int{}
	for line := range strings.Lines(list) {
		importPath, folder, ok := strings.Cut(strings.TrimSpace(line), "\t")
		if !ok {
			continue
		}
		name := path.Base(importPath)
		set := seen[name]
		seen[name]++
		if set == len(out) {
			out = append(out, nil)
		}
		out[set] = append(out[set], testProgram{importPath, folder, filepath.Join(dir, strconv.Itoa(set), name+".test")})
	}
	return out
}

// Run runs all tests once, shuffled by seed, as many packages at once as there are CPUs.
func (u *UnitTests) Run(ctx context.Context, seed int64) UnitRun {
	total := UnitRun{Seed: seed}
	next := make(chan testProgram)
	var lock sync.Mutex
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for p := range next {
				one, text := p.run(ctx, seed)
				lock.Lock()
				total.add(one)
				// The log shows what it shows; the verdict does not hang on it.
				_, _ = u.log.Write(text)
				lock.Unlock()
			}
		})
	}
	for _, p := range u.packages {
		next <- p
	}
	close(next)
	workers.Wait()
	if total.Error == "" && total.Passed+total.Failed == 0 {
		total.Error = "no test ran"
	}
	return total
}

// run runs one package's tests in its folder, and returns what they printed.
func (p testProgram) run(ctx context.Context, seed int64) (UnitRun, []byte) {
	cmd := exec.CommandContext(ctx, "go", "tool", "test2json", "-t", "-p", p.importPath, p.binary, "-test.v=test2json",
		"-test.paniconexit0", "-test.shuffle="+strconv.FormatInt(seed, 10), "-test.timeout="+unitTimeout.String())
	cmd.Dir = p.dir
	var out, rest bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &rest
	err := cmd.Run()
	u := CountUnit(bytes.NewReader(out.Bytes()))
	var exit *exec.ExitError
	switch {
	case err != nil && !errors.As(err, &exit):
		u.Error = p.importPath + ": " + err.Error()
	case err != nil && u.Failed == 0:
		u.Error = p.importPath + ": its program failed without a failed test: " + err.Error()
	}
	return u, append(out.Bytes(), rest.Bytes()...)
}

// add takes over another package's outcomes; the first error is kept.
func (u *UnitRun) add(other UnitRun) {
	u.Passed += other.Passed
	u.Failed += other.Failed
	u.Skipped += other.Skipped
	u.First, u.Error = cmp.Or(u.First, other.First), cmp.Or(u.Error, other.Error)
}

// CountUnit counts the outcomes of top-level tests in the output of go test -json.
func CountUnit(r io.Reader) UnitRun {
	var u UnitRun
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var event struct{ Action, Test, Package string }
		if json.Unmarshal(lines.Bytes(), &event) != nil || event.Test == "" {
			continue // build output, or the outcome of a package
		}
		switch event.Action {
		case "pass":
			u.Passed++
		case "fail":
			u.Failed++
			top, _, _ := strings.Cut(event.Test, "/")
			u.First = cmp.Or(u.First, fmt.Sprintf("go test -run '^%s$' %s", top, event.Package))
		case "skip":
			u.Skipped++
		}
	}
	if err := lines.Err(); err != nil {
		u.Error = "reading the output of go test: " + err.Error()
	}
	return u
}

// RunLint runs golangci-lint and counts its issues.
func RunLint(ctx context.Context, program string, log io.Writer) (Lint, error) {
	cmd := exec.CommandContext(ctx, program, "run", "--output.json.path=stdout", "--show-stats=false", "./...")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, log
	err := cmd.Run()
	var result struct{ Issues []json.RawMessage }
	if jsonErr := json.NewDecoder(&out).Decode(&result); jsonErr != nil {
		return Lint{}, fmt.Errorf("running the linter %s: %w", program, errors.Join(err, jsonErr))
	}
	for _, issue := range result.Issues {
		fmt.Fprintf(log, "%s\n", issue)
	}
	return Lint{Ran: true, Issues: len(result.Issues)}, nil
}
