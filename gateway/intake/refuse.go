package intake

import (
	"github.com/stormproof/stormproof/gateway/remediation"
)

// Reasons beside those of Kubernetes.
const (
	// RedisUnavailable is the reason of a whole batch.
	RedisUnavailable = "redis-unavailable"
	// BatchUnfinished alerts are well: others of their batch have to be sent again, and nothing
	// of a batch is acknowledged before all is.
	BatchUnfinished = "batch-unfinished"
)

// RetryError says that nothing of a batch is acknowledged, because Kubernetes may take some of
// its alerts later. What the others need is there already.
type RetryError struct {
	// Verdicts of all alerts; every one is Refused.
	Verdicts []Verdict
	// Err is the first alert's failure that can be repeated.
	Err error
}

// Error says what happened to the first.
func (e *RetryError) Error() string { return e.Err.Error() }

// Unwrap returns the failure.
func (e *RetryError) Unwrap() error { return e.Err }

// fail keeps an error with the entry that it belongs to; one that is not about Kubernetes is
// handed back.
func (e *entry) fail(err error) error {
	if _, _, ok := remediation.ReasonOf(err); !ok {
		return err
	}
	e.failure = err
	return nil
}

// failAll does so for all that share one write.
func failAll(entries []*entry, err error) error {
	for _, e := range entries {
		if err := e.fail(err); err != nil {
			return err
		}
	}
	return nil
}

// unfinished is a *RetryError where some alert of the batch can be taken later.
func unfinished(chunks []*chunk) error {
	var first error
	for _, c := range chunks {
		for _, e := range c.entries {
			if _, retryable, ok := remediation.ReasonOf(e.failure); ok && retryable && first == nil {
				first = e.failure
			}
		}
	}
	if first == nil {
		return nil
	}
	out := &RetryError{Err: first}
	for _, c := range chunks {
		for _, v := range c.verdicts() {
			if v.Verdict != Refused {
				v = Verdict{Index: v.Index, Verdict: Refused, Fingerprint: v.Fingerprint, Namespace: v.Namespace, Name: v.Name,
					Reason: BatchUnfinished, Retryable: true}
			}
			out.Verdicts = append(out.Verdicts, v)
		}
	}
	return out
}

// refuse turns a verdict into one that says why the alert was not taken.
func refuse(v Verdict, failure error) Verdict {
	reason, retryable, _ := remediation.ReasonOf(failure)
	v.Verdict, v.Reason, v.Retryable, v.Detail = Refused, string(reason), retryable, failure.Error()
	return v
}
