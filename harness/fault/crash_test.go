package fault

import (
	"os"
	"path/filepath"
	"testing"

	. "github.com/onsi/gomega"
)

func TestACrashPointIsAFileAndItsReceiptTheRenamedFile(t *testing.T) {
	g := NewWithT(t)
	dir := t.TempDir()
	point := filepath.Join(dir, "written")
	h, err := ArmCrash(dir, "boom", "written")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(point).To(BeAnExistingFile())
	g.Expect(h.Receipt()).To(Equal(Receipt{ID: "boom", Target: Process, Kind: Crash, Planned: 1}))
	g.Expect(os.Rename(point, point+".hit")).To(Succeed()) // what the program does
	hit := Receipt{ID: "boom", Target: Process, Kind: Crash, Planned: 1, Matched: 1, Applied: 1}
	g.Expect(h.Receipt()).To(Equal(hit))
	g.Expect(h.Remove(t.Context())).To(Succeed())

	t.Log("armed again, the same point starts from nothing, and the first receipt stays")
	again, err := ArmCrash(dir, "boom-again", "written")
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(again.Receipt().Applied).To(BeZero())
	g.Expect(h.Receipt()).To(Equal(hit))
	g.Expect(again.Remove(t.Context())).To(Succeed())
	g.Expect(again.Remove(t.Context())).To(Succeed())
	g.Expect(point).NotTo(BeAnExistingFile(), "a point that is healed kills nobody")
	g.Expect(again.Receipt().Applied).To(BeZero())
}

func TestACrashPointsNameStaysInItsFolder(t *testing.T) {
	for _, name := range []string{"", "../x", "a/b"} {
		_, err := ArmCrash(t.TempDir(), "x", name)
		var wrong *SpecError
		NewWithT(t).Expect(err).To(BeAssignableToTypeOf(wrong), name)
	}
}
