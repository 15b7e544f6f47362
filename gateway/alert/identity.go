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
// depends on the alert and on nothing else: not on the order of labels, not on the state
// of a cluster.
func (id Identity) Fingerprint(a Alert) string {
	parts, _ := id.Parts(a)
	return digest(string(id.mode()), parts)
}

// Parts are the facts that make the alert's fingerprint, and the labels that do not, sorted.
func (id Identity) Parts(a Alert) (parts map[string]string, ignored []string) {
	if id.mode() == ByTarget {
		t := a.Target()
		return map[string]string{LabelName: a.Name(), "namespace": t.Namespace, "kind": t.Kind, "name": t.Name}, nil
	}
	parts = maps.Clone(a.Labels)
	for _, name := range id.Ignored {
		if _, ok := parts[name]; ok {
			ignored = append(ignored, name)
			delete(parts, name)
		}
	}
	slices.Sort(ignored)
	return parts, slices.Compact(ignored)
}

func (id Identity) mode() Mode {
	if id.Mode == ByTarget {
		return ByTarget
	}
	return ByLabels
}

// Version names the rule that makes fingerprints: v1, the form of what is hashed, which a
// test pins; the mode; and 8 digits that stand for the list of ignored labels. Fingerprints
// of two versions are not to be compared.
func (id Identity) Version() string {
	return "v1-" + string(id.mode()) + "-" + Digest(slices.Compact(slices.Sorted(slices.Values(id.Ignored)))...)[:8]
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
