package gate

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strconv"
)

// RunUnit runs all unit tests of the module once, shuffled by seed. What the tests print
// goes to log.
func RunUnit(ctx context.Context, seed int64, race bool, log io.Writer) UnitRun {
	args := []string{"test", "-json", "-count=1", "-shuffle=" + strconv.FormatInt(seed, 10)}
	if race {
		args = append(args, "-race")
	}
	cmd := exec.CommandContext(ctx, "go", append(args, "./...")...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = io.MultiWriter(&out, log), log
	err := cmd.Run()
	u := CountUnit(&out)
	u.Seed = seed
	var exit *exec.ExitError
	switch {
	case err != nil && !errors.As(err, &exit):
		u.Error = err.Error()
	case err != nil && u.Failed == 0:
		u.Error = "go test failed without a failed test: a package does not build"
	case u.Passed+u.Failed == 0:
		u.Error = "no test ran"
	}
	return u
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
