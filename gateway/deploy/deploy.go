// Package deploy holds the manifests of the gateway that its code can make wrong: rbac.yaml
// is what it may do at Kubernetes. The harness runs gateways by the same file.
package deploy

import (
	"bytes"
	_ "embed"
	"fmt"

	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"
)

//go:embed rbac.yaml
var rbac []byte

// Rules are those of all roles in rbac.yaml.
func Rules() ([]rbacv1.PolicyRule, error) {
	var out []rbacv1.PolicyRule
	for text := range bytes.SplitSeq(rbac, []byte("\n---\n")) {
		var role rbacv1.ClusterRole
		if err := yaml.UnmarshalStrict(text, &role); err != nil {
			return nil, fmt.Errorf("reading rbac.yaml: %w", err)
		}
		out = append(out, role.Rules...)
	}
	return out, nil
}
