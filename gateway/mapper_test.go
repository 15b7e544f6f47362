package gateway

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

func TestAKindThatIsNotServedIsToldWithTheCommandThatInstallsIt(t *testing.T) {
	missing := apierrors.NewNotFound(schema.GroupResource{Resource: "remediationrequests"}, "")
	if err := served(missing); !strings.Contains(err.Error(), installing) || !errors.Is(err, missing) {
		t.Errorf("%v; want the command, and the cause", err)
	}
	other := errors.New("connection refused")
	for _, err := range []error{nil, other} {
		if got := served(err); !errors.Is(got, err) || got != nil && strings.Contains(got.Error(), installing) {
			t.Errorf("%v became %v", err, got)
		}
	}
}

// TestTheCommandNamesWhatIsThere runs in gateway, a folder below the root of the source tree.
func TestTheCommandNamesWhatIsThere(t *testing.T) {
	fields := strings.Fields(installing)
	files, err := filepath.Glob(filepath.Join("..", fields[len(fields)-1], "*.yaml"))
	if err != nil || len(files) != 2 {
		t.Errorf("%q installs %v (%v); want both CRDs", installing, files, err)
	}
	for _, f := range files {
		if text, err := os.ReadFile(f); err != nil || !strings.Contains(string(text), "kind: CustomResourceDefinition") {
			t.Errorf("%s is no CRD (%v)", f, err)
		}
	}
}
