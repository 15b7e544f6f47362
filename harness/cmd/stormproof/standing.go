package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/stormproof/stormproof/harness/environment"
	"github.com/stormproof/stormproof/harness/internal/process"
	"github.com/stormproof/stormproof/harness/internal/wait"
)

// standing is what `up` leaves in the folder, for `run`, `down` and the next `up`.
type standing struct {
	PID int `json:"pid"`
	// Born tells the process from a later one with the same id.
	Born    string    `json:"born"`
	Started time.Time `json:"started"`
	// Asked are the environment's flags by name, as they were given.
	Asked map[string]string `json:"asked"`
	// Description is the path of the environment's description.
	Description string `json:"description"`
}

func standingPath() string { return filepath.Join(".stormproof", "up.json") }

// standingDir holds the environment's own files.
func standingDir() (string, error) {
	dir, err := filepath.Abs(filepath.Join(".stormproof", "up"))
	if err != nil {
		return "", fmt.Errorf("finding this folder: %w", err)
	}
	return dir, nil
}

// environmentFlagNames are the flags that choose an environment.
var environmentFlagNames = []string{"cluster", "kubeconfig", "redis", "redis-topology"}

// asked reads the environment's flags from a command; a flag that was left alone is "".
func asked(cmd *cobra.Command) map[string]string {
	out := map[string]string{}
	for _, name := range environmentFlagNames {
		if f := cmd.Flags().Lookup(name); f != nil && f.Value.String() != f.DefValue {
			out[name] = f.Value.String()
		}
	}
	return out
}

// readStanding returns what is up in this folder, nil for nothing. What a killed `up` left
// behind is removed, and said to out.
func readStanding(out io.Writer) (*standing, error) {
	b, err := os.ReadFile(standingPath())
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	var s standing
	if err == nil {
		err = json.Unmarshal(b, &s)
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w; remove it", standingPath(), err)
	}
	if process.Runs(s.PID, s.Born) {
		return &s, nil
	}
	dir, err := standingDir()
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(out, "environment: `stormproof up` (process %d) is gone without a clean-up; removing what it left\n", s.PID)
	return nil, errors.Join(os.Remove(standingPath()), os.RemoveAll(dir))
}

// fits says why an environment is not what the flags ask for, "" when it is.
func (s *standing) fits(d environment.Description, flags map[string]string) string {
	for _, name := range environmentFlagNames {
		want := flags[name]
		if want == "" || want == s.Asked[name] {
			continue
		}
		got := s.Asked[name]
		for _, c := range d.Choices {
			if chosen, _, _ := strings.Cut(c.Chosen, " "); c.Part == name {
				got = chosen
			}
		}
		if got != want {
			return fmt.Sprintf("--%s %s is asked for, and it has %q", name, want, got)
		}
	}
	return ""
}

// attach finds the environment that `stormproof up` holds in this folder. It returns nil,
// and has said why, when a new one must be started.
func attach(cmd *cobra.Command, controllers bool) (*environment.Description, string, error) {
	out := cmd.ErrOrStderr()
	s, err := readStanding(out)
	if err != nil || s == nil {
		return nil, "", err
	}
	d, err := environment.Load(s.Description)
	why := ""
	if err == nil {
		why = s.fits(d, asked(cmd))
	}
	if why == "" && controllers && !d.Controllers {
		why = "the cluster's controllers are needed, and it runs none"
	}
	if err == nil && why == "" {
		err = d.Alive(cmd.Context())
	}
	if err != nil {
		why = err.Error()
	}
	if why != "" {
		fmt.Fprintf(out, "environment: starting a new one, not using that of `stormproof up` (process %d): %s\n", s.PID, why)
		return nil, "", nil
	}
	fmt.Fprintf(out, "environment: using that of `stormproof up` (process %d, up for %s)\n", s.PID, time.Since(s.Started).Round(time.Second))
	for _, c := range d.Choices {
		fmt.Fprintf(out, "environment: %-8s %s\n", c.Part, c.Chosen)
	}
	return &d, s.Description, nil
}

func newUp() *cobra.Command {
	c := &common{}
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Bring up cluster and Redis, and hold them for `stormproof run` in this folder until Ctrl-C or `stormproof down`",
		RunE:  func(cmd *cobra.Command, _ []string) error { return upVerb(cmd, c) },
	}
	c.environmentFlags(cmd)
	return cmd
}

func upVerb(cmd *cobra.Command, c *common) (err error) {
	d, takeDown, err := stand(cmd, c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, takeDown()) }()
	fmt.Fprintf(cmd.OutOrStdout(), "export KUBECONFIG=%s\nexport REDIS_ADDR=%s\nup; `stormproof run` in this folder uses it; stop it with Ctrl-C or: stormproof down\n", d.Kubeconfig, d.Redis.Addr)
	<-cmd.Context().Done()
	return nil
}

// stand brings up an environment that every `stormproof run` in this folder uses until
// takeDown, which works after an interrupt as well.
func stand(cmd *cobra.Command, c *common) (d environment.Description, takeDown func() error, err error) {
	old, err := readStanding(cmd.ErrOrStderr())
	if err != nil {
		return d, nil, err
	}
	if old != nil {
		return d, nil, usageError{fmt.Errorf("process %d holds an environment in this folder already; type: stormproof down", old.PID)}
	}
	dir, err := standingDir()
	if err != nil {
		return d, nil, err
	}
	if err := os.MkdirAll(filepath.Join(dir, "environment"), 0o755); err != nil {
		return d, nil, fmt.Errorf("making the environment's folder: %w", err)
	}
	env, err := environment.Up(cmd.Context(), c.environment(cmd, dir))
	if err != nil {
		return d, nil, err
	}
	takeDown = func() error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(cmd.Context()), downWithin)
		defer cancel()
		return errors.Join(env.Down(ctx), os.RemoveAll(standingPath()), os.RemoveAll(dir))
	}
	d = env.Describe()
	s := standing{PID: os.Getpid(), Started: time.Now(), Asked: asked(cmd), Description: filepath.Join(dir, "environment.json")}
	if s.Born, err = process.StartTime(s.PID); err != nil {
		err = fmt.Errorf("reading this process's own start: %w", err)
	} else {
		err = errors.Join(d.Write(s.Description), s.write())
	}
	if err != nil {
		return d, nil, errors.Join(err, takeDown())
	}
	return d, takeDown, nil
}

// withStanding calls do while an environment is up in this folder: the one that is there, or
// else one of its own.
func withStanding(cmd *cobra.Command, c *common, do func() error) error {
	old, err := readStanding(cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	if old == nil {
		_, takeDown, err := stand(cmd, c)
		if err != nil {
			return err
		}
		return errors.Join(do(), takeDown())
	}
	return do()
}

// write stores the state whole or not at all: another process may read it at any moment.
func (s *standing) write() error {
	b, err := json.Marshal(s)
	if err == nil {
		err = os.WriteFile(standingPath()+".new", b, 0o600)
	}
	if err == nil {
		err = os.Rename(standingPath()+".new", standingPath())
	}
	if err != nil {
		return fmt.Errorf("writing the state: %w", err)
	}
	return nil
}

// downWithin bounds the end of an environment.
const downWithin = time.Minute

func newDown() *cobra.Command {
	var orphans bool
	var kubeconfig string
	cmd := &cobra.Command{
		Use:   "down",
		Short: "Stop what `stormproof up` holds in this folder, and wait until it is gone",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if kubeconfig != "" && !orphans {
				return usageError{errors.New("--kubeconfig is for --orphans; type: stormproof help down")}
			}
			err := downStanding(cmd)
			if orphans {
				err = errors.Join(err, downOrphans(cmd.Context(), cmd.OutOrStdout(), kubeconfig))
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&orphans, "orphans", false, "also remove what runs on this machine left that were killed; nothing of a run that lives")
	cmd.Flags().StringVar(&kubeconfig, "kubeconfig", "", "with --orphans: a cluster where runs of other machines, too, may have left something")
	return cmd
}

// downStanding ends the environment of this folder.
func downStanding(cmd *cobra.Command) error {
	s, err := readStanding(cmd.OutOrStdout())
	if err != nil {
		return err
	}
	if s == nil {
		fmt.Fprintln(cmd.OutOrStdout(), "nothing is up in this folder")
		return nil
	}
	begin := time.Now()
	if err := syscall.Kill(s.PID, syscall.SIGTERM); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("stopping process %d of `stormproof up`: %w", s.PID, err)
	}
	err = wait.Until(cmd.Context(), fmt.Sprintf("process %d of `stormproof up` ends", s.PID), downWithin, 50*time.Millisecond,
		func(context.Context) wait.Look { return wait.Look{Done: !process.Runs(s.PID, s.Born)} })
	if err != nil {
		return err
	}
	fmt.Fprintf(cmd.OutOrStdout(), "process %d and its environment are gone (%.1f s)\n", s.PID, time.Since(begin).Seconds())
	return nil
}
