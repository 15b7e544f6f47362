package process

import (
	"net"
	"testing"
)

func TestPortRangeAvoidsThePortsOfClients(t *testing.T) {
	tests := map[string]struct {
		ephemeral string
		low, high int
	}{
		"the usual range of Linux leaves the ports below it": {"32768\t60999\n", 20000, 32767},
		"an unknown range is taken for the usual one":        {"", 20000, 32767},
		"nonsense is taken for the usual one":                {"a b", 20000, 32767},
		"a range that begins lower ends ours earlier":        {"25000 60999", 20000, 24999},
		"a range that begins very low leaves the top":        {"10000 60999", 61000, 65535},
		"a range over nearly everything leaves the bottom":   {"10000 65535", 8999, 9999},
		"a range that begins higher changes nothing":         {"40000 60999", 20000, 32767},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			low, high := PortRange(tc.ephemeral)
			if low != tc.low || high != tc.high {
				t.Errorf("PortRange(%q) = %d, %d; want %d, %d", tc.ephemeral, low, high, tc.low, tc.high)
			}
		})
	}
}

func TestReserveNeverGivesOnePortTwice(t *testing.T) {
	dir := t.TempDir()
	low, high := freeSpan(t, 3)
	held := map[int]*Port{}
	for range 3 {
		p, err := reserve(dir, low, high, low+1)
		if err != nil {
			t.Fatal(err)
		}
		if held[p.Number] != nil {
			t.Fatalf("port %d was given twice", p.Number)
		}
		held[p.Number] = p
	}
	if p, err := reserve(dir, low, high, low); err == nil {
		t.Fatalf("port %d was given although every one is held", p.Number)
	}
	held[low+2].Release()
	held[low+2].Release()
	p, err := reserve(dir, low, high, low)
	if err != nil || p.Number != low+2 {
		t.Fatalf("got %v, %v after a release; want port %d", p, err, low+2)
	}
}

func TestReserveSkipsAPortWhereSomethingListens(t *testing.T) {
	low, high := freeSpan(t, 2)
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: low})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	p, err := reserve(t.TempDir(), low, high, low)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Release()
	if p.Number != low+1 {
		t.Errorf("got port %d, want %d", p.Number, low+1)
	}
}

// freeSpan finds neighbouring ports that are free, and keeps other tests of the harness off
// the first of them.
func freeSpan(t *testing.T, n int) (low, high int) {
	t.Helper()
	for range 100 {
		p, err := ReservePort()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(p.Release)
		free := true
		for i := range n {
			l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: p.Number + i})
			if err != nil {
				free = false
				break
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if free {
			return p.Number, p.Number + n - 1
		}
	}
	t.Fatal("no free neighbouring ports")
	return 0, 0
}
