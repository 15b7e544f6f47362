package environment

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
	"k8s.io/client-go/discovery"
)

// Alive reports whether both parts of a described environment answer, within two seconds;
// the error says which does not.
func (d Description) Alive(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	client := redis.NewClient(&redis.Options{Addr: d.Redis.Addr, Password: d.Redis.Password, MaxRetries: -1})
	err := client.Ping(ctx).Err()
	if err = errors.Join(err, client.Close()); err != nil {
		return fmt.Errorf("its Redis at %s does not answer: %w", d.Redis.Addr, err)
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
