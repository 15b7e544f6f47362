package system

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// Clock is the request that moves a program's clock.
type Clock struct {
	// Method and Path, in which {{offset}} stands for the offset, for example 5m1s. It goes
	// to the private listener, where the program has one.
	Method, Path string
}

// set moves the clock of the program whose private listener is at base.
func (c Clock) set(ctx context.Context, base string, offset time.Duration) error {
	path := strings.ReplaceAll(c.Path, "{{offset}}", offset.String())
	req, err := http.NewRequestWithContext(ctx, c.Method, base+path, nil)
	if err != nil {
		return fmt.Errorf("building the clock's request: %w", err)
	}
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("moving the program's clock: %w", err)
	}
	said, err := io.ReadAll(io.LimitReader(res.Body, 500))
	if err = errors.Join(err, res.Body.Close()); err != nil {
		return fmt.Errorf("moving the program's clock: %w", err)
	}
	if res.StatusCode/100 != 2 {
		return fmt.Errorf("moving the program's clock: %s %s answered %s: %s", c.Method, path, res.Status, bytes.TrimSpace(said))
	}
	return nil
}
