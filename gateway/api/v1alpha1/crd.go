package v1alpha1

import "embed"

// CRDs holds the generated CustomResourceDefinition manifests, under "crd/", so that a
// harness or an installer needs no file from this repository's tree.
//
//go:embed crd/*.yaml
var CRDs embed.FS
