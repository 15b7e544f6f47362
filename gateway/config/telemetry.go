package config

import (
	"errors"
	"net/url"
	"strings"
)

// Telemetry is what the gateway tells beside its metrics and its log.
type Telemetry struct {
	Traces Traces `yaml:"traces"`
}

// Traces says where spans go.
type Traces struct {
	// Endpoint is the URL of an OTLP receiver by HTTP, such as http://otel-collector:4318; "" is
	// none. With https the receiver's certificate is checked.
	Endpoint string `yaml:"endpoint"`
	// CAFile holds the authorities (PEM) that are trusted; "" are the system's.
	CAFile string `yaml:"caFile"`
	// HeadersFile holds headers for the receiver, such as credentials, one "Name: value" a line.
	HeadersFile string `yaml:"headersFile"`
	// SampleRatio is the part of the traces that begin here; one that the sender began is kept
	// or left as the sender says.
	SampleRatio float64 `yaml:"sampleRatio"`
}

func (t Telemetry) validate() error {
	const at = "telemetry.traces."
	x := t.Traces
	var errs []error
	if x.SampleRatio < 0 || x.SampleRatio > 1 {
		errs = append(errs, wrong(at+"sampleRatio", "%v must lie between 0 and 1: write for example 0.1 for one trace in ten", x.SampleRatio))
	}
	u, err := url.Parse(x.Endpoint)
	switch {
	case x.Endpoint == "" && (x.CAFile != "" || x.HeadersFile != ""):
		errs = append(errs, wrong(at+"endpoint", "other fields of telemetry.traces are set, and nothing would be sent: write for example http://otel-collector:4318, or remove them"))
	case x.Endpoint == "":
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		errs = append(errs, wrong(at+"endpoint", "this is no URL of a receiver: write for example http://otel-collector:4318"))
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		errs = append(errs, wrong(at+"endpoint", "the URL of a receiver has no user, query or fragment: write credentials into telemetry.traces.headersFile"))
	case u.Scheme == "http" && x.CAFile != "":
		errs = append(errs, wrong(at+"caFile", "telemetry.traces.endpoint is not encrypted: write https://%s, or remove the file", u.Host))
	}
	return errors.Join(errs...)
}

// URL is where spans are posted: the path is the one that OTLP says, unless the endpoint has another.
func (t Traces) URL() string {
	u, err := url.Parse(t.Endpoint)
	if err != nil || strings.Trim(u.Path, "/") != "" { // Validate tells of the error
		return t.Endpoint
	}
	return u.JoinPath("v1", "traces").String()
}
