package fault

import (
	"net/http"
	"strconv"
	"time"
)

func sinkStatusKind() Kind {
	return Kind{Target: Sink, Name: Status, Reads: with(ofSink, "code", "retryAfter"),
		Doc:   "answers code in the receiver's place",
		check: checkStatus,
		door: func(a *armed, w http.ResponseWriter, _ *http.Request) int {
			if a.spec.RetryAfter > 0 {
				w.Header().Set("Retry-After", strconv.Itoa(a.spec.RetryAfter))
			}
			http.Error(w, "fault "+a.spec.ID+" was injected", a.spec.Code)
			return a.spec.Code
		}}
}

func sinkLatencyKind() Kind {
	return Kind{Target: Sink, Name: Latency, Reads: with(ofSink, "delay"),
		Doc:   "answers after delay",
		check: checkDelay,
		door: func(a *armed, _ http.ResponseWriter, r *http.Request) int {
			timer := time.NewTimer(a.spec.Delay)
			defer timer.Stop()
			select {
			case <-timer.C:
			case <-a.gone:
			case <-r.Context().Done():
			}
			return 0
		}}
}

func sinkHangKind() Kind {
	return Kind{Target: Sink, Name: Hang, Reads: ofSink,
		Doc: "takes a delivery and never answers",
		door: func(a *armed, _ http.ResponseWriter, r *http.Request) int {
			select {
			case <-a.gone:
			case <-r.Context().Done():
			}
			return -1
		}}
}
