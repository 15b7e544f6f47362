// Package containers finds the container daemon of this machine and asks it for the few
// things that the providers of clusters and Redis have in common. It speaks to the daemon
// through its own program, as Kind does, so that whatever the user has set up (DOCKER_HOST,
// contexts, a remote machine) holds here too.
//
//	Find ── docker ── podman
//
// A Claim marks what is made outside of this process, so that the next one finds what a
// killed one left behind (Orphans), and nothing that belongs to others.
package containers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stormproof/stormproof/harness/internal/binaries"
)

// Daemons.
const (
	Docker = "docker"
	Podman = "podman"
)

// answerWithin bounds a question to the daemon: one that hangs is none.
const answerWithin = 10 * time.Second

// StartHint is what to type where there is no daemon.
const StartHint = `start Docker or Podman; where neither is installed, as root on Debian: eval "$(ci/kind-offline/daemon.sh start)"`

// Daemon is a container daemon that answers.
type Daemon struct {
	// Name is Docker or Podman, and its program's name.
	Name string
	// Version of the server, for example "28.2.2".
	Version string

	run runner
}

// runner runs a program and returns what it printed; the error has what it complained about.
type runner func(ctx context.Context, program string, args ...string) (string, error)

// Find returns the daemon to use, and why this one. The error is a *binaries.Unavailable.
func Find(ctx context.Context) (Daemon, string, error) { return find(ctx, run) }

// Named is a daemon that was found before, perhaps by another process.
func Named(name string) Daemon { return Daemon{Name: name, run: run} }

// At has everything in this process look for Docker at a host, unless the user has said
// where; "" changes nothing.
func At(dockerHost string) error {
	if dockerHost == "" || os.Getenv("DOCKER_HOST") != "" {
		return nil
	}
	if err := os.Setenv("DOCKER_HOST", dockerHost); err != nil {
		return fmt.Errorf("setting DOCKER_HOST: %w", err)
	}
	return nil
}

func find(ctx context.Context, run runner) (Daemon, string, error) {
	rung := func(name, format string) binaries.Rung[Daemon] {
		return binaries.Rung[Daemon]{Name: name, Try: func(ctx context.Context) (Daemon, string, error) {
			ctx, cancel := context.WithTimeout(ctx, answerWithin)
			defer cancel()
			version, err := run(ctx, name, "version", "--format", format)
			return Daemon{Name: name, Version: version, run: run}, name + " " + version + " answers", err
		}}
	}
	var misses []string
	catch, err := binaries.Climb(ctx, []binaries.Rung[Daemon]{
		rung(Docker, "{{.Server.Version}}"),
		rung(Podman, "{{.Client.Version}}"), // it has no server of its own
	}, func(m binaries.Miss) { misses = append(misses, m.String()) })
	if err != nil {
		if ctx.Err() != nil {
			return Daemon{}, "", ctx.Err()
		}
		return Daemon{}, "", &binaries.Unavailable{What: "containers", Fix: StartHint,
			Reason: "no container daemon answers (" + strings.Join(misses, "; ") + ")"}
	}
	return catch.Got, catch.Why(), nil
}

// Images are the local images of a repository (owner/name) that have a tag, as the daemon
// calls them: Podman puts a host in front.
func (d Daemon) Images(ctx context.Context, repository string) ([]string, error) {
	said, err := d.ask(ctx, "image", "ls", "--format", "{{.Repository}}:{{.Tag}}")
	if err != nil {
		return nil, fmt.Errorf("listing %s's images: %w", d.Name, err)
	}
	var images []string
	for name := range strings.FieldsSeq(said) {
		repo, tag := cutLast(name, ":")
		if (repo == repository || strings.HasSuffix(repo, "/"+repository)) && tag != "<none>" {
			images = append(images, name)
		}
	}
	return images, nil
}

// Newest is the image with the highest numbers in its tag ("7.2-alpine", "v1.34.4"), "" if
// no tag has any.
func Newest(images []string) string {
	var best string
	var highest []int
	for _, image := range images {
		_, tag := cutLast(image, ":")
		if v := numbers(tag); len(v) > 0 && (best == "" || slices.Compare(v, highest) > 0) {
			best, highest = image, v
		}
	}
	return best
}

// numbers are those at the start of a tag.
func numbers(tag string) []int {
	tag, _, _ = strings.Cut(strings.TrimPrefix(tag, "v"), "-")
	var v []int
	for part := range strings.SplitSeq(tag, ".") {
		n, err := strconv.Atoi(part)
		if err != nil {
			break
		}
		v = append(v, n)
	}
	return v
}

// Has reports whether an image is there; it may be named by its digest.
func (d Daemon) Has(ctx context.Context, image string) bool {
	_, err := d.ask(ctx, "image", "inspect", "--format", "{{.Id}}", image)
	return err == nil
}

// Pull gets an image from its registry; progress goes to out.
func (d Daemon) Pull(ctx context.Context, image string, out io.Writer) error {
	cmd := exec.CommandContext(ctx, d.Name, "pull", image)
	var complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = out, &complaint
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s pull %s: %w: %s", d.Name, image, err, strings.TrimSpace(complaint.String()))
	}
	return nil
}

// Ask runs the daemon's program and returns what it printed.
func (d Daemon) Ask(ctx context.Context, args ...string) (string, error) { return d.ask(ctx, args...) }

// Socket is where libraries reach the daemon that only know Docker's API, as DOCKER_HOST
// spells it; "" leaves them to look themselves. Podman has one only while its service runs.
func (d Daemon) Socket(ctx context.Context) (string, error) {
	if d.Name != Podman || os.Getenv("DOCKER_HOST") != "" {
		return "", nil
	}
	path, err := d.ask(ctx, "info", "--format", "{{.Host.RemoteSocket.Path}}")
	if err != nil {
		return "", fmt.Errorf("asking podman for its socket: %w", err)
	}
	path = strings.TrimPrefix(path, "unix://")
	if _, err := os.Stat(path); err != nil {
		return "", &binaries.Unavailable{What: "containers", Reason: "podman answers, but its socket " + path + " is not there",
			Fix: "systemctl --user start podman.socket (for root without --user), or: podman system service --time=0 &", Err: err}
	}
	return "unix://" + path, nil
}

func (d Daemon) ask(ctx context.Context, args ...string) (string, error) {
	return d.run(ctx, d.Name, args...)
}

func run(ctx context.Context, program string, args ...string) (string, error) {
	if _, err := exec.LookPath(program); err != nil {
		return "", &binaries.Unavailable{What: program, Reason: "not on PATH", Fix: "install it", Err: err}
	}
	cmd := exec.CommandContext(ctx, program, args...)
	// What a killed child left running must not hold its output, and us with it.
	cmd.WaitDelay = time.Second
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	if err := cmd.Run(); err != nil {
		err = errors.Join(err, ctx.Err())
		return "", &binaries.Unavailable{What: program, Reason: oneLine(complaint.String(), err), Fix: "check " + program + " version", Err: err}
	}
	return strings.TrimSpace(out.String()), nil
}

// oneLine is the first line of a complaint, else of the error.
func oneLine(complaint string, err error) string {
	for _, text := range []string{complaint, err.Error()} {
		if line, _, _ := strings.Cut(strings.TrimSpace(text), "\n"); line != "" {
			return line
		}
	}
	return "failed"
}

func cutLast(s, sep string) (before, after string) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, ""
	}
	return s[:i], s[i+len(sep):]
}
