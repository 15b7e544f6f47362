package remediation

import (
	"fmt"

	"github.com/stormproof/stormproof/gateway/alert"
)

// ObjectName is the name of an incident's object: at most 48 characters, a valid DNS-1123
// label whatever the alert is called. Half of the fingerprint (128 bits) keeps two alerts
// from ever sharing one.
func ObjectName(fingerprint string, incarnation int) string {
	return fmt.Sprintf("rr-%.32s-%d", fingerprint, incarnation)
}

// StormFingerprint identifies a storm: its group and the id that the windows gave it.
func StormFingerprint(groupKey, stormID string) string {
	return alert.Digest("storm", groupKey, stormID)
}

// StormName is the name of a storm's object.
func StormName(fingerprint string) string { return fmt.Sprintf("storm-%.32s-1", fingerprint) }

// PageName is the name of a storm's page; number counts from 1.
func PageName(storm string, number int32) string { return fmt.Sprintf("%s-p%04d", storm, number) }

// LabelValue cuts a fingerprint to what a label can hold.
func LabelValue(fingerprint string) string { return fingerprint[:min(len(fingerprint), 63)] }
