package auth

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

type senderKey struct{}

// sender is what is known of whoever sent a request. It belongs to the goroutine that
// answers the request.
type sender struct{ address, name string }

// Receive notes where a request came from. X-Forwarded-For is believed as far as the
// proxies that wrote it are trusted: it is read from its end, and the first address that is
// no trusted proxy's is the sender's.
func Receive(r *http.Request, trusted []netip.Prefix) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), senderKey{}, &sender{address: address(r, trusted)}))
}

// Source names the sender of a request: "user:NAME" once he is known by his credentials,
// until then "address:IP". It is "" outside of Receive.
func Source(ctx context.Context) string {
	s, ok := ctx.Value(senderKey{}).(*sender)
	switch {
	case !ok:
		return ""
	case s.name != "":
		return "user:" + s.name
	default:
		return "address:" + s.address
	}
}

func address(r *http.Request, trusted []netip.Prefix) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr // not of TCP
	}
	peer, err := netip.ParseAddr(host)
	if err != nil {
		return host
	}
	peer = peer.Unmap()
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(hops) {
		if !slices.ContainsFunc(trusted, func(p netip.Prefix) bool { return p.Contains(peer) }) {
			break
		}
		next, err := netip.ParseAddr(strings.TrimSpace(hop))
		if err != nil {
			break // what stands before it was not written by a proxy that we know
		}
		peer = next.Unmap().WithZone("")
	}
	return peer.String()
}
