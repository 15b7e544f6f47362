package gateway

import (
	"fmt"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/stormproof/stormproof/gateway/api/v1alpha1"
)

// fixedMapper knows the kinds that the gateway writes, so that it needs no discovery,
// and can start while the API server is down.
func fixedMapper() meta.RESTMapper {
	m := meta.NewDefaultRESTMapper([]schema.GroupVersion{v1alpha1.GroupVersion})
	for kind, plural := range map[string]string{"RemediationRequest": "remediationrequests", "StormPage": "stormpages"} {
		for _, kind := range []string{kind + "List", kind} { // a cache asks for the list's scope as well
			m.AddSpecific(v1alpha1.GroupVersion.WithKind(kind), v1alpha1.GroupVersion.WithResource(plural),
				v1alpha1.GroupVersion.WithResource(plural[:len(plural)-1]), meta.RESTScopeNamespace)
		}
	}
	for kind, plural := range map[schema.GroupVersionKind]string{
		authenticationv1.SchemeGroupVersion.WithKind("TokenReview"):        "tokenreviews",
		authorizationv1.SchemeGroupVersion.WithKind("SubjectAccessReview"): "subjectaccessreviews",
	} {
		m.AddSpecific(kind, kind.GroupVersion().WithResource(plural), kind.GroupVersion().WithResource(plural[:len(plural)-1]), meta.RESTScopeRoot)
	}
	m.AddSpecific(corev1.SchemeGroupVersion.WithKind("ConfigMap"), corev1.SchemeGroupVersion.WithResource("configmaps"),
		corev1.SchemeGroupVersion.WithResource("configmap"), meta.RESTScopeNamespace)
	return m
}

// installing has the API server serve the kinds; it is typed in the source tree.
const installing = "kubectl apply --server-side -f gateway/api/v1alpha1/crd"

// served says what to type where a list found no such kind: an empty namespace, or none, has
// an empty list.
func served(err error) error {
	if apierrors.IsNotFound(err) {
		return fmt.Errorf("the cluster does not serve RemediationRequests; install the CRDs, in the source tree: %s: %w", installing, err)
	}
	return err
}
