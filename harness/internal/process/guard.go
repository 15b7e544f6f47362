package process

import (
	"errors"
	"fmt"
	"io"
	"os/exec"
	"sync"
	"syscall"
)

// guardScript reads "+ pid start" and "- pid" lines until the pipe closes, which happens
// when the harness closes it or dies, in whatever way. It then kills the processes still
// on its list, each with its group, if they started when the harness said.
const guardScript = `
trap '' INT TERM HUP QUIT
started() {
  if [ -r /proc/self/stat ]; then
    [ -r "/proc/$1/stat" ] || return 1
    read -r line <"/proc/$1/stat" || return 1
    set -- ${line##*) }
    echo "${20}"
  else
    ps -o lstart= -p "$1" | tr -s ' ' '_'
  fi
}
list=' '
while read -r op pid start; do
  case $op in
  +) list="$list$pid:$start " ;;
  -) new=' '
     for e in $list; do [ "${e%%:*}" = "$pid" ] || new="$new$e "; done
     list=$new ;;
  esac
done
for e in $list; do
  pid=${e%%:*}
  now=$(started "$pid" 2>/dev/null) || continue
  [ "$now" = "${e#*:}" ] || continue
  kill -s KILL -- "-$pid" 2>/dev/null || kill -s KILL "$pid" 2>/dev/null
done
`

// Guard is a watchdog process. It kills the processes that it watches when this process
// ends without having said Forget or Close.
type Guard struct {
	cmd *exec.Cmd

	mu   sync.Mutex
	pipe io.WriteCloser
	pids []int
}

// NewGuard starts a watchdog that watches nothing yet.
func NewGuard() (*Guard, error) {
	cmd := exec.Command("/bin/sh", "-c", guardScript)
	// Its own group: a signal to the harness's group must not reach it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Env = []string{"PATH=/usr/bin:/bin"}
	cmd.Dir = "/"
	pipe, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("making the watchdog's pipe: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting the watchdog: %w", err)
	}
	return &Guard{cmd: cmd, pipe: pipe}, nil
}

// Watch adds a process, which should lead its group.
func (g *Guard) Watch(pid int) error {
	start, err := StartTime(pid)
	if err != nil {
		return fmt.Errorf("watching process %d: %w", pid, err)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, err := fmt.Fprintf(g.pipe, "+ %d %s\n", pid, start); err != nil {
		return fmt.Errorf("watching process %d: %w", pid, err)
	}
	g.pids = append(g.pids, pid)
	return nil
}

// Close forgets every process and waits for the watchdog to end. The watched processes
// live on: end them first. A second call does nothing.
func (g *Guard) Close() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.pipe == nil {
		return nil
	}
	var errs []error
	for _, pid := range g.pids {
		if _, err := fmt.Fprintf(g.pipe, "- %d\n", pid); err != nil {
			errs = append(errs, err)
		}
	}
	errs = append(errs, g.pipe.Close(), g.cmd.Wait())
	g.pipe = nil
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("ending the watchdog: %w", err)
	}
	return nil
}
