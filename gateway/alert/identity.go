package alert

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"maps"
	"slices"
)

// Mode says which facts of an alert make its identity.
type Mode string

// The modes.
const (
	// ByLabels takes all labels but the ignored ones: two disks of one node stay two incidents.
	ByLabels Mode = "labels"
	// ByTarget takes the alert's name and its target only.
	ByTarget Mode = "target"
)

// Identity computes fingerprints and storm groups.
type Identity struct {
	Mode Mode
	// Ignored labels never take part in a fingerprint.
	Ignored []string
}

// Fingerprint is the lower-case hex SHA-256 (64 digits) of what identifies the alert. It
// does not depend on the order of labels.
func (id Identity) Fingerprint(a Alert) string {
	if id.Mode == ByTarget {
		t := a.Target()
		return digest("target", map[string]string{
			LabelName: a.Name(), "namespace": t.Namespace, "kind": t.Kind, "name": t.Name})
	}
	labels := maps.Clone(a.Labels)
	for _, name := range id.Ignored {
		delete(labels, name)
	}
	return digest("labels", labels)
}

// digest hashes sorted pairs. Every string is preceded by its length, so that no two
// different sets encode to the same bytes, whatever characters they hold.
func digest(domain string, pairs map[string]string) string {
	h := sha256.New()
	writeString(h, domain)
	for _, k := range slices.Sorted(maps.Keys(pairs)) {
		writeString(h, k)
		writeString(h, pairs[k])
	}
	return hex.EncodeToString(h.Sum(nil))
}

func writeString(h hash.Hash, s string) {
	var size [8]byte
	binary.BigEndian.PutUint64(size[:], uint64(len(s)))
	// A hash.Hash never returns an error.
	_, _ = h.Write(size[:])
	_, _ = h.Write([]byte(s))
}

// Digest is the hex SHA-256 of the parts, each preceded by its length.
func Digest(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		writeString(h, p)
	}
	return hex.EncodeToString(h.Sum(nil))
}
