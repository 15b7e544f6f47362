package panics_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/stormproof/stormproof/gateway/panics"
)

func fails(cause any) (err error) {
	defer panics.Caught(&err)
	if cause != nil {
		panic(cause)
	}
	return errors.New("its own")
}

func TestAPanicIsAnErrorWithItsStack(t *testing.T) {
	var e *panics.Error
	if err := fails("oh"); !errors.As(err, &e) || e.Cause != "oh" || !strings.Contains(string(e.Stack), "fails") || err.Error() != "panic: oh" {
		t.Errorf("%v", err)
	}
	if err := fails(nil); errors.As(err, new(*panics.Error)) {
		t.Errorf("an ordinary error became %v", err)
	}
}
