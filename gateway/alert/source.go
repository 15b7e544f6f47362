package alert

import "encoding/json"

// Source reads what one kind of sender posts. To add a source, write it in a file of its
// own and name it in Sources: the server gives it a route, and a test asks for its page in
// the OpenAPI document.
type Source interface {
	// Name is a DNS label. It stands in spec.source, in metrics, and at the end of the
	// route: /api/v1/alerts/NAME.
	Name() string
	// Parse reads one body. The error is a *SyntaxError where the body is not JSON, a
	// *DepthError where it nests too deeply, and a *FieldError where the payload as a whole
	// breaks the contract.
	Parse(body []byte, limits Limits) (Batch, error)
}

// Sources lists every source there is.
func Sources() []Source {
	return []Source{
		Alertmanager{},
		KubernetesEvent{},
	}
}

// Batch is a payload that was read. Every index of the payload's list is in exactly one of
// its three lists.
type Batch struct {
	// Alerts in the payload's order, without the invalid ones.
	Alerts  []Alert
	Invalid []Invalid
	// Skipped are indices, from 0, of what asks for nothing: Normal events.
	Skipped []int
	// Truncated is how many alerts the sender says that it left out.
	Truncated int
	// Alone makes a payload that holds only the element at an index, as the source takes it;
	// nil where the source cannot.
	Alone func(index int) json.RawMessage
}

// Len is how many alerts were received, valid or not.
func (b Batch) Len() int { return len(b.Alerts) + len(b.Invalid) + len(b.Skipped) }
