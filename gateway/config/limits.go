package config

import (
	"errors"
	"time"

	"github.com/stormproof/stormproof/gateway/alert"
)

// Limits bound what one request may ask, and what all of them together may take.
type Limits struct {
	// BodyBytes bounds a body, as it comes and as it comes out of gzip.
	BodyBytes Bytes `yaml:"bodyBytes"`
	// Depth is how deep objects and lists may nest in a body.
	Depth int `yaml:"depth"`
	// Alerts in one request.
	Alerts int `yaml:"alerts"`
	// Labels of one alert, and annotations of one alert.
	Labels int `yaml:"labels"`
	// LabelBytes bounds the names and values of one alert's labels together.
	LabelBytes Bytes `yaml:"labelBytes"`
	// NameBytes bounds the name of a label or annotation. Values of annotations have no limit
	// of their own: what does not fit into an object is cut.
	NameBytes Bytes `yaml:"nameBytes"`

	// RequestTimeout is the deadline of one request, all retries included.
	RequestTimeout time.Duration `yaml:"requestTimeout"`
	// HeaderTimeout and ReadTimeout bound how long a client may take to send headers, and the
	// body, which RequestTimeout bounds, too. Who is slower is cut off: before the headers are
	// whole without an answer, afterwards with 503.
	HeaderTimeout time.Duration `yaml:"headerTimeout"`
	ReadTimeout   time.Duration `yaml:"readTimeout"`

	// InFlight is the number of requests that are worked on at once. Queue more wait for
	// their turn, QueueTimeout at most; then, and when there are more, the answer is 503. Many more
	// places than calls that Kubernetes takes at once only have all of them miss their deadline together.
	InFlight     int           `yaml:"inFlight"`
	Queue        int           `yaml:"queue"`
	QueueTimeout time.Duration `yaml:"queueTimeout"`
	// InFlightBytes bounds all bodies in memory together. Who needs more waits as long.
	InFlightBytes Bytes `yaml:"inFlightBytes"`
	Rate          Rate  `yaml:"rate"`

	// ParkedAlerts are the refused alerts that are kept to be looked at and sent again, and
	// ParkedBytes what they may take together; 0 keeps none.
	ParkedAlerts int   `yaml:"parkedAlerts"`
	ParkedBytes  Bytes `yaml:"parkedBytes"`
}

// Rate bounds how often one source may send.
type Rate struct {
	// PerSecond is how many requests, in the long run; 0 is no limit. Burst more may come at once.
	PerSecond float64 `yaml:"perSecond"`
	Burst     int     `yaml:"burst"`
	// Sources is how many are remembered: the one that was quiet longest is forgotten.
	Sources int `yaml:"sources"`
}

func defaultLimits() Limits {
	return Limits{
		BodyBytes: 16 << 20, Depth: 32, Alerts: 10000, Labels: 128, LabelBytes: 64 << 10, NameBytes: 1 << 10,
		RequestTimeout: 8 * time.Second, HeaderTimeout: 5 * time.Second, ReadTimeout: 5 * time.Second,
		InFlight: 64, Queue: 1024, QueueTimeout: time.Second, InFlightBytes: 256 << 20,
		Rate: Rate{Burst: 100, Sources: 1024}, ParkedAlerts: 1000, ParkedBytes: 8 << 20,
	}
}

// Payload is what package alert knows of the limits.
func (l Limits) Payload() alert.Limits {
	return alert.Limits{Depth: l.Depth, Alerts: l.Alerts, Labels: l.Labels, LabelBytes: int(l.LabelBytes), NameBytes: int(l.NameBytes)}
}

func (l Limits) validate() error {
	errs := []error{
		atLeast("limits.bodyBytes", int(l.BodyBytes), 1), atLeast("limits.depth", l.Depth, leastDepth),
		atLeast("limits.alerts", l.Alerts, 1), atLeast("limits.labels", l.Labels, 1),
		atLeast("limits.labelBytes", int(l.LabelBytes), 1), atLeast("limits.nameBytes", int(l.NameBytes), len(alert.LabelName)),
		positive("limits.requestTimeout", l.RequestTimeout), positive("limits.headerTimeout", l.HeaderTimeout),
		positive("limits.readTimeout", l.ReadTimeout), positive("limits.queueTimeout", l.QueueTimeout),
		atLeast("limits.inFlight", l.InFlight, 1), atLeast("limits.queue", l.Queue, 0),
		atLeast("limits.parkedAlerts", l.ParkedAlerts, 0), atLeast("limits.parkedBytes", int(l.ParkedBytes), 0),
		atLeast("limits.rate.burst", l.Rate.Burst, 1), atLeast("limits.rate.sources", l.Rate.Sources, 1),
	}
	if l.InFlightBytes < l.BodyBytes {
		errs = append(errs, wrong("limits.inFlightBytes", "one body of limits.bodyBytes must fit in: write at least %d", int64(l.BodyBytes)))
	}
	if int64(l.Labels)*int64(l.NameBytes) > mostNames {
		errs = append(errs, wrong("limits.nameBytes", "names alone could fill an object: limits.labels times limits.nameBytes must be %d or less", mostNames))
	}
	if l.Rate.PerSecond < 0 {
		errs = append(errs, wrong("limits.rate.perSecond", "%v must be 0, which is no limit, or more", l.Rate.PerSecond))
	}
	return errors.Join(errs...)
}

const (
	// leastDepth is that of Alertmanager's webhook: payload, alerts, alert, labels.
	leastDepth = 4
	// mostNames leaves room for values in an object, whose names are never cut.
	mostNames = 512 << 10
)
