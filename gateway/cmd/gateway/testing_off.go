//go:build !crashpoints

package main

import (
	"net/http"

	"github.com/stormproof/stormproof/gateway/clock"
)

// clockAndTesting is the wall clock, and nothing that a test could turn.
func clockAndTesting() (clock.Clock, http.Handler) { return clock.Real{}, nil }
