package cluster

import (
	"fmt"
	"os"
	"path/filepath"
)

// auditPolicy is cheap on purpose: who asked what and what came of it, for our own kinds,
// namespaces, and what a gateway needs of others, once a request; no bodies, nothing else. A
// watch, which ends with its client, is noted when it begins as well.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
omitManagedFields: true
rules:
  - level: Metadata
    resources: [{group: remediation.stormproof.io}]
  - level: Metadata
    resources: [{group: authentication.k8s.io}, {group: authorization.k8s.io}, {group: coordination.k8s.io}]
  - level: Metadata
    verbs: [create, delete]
    resources: [{group: "", resources: [namespaces]}]
  - level: Metadata
    resources: [{group: "", resources: [configmaps]}]
  - level: None
`

// auditArgs writes the policy beside the certificates and returns the API server's flags.
// The log is written line by line as requests end: what is there can be believed.
func auditArgs(dir, log string) (map[string]string, error) {
	policy := filepath.Join(dir, "audit-policy.yaml")
	if err := os.WriteFile(policy, []byte(auditPolicy), 0o600); err != nil {
		return nil, fmt.Errorf("writing the audit policy: %w", err)
	}
	return map[string]string{"audit-policy-file": policy, "audit-log-path": log, "audit-log-mode": "blocking",
		"audit-log-maxsize": "200", "audit-log-maxbackup": "1"}, nil
}

// auditLog is where the audit log lies: in the folder that ends with the API server. What
// belongs to a red scenario has been copied by then.
func auditLog(dir string) string { return filepath.Join(dir, "audit.log") }
