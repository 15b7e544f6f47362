package fault

import (
	"crypto/tls"
	"net"
	"net/http"
)

func kubeCutKind() Kind {
	return Kind{Target: Kubernetes, Name: Cut, Reads: ofReplica,
		Doc: "resets connections, with the requests and watches on them, and new ones before they say a word",
		// A cut is done where connections begin; a request that is there already passes.
		call: func(_ *call, _ *armed, w http.ResponseWriter, r *http.Request, next http.HandlerFunc) { next(w, r) }}
}

// cutOpen resets a connection that the fault is aimed at, and reports whether it did.
func cutOpen(a *armed, c clientConn) bool {
	if a.spec.Replica != 0 && a.spec.Replica != c.door || !a.hit() {
		return false
	}
	reset(c.Conn)
	return true
}

// reset closes a connection in the rudest way there is, under TLS without its farewell.
func reset(conn net.Conn) {
	if secure, ok := conn.(*tls.Conn); ok {
		conn = secure.NetConn()
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // on an error the client sees an orderly end instead
	}
	_ = conn.Close() // it is given up; there is nobody to tell
}
