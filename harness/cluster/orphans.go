package cluster

import (
	"context"
	"errors"
	"fmt"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	flowcontrolv1 "k8s.io/api/flowcontrol/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/stormproof/stormproof/harness/internal/owned"
)

// RemoveOrphans asks a cluster to remove what runs of the harness made there, carries the
// harness's label, and is over; it returns what that was. Nothing without the label is
// touched, and CustomResourceDefinitions stay: objects of others may depend on them.
func RemoveOrphans(ctx context.Context, kubeconfig string, over func(metav1.Object) bool) ([]string, error) {
	cl, err := orphanClient(kubeconfig)
	if err != nil {
		return nil, err
	}
	var removed []string
	var errs []error
	// The rights and the rules of a fault go before the namespaces, which take their time.
	for _, list := range []client.ObjectList{&flowcontrolv1.FlowSchemaList{}, &flowcontrolv1.PriorityLevelConfigurationList{},
		&admissionv1.ValidatingAdmissionPolicyBindingList{}, &admissionv1.ValidatingAdmissionPolicyList{},
		&rbacv1.ClusterRoleBindingList{}, &rbacv1.ClusterRoleList{}, &corev1.NamespaceList{}} {
		if err := cl.List(ctx, list, client.HasLabels{owned.Label}); err != nil {
			return removed, fmt.Errorf("looking for what killed runs left in the cluster: %w", err)
		}
		errs = append(errs, meta.EachListItem(list, func(item runtime.Object) error {
			o := item.(client.Object)
			if o.GetLabels()[owned.Label] == "" || o.GetDeletionTimestamp() != nil || !over(o) {
				return nil
			}
			uid := o.GetUID() // never another one that has got the name since
			if err := client.IgnoreNotFound(cl.Delete(ctx, o, client.Preconditions{UID: &uid})); err != nil {
				return fmt.Errorf("removing %T %s: %w", o, o.GetName(), err)
			}
			removed = append(removed, o.GetName())
			return nil
		}))
	}
	return removed, errors.Join(errs...)
}

func orphanClient(kubeconfig string) (client.Client, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("reading the kubeconfig %s: %w", kubeconfig, err)
	}
	cl, err := newClient(config)
	if err != nil {
		return nil, err
	}
	return cl, errors.Join(admissionv1.AddToScheme(cl.Scheme()), flowcontrolv1.AddToScheme(cl.Scheme()), rbacv1.AddToScheme(cl.Scheme()))
}
