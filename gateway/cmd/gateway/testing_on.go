//go:build crashpoints

package main

import (
	"net/http"
	"time"

	"github.com/stormproof/stormproof/gateway/clock"
)

// clockAndTesting is a clock that POST /testing/clock?offset=5m1s sets. The offset counts
// from the wall clock, so that repeating a request changes nothing.
func clockAndTesting() (clock.Clock, http.Handler) {
	shifted := &clock.Shifted{}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /testing/clock", func(w http.ResponseWriter, r *http.Request) {
		offset, err := time.ParseDuration(r.URL.Query().Get("offset"))
		if err != nil {
			http.Error(w, "offset must be a duration such as 5m1s: "+err.Error(), http.StatusBadRequest)
			return
		}
		shifted.Set(offset)
		w.WriteHeader(http.StatusNoContent)
	})
	return shifted, mux
}
