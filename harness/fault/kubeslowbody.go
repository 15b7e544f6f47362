package fault

import (
	"fmt"
	"net/http"
	"time"
)

// slowAnswer writes a body at the fault's rate, in pieces of a twentieth of a second.
type slowAnswer struct {
	http.ResponseWriter
	a *armed
	// gone is closed when the client has gone.
	gone <-chan struct{}
}

// Write implements http.ResponseWriter.
func (s *slowAnswer) Write(data []byte) (int, error) {
	rate := s.a.spec.BytesPerSecond
	flush := http.NewResponseController(s.ResponseWriter)
	written := 0
	for written < len(data) {
		piece := min(len(data)-written, int(max(1, rate/20)))
		s.pause(time.Duration(piece) * time.Second / time.Duration(rate))
		n, err := s.ResponseWriter.Write(data[written : written+piece])
		written += n
		if err != nil {
			return written, err
		}
		if err := flush.Flush(); err != nil {
			return written, err
		}
	}
	return written, nil
}

func (s *slowAnswer) pause(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-s.a.gone:
	case <-s.gone:
	}
}

// Unwrap lets http.ResponseController find what can flush and hijack.
func (s *slowAnswer) Unwrap() http.ResponseWriter { return s.ResponseWriter }

func kubeSlowBodyKind() Kind {
	return Kind{Target: Kubernetes, Name: SlowBody, Reads: with(ofRequest, "bytesPerSecond"),
		Doc: "sends the body of an answer at bytesPerSecond",
		check: func(s Spec) *SpecError {
			if s.BytesPerSecond < 1 {
				return &SpecError{"bytesPerSecond", fmt.Sprintf("%d is not a rate", s.BytesPerSecond), "write at least 1"}
			}
			return nil
		},
		call: func(_ *call, a *armed, w http.ResponseWriter, r *http.Request, next http.HandlerFunc) {
			next(&slowAnswer{ResponseWriter: w, a: a, gone: r.Context().Done()}, r)
		}}
}
