package intake_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/mock"

	"github.com/stormproof/stormproof/gateway/panics"
	"github.com/stormproof/stormproof/gateway/remediation"
	"github.com/stormproof/stormproof/gateway/window"
)

// TestAPanicWhileAlertsAreWrittenEndsItsBatchOnly: in the goroutines of a batch it would end
// the process.
func TestAPanicWhileAlertsAreWrittenEndsItsBatchOnly(t *testing.T) {
	p := newParts(t)
	p.decides([]window.Decision{{Kind: window.Open}}, nil)
	p.writer.EXPECT().Ensure(mock.Anything, mock.Anything).RunAndReturn(
		func(context.Context, remediation.Incident) (remediation.Found, error) { panic("boom") }).Once()
	_, err := p.Process(context.Background(), alerts("a"))
	var e *panics.Error
	if !errors.As(err, &e) || e.Cause != "boom" {
		t.Errorf("got %v, want the panic as an error", err)
	}
	p.windows.EXPECT().Decide(mock.Anything, mock.Anything, mock.Anything, mock.Anything).RunAndReturn(
		func(context.Context, window.Group, window.Request, []window.Item) ([]window.Decision, []window.Counts, error) {
			panic("again")
		}).Once()
	if _, err := p.Process(context.Background(), alerts("a")); !errors.As(err, &e) || e.Cause != "again" {
		t.Errorf("got %v, want the panic as an error", err)
	}
}
