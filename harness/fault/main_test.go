package fault

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

// deadline bounds what a test waits for; nothing normally takes a fraction of it.
const deadline = 5 * time.Second

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type armer interface {
	Arm(ctx context.Context, spec Spec) (Handle, error)
}

func arm(t *testing.T, p armer, spec Spec) Handle {
	t.Helper()
	h, err := p.Arm(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func remove(t *testing.T, h Handle) {
	t.Helper()
	if err := h.Remove(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// wantCounts checks a receipt's counts.
func wantCounts(t *testing.T, h Handle, matched, applied int64) {
	t.Helper()
	r := h.Receipt()
	if diff := cmp.Diff([]int64{matched, applied}, []int64{r.Matched, r.Applied}); diff != "" {
		t.Errorf("matched and applied of %s (-want +got):\n%s", r.Kind, diff)
	}
}
