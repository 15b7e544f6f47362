package system

import (
	"context"
	"strings"
)

// Remote is a service that somebody else runs. It is never started, stopped or cleaned.
type Remote struct {
	// Public and Admin are base URLs; Admin is Public where empty.
	Public, Admin string
}

// Start is a Factory.
func (r Remote) Start(context.Context, Spec) (Instance, error) {
	if r.Admin == "" {
		r.Admin = r.Public
	}
	return remote{strings.TrimRight(r.Public, "/"), strings.TrimRight(r.Admin, "/")}, nil
}

type remote struct{ public, admin string }

func (r remote) URL() string                { return r.public }
func (r remote) AdminURL() string           { return r.admin }
func (r remote) Stop(context.Context) error { return nil }
