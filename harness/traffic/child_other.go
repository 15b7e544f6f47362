//go:build !linux

package traffic

import "syscall"

// childAttributes puts the child in a group of its own, so that Ctrl-C reaches it only
// through us.
func childAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
