package play

import (
	"context"
	"errors"
	"fmt"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/stormproof/stormproof/harness/internal/wait"
)

// grantedWithin bounds how long the API server may take to act on a RoleBinding.
const grantedWithin = 10 * time.Second

// granted waits until the API server acts on a RoleBinding that was just made: it hears of it
// by a watch of its own, and says no until then.
func (w *world) granted(ctx context.Context, object *unstructured.Unstructured) error {
	if object.GetKind() != "RoleBinding" {
		return nil
	}
	binding, role := &rbacv1.RoleBinding{}, &rbacv1.Role{}
	err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, binding)
	if err == nil {
		err = w.kube.Get(ctx, client.ObjectKey{Namespace: binding.Namespace, Name: binding.RoleRef.Name}, role)
	}
	if err == nil && (len(binding.Subjects) == 0 || len(role.Rules) == 0) {
		err = errors.New("it gives nobody a right")
	}
	if err != nil {
		return fmt.Errorf("reading RoleBinding %s: %w", binding.Name, err)
	}
	to, rule := binding.Subjects[0], role.Rules[0]
	name := ""
	if len(rule.ResourceNames) > 0 {
		name = rule.ResourceNames[0]
	}
	return wait.Until(ctx, "the API server acts on RoleBinding "+binding.Name, grantedWithin, 5*time.Millisecond, func(ctx context.Context) wait.Look {
		review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
			User: "system:serviceaccount:" + to.Namespace + ":" + to.Name,
			ResourceAttributes: &authorizationv1.ResourceAttributes{Namespace: binding.Namespace, Verb: rule.Verbs[0], Group: rule.APIGroups[0],
				Resource: rule.Resources[0], Name: name}}}
		err := w.kube.Create(ctx, review)
		return wait.Look{Done: err == nil && review.Status.Allowed, Err: err}
	})
}
