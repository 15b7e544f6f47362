package process

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// Port is a TCP port on 127.0.0.1 that this process holds until Release, whether or not
// anything listens there.
type Port struct {
	Number int

	once sync.Once
	lock *os.File
}

// Addr is the port as 127.0.0.1:number.
func (p *Port) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(p.Number)) }

// Release lets others have the port. A second call does nothing.
func (p *Port) Release() {
	p.once.Do(func() { _ = p.lock.Close() }) // closing is what frees the lock; nothing was written
}

// PortRange is the inclusive range of listen ports for the harness, given the kernel's
// range of ports for clients ("" when unknown, else two numbers as Linux writes them). It
// lies below that range, where no outgoing connection can take a port first.
func PortRange(ephemeral string) (low, high int) {
	const floor, ceiling, least = 20000, 32767, 1000
	f := strings.Fields(ephemeral)
	if len(f) != 2 {
		return floor, ceiling
	}
	first, err1 := strconv.Atoi(f[0])
	last, err2 := strconv.Atoi(f[1])
	switch {
	case err1 != nil || err2 != nil || first > ceiling:
		return floor, ceiling
	case first-1 >= floor+least:
		return floor, first - 1
	case 65535-last >= least:
		return last + 1, 65535
	default:
		return max(1024, first-1-least), max(2024, first-1)
	}
}

// EphemeralRange is what the kernel says about ports for clients, "" when it says nothing.
func EphemeralRange() string {
	raw, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	if err != nil {
		return ""
	}
	return string(raw)
}

// ReservePort finds a port where nothing listens, and holds it against other processes of
// the harness on this host.
func ReservePort() (*Port, error) {
	low, high := PortRange(EphemeralRange())
	dir := filepath.Join(os.TempDir(), "stormproof-ports-"+strconv.Itoa(os.Getuid()))
	return reserve(dir, low, high, low+rand.IntN(high-low+1))
}

func reserve(dir string, low, high, first int) (*Port, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the folder of port locks: %w", err)
	}
	var last error
	for i := range high - low + 1 {
		n := low + (first-low+i)%(high-low+1)
		lock, err := lockPort(dir, n)
		if err == nil {
			return &Port{Number: n, lock: lock}, nil
		}
		last = err
	}
	return nil, fmt.Errorf("no free port from %d to %d on 127.0.0.1: %w", low, high, last)
}

func lockPort(dir string, n int) (*os.File, error) {
	lock, err := os.OpenFile(filepath.Join(dir, strconv.Itoa(n)), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(n)))
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	if err := l.Close(); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return lock, nil
}
