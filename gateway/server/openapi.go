package server

import (
	_ "embed"
	"net/http"
)

// openapi describes the public API. A test holds it against the routes and their answers.
//
//go:embed openapi.yaml
var openapi []byte

// describe serves the API's own description.
func describe(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/yaml")
	_, _ = w.Write(openapi) // a client that has gone needs none
}
