//go:build controllers || containers

package cluster

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/stormproof/stormproof/harness/internal/wait"
)

// until waits with a deadline, and says what was seen last.
func until(ctx context.Context, what string, look func(ctx context.Context) (done bool, seen string, err error)) error {
	return wait.Until(ctx, what, 30*time.Second, 20*time.Millisecond, func(ctx context.Context) wait.Look {
		done, seen, err := look(ctx)
		return wait.Look{Done: done && err == nil, State: func() string { return seen }, Err: err}
	})
}

// gone waits until an object is not there any more.
func gone(ctx context.Context, cl client.Client, o client.Object) error {
	return until(ctx, o.GetName()+" to be gone", func(ctx context.Context) (bool, string, error) {
		err := cl.Get(ctx, client.ObjectKeyFromObject(o), o)
		return apierrors.IsNotFound(err), fmt.Sprintf("deleted at %v", o.GetDeletionTimestamp()), client.IgnoreNotFound(err)
	})
}
