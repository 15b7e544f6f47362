package fault

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"time"

	"k8s.io/client-go/rest"

	"github.com/stormproof/stormproof/harness/internal/certificates"
)

// loopback is where everything listens that nobody outside of this machine needs.
const loopback = "127.0.0.1"

// outside are doors for clients on other machines, such as Pods: they speak TLS, because
// client-go gives its token to nobody who does not, and add no credentials of ours.
type outside struct {
	host string
	tls  *tls.Config
	ca   []byte
	// forward knows the upstream, and nobody's credentials.
	forward *httputil.ReverseProxy
	idle    func()
}

type lentKey struct{}

// Expose has the doors that are opened from now on listen at an address of this machine
// that others can reach, and speak TLS. Who comes in there has the rights of the credentials
// that he brings; only a fault that makes requests as another user lends him the proxy's own.
func (p *KubeProxy) Expose(host string) error {
	ip := net.ParseIP(host)
	if ip == nil {
		return fmt.Errorf("%q is no address to expose the Kubernetes proxy at", host)
	}
	set, err := certificates.Make(time.Now(), "stormproof kubernetes proxy", ip)
	if err != nil {
		return err
	}
	pair, err := tls.X509KeyPair(set.Cert, set.Key)
	if err != nil {
		return fmt.Errorf("reading the Kubernetes proxy's certificate: %w", err)
	}
	transport, idle, err := ownTransport(rest.AnonymousClientConfig(p.upstream))
	if err != nil {
		return fmt.Errorf("reading the API server's authority: %w", err)
	}
	forward := &httputil.ReverseProxy{Transport: transport, FlushInterval: -1, ErrorLog: p.forward.ErrorLog, ErrorHandler: unreachable,
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(p.target) }}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.outside = &outside{host: host, ca: set.CA, forward: forward, idle: idle,
		// HTTP/1.1, where a request has a connection of its own that a fault can break.
		tls: &tls.Config{Certificates: []tls.Certificate{pair}, NextProtos: []string{"http/1.1"}, MinVersion: tls.VersionTLS12}}
	return nil
}

// listenAt is where doors listen; a nil outside is loopback.
func (o *outside) listenAt() string {
	if o == nil {
		return net.JoinHostPort(loopback, "0")
	}
	return net.JoinHostPort(o.host, "0")
}

// wrap is what the server shall serve of a door's listener.
func (o *outside) wrap(l net.Listener) net.Listener {
	if o == nil {
		return l
	}
	return tls.NewListener(l, o.tls)
}

// config is for clients of the door at addr.
func (o *outside) config(addr string) *rest.Config {
	if o == nil {
		return &rest.Config{Host: "http://" + addr}
	}
	return &rest.Config{Host: "https://" + addr, TLSClientConfig: rest.TLSClientConfig{CAData: o.ca}}
}

func (o *outside) close() {
	if o != nil {
		o.idle()
	}
}

// lent marks a request that is made with the proxy's own credentials, whoever it is from.
func lent(r *http.Request) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), lentKey{}, true))
}

// pass gives a request to the API server, when no fault has kept it.
func (p *KubeProxy) pass(w http.ResponseWriter, r *http.Request) {
	if own, _ := r.Context().Value(lentKey{}).(bool); r.TLS == nil || own {
		p.forward.ServeHTTP(w, r)
		return
	}
	p.outside.forward.ServeHTTP(w, r)
}
