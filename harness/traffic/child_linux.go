package traffic

import "syscall"

// childAttributes puts the child in a group of its own, so that Ctrl-C reaches it only
// through us, and lets it die with us should we be killed.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
