//go:build controllers

package cluster

import (
	"context"
	"fmt"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func TestControllersMakeEnvtestBehaveAsACluster(t *testing.T) {
	g, ctx := NewWithT(t), t.Context()
	began := time.Now()
	c, err := Start(ctx, Options{Kind: Envtest, Controllers: true, Dir: t.TempDir()})
	g.Expect(err).NotTo(HaveOccurred())
	defer func() { g.Expect(c.Stop(context.Background())).To(Succeed()) }()
	t.Logf("up in %s", time.Since(began).Round(time.Millisecond))
	g.Expect(c.Controllers).To(BeTrue())
	g.Expect(c.Choice.Chosen).To(ContainSubstring("with kube-controller-manager"))
	cl, err := newClient(c.Config)
	g.Expect(err).NotTo(HaveOccurred())
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "controlled"}}
	g.Expect(cl.Create(ctx, ns)).To(Succeed())

	owner := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: ns.Name, Name: "owner"}}
	g.Expect(cl.Create(ctx, owner)).To(Succeed())
	owned := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: ns.Name, Name: "owned", OwnerReferences: []metav1.OwnerReference{
		{APIVersion: "v1", Kind: "ConfigMap", Name: owner.Name, UID: owner.UID}}}}
	g.Expect(cl.Create(ctx, owned)).To(Succeed())
	g.Expect(cl.Delete(ctx, owner)).To(Succeed())
	g.Expect(gone(ctx, cl, owned)).To(Succeed())

	const counted = corev1.ResourceSecrets
	quota := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Namespace: ns.Name, Name: "quota"},
		Spec: corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{counted: resource.MustParse("1")}}}
	g.Expect(cl.Create(ctx, quota)).To(Succeed())
	g.Expect(until(ctx, "the quota to have a status", func(ctx context.Context) (bool, string, error) {
		err := cl.Get(ctx, client.ObjectKeyFromObject(quota), quota)
		return len(quota.Status.Hard) == 1, fmt.Sprint(quota.Status), err
	})).To(Succeed())
	secret := func(name string) *corev1.Secret {
		return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: ns.Name, Name: name}}
	}
	g.Expect(cl.Create(ctx, secret("first"))).To(Succeed())
	g.Expect(apierrors.IsForbidden(cl.Create(ctx, secret("second")))).To(BeTrue())
	g.Expect(until(ctx, "the quota to count", func(ctx context.Context) (bool, string, error) {
		err := cl.Get(ctx, client.ObjectKeyFromObject(quota), quota)
		used := quota.Status.Used[counted]
		return used.Value() == 1, used.String(), err
	})).To(Succeed())

	g.Expect(cl.Delete(ctx, ns)).To(Succeed())
	g.Expect(gone(ctx, cl, ns)).To(Succeed())
	g.Expect(gone(ctx, cl, secret("first"))).To(Succeed())
}
