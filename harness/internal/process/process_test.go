package process

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	. "github.com/onsi/gomega"
)

// helperEnv makes the test binary play a harness that starts a child and then hangs.
const helperEnv = "STORMPROOF_PROCESS_TEST_HELPER"

func TestMain(m *testing.M) {
	switch os.Getenv(helperEnv) {
	case "owned":
		helperOwned()
	case "guarded":
		helperGuarded()
	default:
		os.Exit(m.Run())
	}
}

// helperOwned starts a child through Start.
func helperOwned() {
	p, err := Start(context.Background(), Spec{Path: "/bin/sleep", Args: []string{"300"}})
	report(p.PID(), err)
}

// helperGuarded starts a child as a library would, finds it, and watches it.
func helperGuarded() {
	cmd := exec.Command("/bin/sleep", "300")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		report(0, err)
	}
	pids, err := Children("/bin/sleep", "300")
	if err != nil || len(pids) != 1 {
		report(0, fmt.Errorf("children %v: %w", pids, err))
	}
	guard, err := NewGuard()
	if err != nil {
		report(0, err)
	}
	report(pids[0], guard.Watch(pids[0]))
}

func report(pid int, err error) {
	if err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
	fmt.Println(pid)
	_, _ = io.Copy(io.Discard, os.Stdin) // until it is killed: the test never closes the pipe
}

// running reports whether the process exists and is not merely waiting to be reaped.
func running(pid int) bool {
	out, err := exec.Command("ps", "-o", "stat=", "-p", strconv.Itoa(pid)).Output()
	state := strings.TrimSpace(string(out))
	return err == nil && state != "" && !strings.HasPrefix(state, "Z")
}

func TestChildDoesNotOutliveAKilledHarness(t *testing.T) {
	for _, how := range []string{"owned", "guarded"} {
		t.Run(how, func(t *testing.T) {
			g := NewWithT(t)
			exe, err := os.Executable()
			g.Expect(err).NotTo(HaveOccurred())
			helper := exec.Command(exe)
			helper.Env = append(os.Environ(), helperEnv+"="+how)
			out, err := helper.StdoutPipe()
			g.Expect(err).NotTo(HaveOccurred())
			in, err := helper.StdinPipe()
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(helper.Start()).To(Succeed())
			line, err := bufio.NewReader(out).ReadString('\n')
			g.Expect(err).NotTo(HaveOccurred())
			pid, err := strconv.Atoi(strings.TrimSpace(line))
			g.Expect(err).NotTo(HaveOccurred(), line)
			g.Expect(running(pid)).To(BeTrue())

			g.Expect(helper.Process.Kill()).To(Succeed())
			g.Expect(helper.Wait()).NotTo(Succeed())
			_ = in.Close() // Wait has closed it already
			g.Eventually(func() bool { return running(pid) }, "5s", "5ms").Should(BeFalse(),
				"the child of a killed harness is still running")
		})
	}
}

func TestGuardKillsOnlyTheProcessThatItWasToldAbout(t *testing.T) {
	g := NewWithT(t)
	p, err := Start(t.Context(), Spec{Path: "/bin/sleep", Args: []string{"300"}})
	g.Expect(err).NotTo(HaveOccurred())
	defer p.Kill()

	guard, err := NewGuard()
	g.Expect(err).NotTo(HaveOccurred())
	// The same id with another start time: the id was given to somebody else since.
	_, err = fmt.Fprintf(guard.pipe, "+ %d 1\n", p.PID())
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(guard.pipe.Close()).To(Succeed())
	g.Expect(guard.cmd.Wait()).To(Succeed())
	g.Expect(running(p.PID())).To(BeTrue())
}

func TestGuardLetsGoOfItsProcessesWhenClosed(t *testing.T) {
	g := NewWithT(t)
	p, err := Start(t.Context(), Spec{Path: "/bin/sleep", Args: []string{"300"}})
	g.Expect(err).NotTo(HaveOccurred())
	defer p.Kill()
	guard, err := NewGuard()
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(guard.Watch(p.PID())).To(Succeed())
	g.Expect(guard.Close()).To(Succeed())
	g.Expect(guard.Close()).To(Succeed(), "a second close does nothing")
	g.Expect(running(p.PID())).To(BeTrue())
}

func TestProcessEndsWithItsWholeGroup(t *testing.T) {
	tests := map[string]func(p *Process, cancel context.CancelFunc){
		"when its context ends": func(p *Process, cancel context.CancelFunc) { cancel() },
		"when it is killed":     func(p *Process, _ context.CancelFunc) { p.Kill() },
		"when it is stopped and ignores the request": func(p *Process, _ context.CancelFunc) {
			ctx, done := context.WithTimeout(context.Background(), 20*time.Millisecond)
			defer done()
			p.Stop(ctx)
		},
	}
	for name, end := range tests {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			r, w, err := os.Pipe()
			g.Expect(err).NotTo(HaveOccurred())
			p, err := Start(ctx, Spec{Path: "/bin/sh", Log: w,
				Args: []string{"-c", "trap '' TERM; sleep 300 & echo $!; wait; wait"}})
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(w.Close()).To(Succeed())
			line, err := bufio.NewReader(r).ReadString('\n')
			g.Expect(err).NotTo(HaveOccurred())
			grandchild, err := strconv.Atoi(strings.TrimSpace(line))
			g.Expect(err).NotTo(HaveOccurred())

			end(p, cancel)
			g.Eventually(p.Done(), "5s").Should(BeClosed())
			g.Expect(running(p.PID())).To(BeFalse())
			g.Eventually(func() bool { return running(grandchild) }, "5s", "5ms").Should(BeFalse())
			p.Kill() // of something that has ended: returns at once
			g.Expect(r.Close()).To(Succeed())
		})
	}
}

func TestProcessReportsHowItEnded(t *testing.T) {
	g := NewWithT(t)
	log := &Tail{Max: 5}
	p, err := Start(t.Context(), Spec{Path: "/bin/sh", Args: []string{"-c", "echo 0123$WORD; exit 3"},
		Env: []string{"WORD=45678"}, Log: log})
	g.Expect(err).NotTo(HaveOccurred())
	g.Eventually(p.Done(), "5s").Should(BeClosed())
	g.Expect(p.Err()).To(MatchError("exit status 3"))
	g.Expect(log.String()).To(Equal("5678"), "the last five bytes, newline included")
}

func TestStartRefusesAProgramThatIsNotThere(t *testing.T) {
	g := NewWithT(t)
	_, err := Start(t.Context(), Spec{Path: "/nonexistent/program"})
	g.Expect(err).To(MatchError(os.ErrNotExist))
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = Start(ended, Spec{Path: "/bin/sleep"})
	g.Expect(err).To(MatchError(context.Canceled))
}

func TestChildrenFindsOnlyChildrenThatRunTheProgram(t *testing.T) {
	g := NewWithT(t)
	p, err := Start(t.Context(), Spec{Path: "/bin/sleep", Args: []string{"300"}})
	g.Expect(err).NotTo(HaveOccurred())
	defer p.Kill()
	found, err := Children("/bin/sleep", "300")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(found).To(ContainElement(p.PID()))
	found, err = Children("/bin/sleep", "400")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(found).To(BeEmpty())
	found, err = Children("/bin/cat", "")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(found).To(BeEmpty())
}
