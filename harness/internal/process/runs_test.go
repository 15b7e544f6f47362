package process

import (
	"os/exec"
	"testing"
)

func TestAProcessThatHasEndedDoesNotRun(t *testing.T) {
	cmd := exec.Command("cat")
	pipe, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	start, err := StartTime(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	if !Runs(cmd.Process.Pid, start) {
		t.Error("a process that reads does not run")
	}
	if Runs(cmd.Process.Pid, start+"1") {
		t.Error("a process of another start is taken for this one")
	}
	if err := pipe.Close(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	if Runs(cmd.Process.Pid, start) {
		t.Error("a process that was waited for runs")
	}
}
