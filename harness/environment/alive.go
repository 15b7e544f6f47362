package environment

import (
	"context"
	"fmt"
	"net"
	"time"

	"k8s.io/client-go/discovery"
)

// Alive reports whether both parts of a described environment answer, within two seconds;
// the error says which does not.
func (d Description) Alive(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	// A connection is enough: a Redis that answers no more is the scenarios' to notice.
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", d.Redis.Addr)
	if err != nil {
		return fmt.Errorf("its Redis at %s does not answer: %w", d.Redis.Addr, err)
	}
	if err := conn.Close(); err != nil {
		return fmt.Errorf("closing the connection to its Redis: %w", err)
	}
	config, err := d.RESTConfig()
	if err != nil {
		return err
	}
	config.Timeout = 2 * time.Second
	c, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return fmt.Errorf("building a client for its cluster: %w", err)
	}
	if err := c.RESTClient().Get().AbsPath("/readyz").Do(ctx).Error(); err != nil {
		return fmt.Errorf("its API server does not answer: %w", err)
	}
	return nil
}
