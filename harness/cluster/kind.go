package cluster

import (
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"time"
)

// noKind says why there is no Kind cluster: the reason differs with what is missing.
func noKind(ctx context.Context, probe func(context.Context) error) error {
	if err := probe(ctx); err != nil {
		return &ErrUnavailable{What: "cluster", Reason: "no container daemon reachable",
			Fix: "use --cluster=envtest or --cluster=auto; Kind also arrives only with the next milestone", Err: err}
	}
	return &ErrUnavailable{What: "cluster", Reason: "Kind arrives with the next milestone",
		Fix: "use --cluster=envtest or --cluster=auto"}
}

// probeDaemon reports whether a Docker or Podman daemon listens where it usually does.
func probeDaemon(ctx context.Context) error {
	sockets := []string{"/var/run/docker.sock", "/run/podman/podman.sock"}
	if host, ok := strings.CutPrefix(os.Getenv("DOCKER_HOST"), "unix://"); ok {
		sockets = append([]string{host}, sockets...)
	}
	if dir := os.Getenv("XDG_RUNTIME_DIR"); dir != "" {
		sockets = append(sockets, dir+"/podman/podman.sock", dir+"/docker.sock")
	}
	var errs []error
	for _, path := range sockets {
		conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "unix", path)
		if err == nil {
			return conn.Close()
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
