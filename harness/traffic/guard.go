package traffic

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"syscall"
	"time"
)

// TargetError says that load may not go to an address.
type TargetError struct {
	Host string
	Addr netip.Addr
}

// Error names the address and what is allowed.
func (e *TargetError) Error() string {
	return fmt.Sprintf("load may not go to %s (%s): only to this machine (127.0.0.0/8, ::1) or to a network that the run made itself", e.Host, e.Addr)
}

// Allow says which addresses beyond loopback belong to the run; nil means none.
type Allow func(netip.Addr) bool

func (a Allow) check(host string, addr netip.Addr) error {
	addr = addr.Unmap()
	if addr.IsLoopback() || a != nil && a(addr) {
		return nil
	}
	return &TargetError{Host: host, Addr: addr}
}

// CheckTarget resolves the URL's host and refuses it, with a *TargetError, unless every
// address of it is loopback or allowed.
func CheckTarget(ctx context.Context, target string, allow Allow) error {
	u, err := url.Parse(target)
	if err != nil {
		return fmt.Errorf("reading the target's URL: %w", err)
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return fmt.Errorf("%q is no target; write for example http://127.0.0.1:8080", target)
	}
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", u.Hostname())
	if err != nil {
		return fmt.Errorf("looking up the target: %w", err)
	}
	for _, addr := range addrs {
		if err := allow.check(u.Hostname(), addr); err != nil {
			return err
		}
	}
	return nil
}

// GuardedTransport connects to loopback and allowed addresses only, whatever a name
// resolves to later or a redirect asks for, and never through a proxy. Its connections are
// as many as there are requests in flight.
func GuardedTransport(allow Allow, connections int) *http.Transport {
	dialer := &net.Dialer{Timeout: 10 * time.Second, Control: func(_, address string, _ syscall.RawConn) error {
		ap, err := netip.ParseAddrPort(address)
		if err != nil {
			return fmt.Errorf("reading the address to connect to: %w", err)
		}
		return allow.check(address, ap.Addr())
	}}
	return &http.Transport{DialContext: dialer.DialContext, MaxIdleConns: connections, MaxIdleConnsPerHost: connections,
		TLSHandshakeTimeout: 10 * time.Second}
}
