package system

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/stormproof/stormproof/harness/internal/owned"
)

func homeNamespace() *corev1.Namespace {
	home := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "home", UID: "uid-1"}}
	owned.Mark(home, "run-1", time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	return home
}

func podObject(t *testing.T, door string) (*corev1.Pod, error) {
	t.Helper()
	p := Pod{Image: "stormproof.dev/system:1", Program: Program{Path: ImageProgram}}
	spec := Spec{Replica: 2, Home: homeNamespace(), Kubernetes: &rest.Config{Host: door}}
	return p.object("replica-2-x", spec, filled{env: map[string]string{"A": "1"}}, map[string]string{"file-0": "conf/x.yaml"}, podPorts{20001, 20002})
}

func TestAPodHasNoMoreRightsThanItNeeds(t *testing.T) {
	g := NewWithT(t)
	pod, err := podObject(t, "https://172.18.0.1:4000")
	g.Expect(err).NotTo(HaveOccurred())
	c := pod.Spec.Containers[0]
	g.Expect(*pod.Spec.SecurityContext.RunAsNonRoot).To(BeTrue())
	g.Expect(*c.SecurityContext.ReadOnlyRootFilesystem).To(BeTrue())
	g.Expect(*c.SecurityContext.AllowPrivilegeEscalation).To(BeFalse())
	g.Expect(c.SecurityContext.Capabilities.Drop).To(ConsistOf(corev1.Capability("ALL")))
	g.Expect(c.ImagePullPolicy).To(Equal(corev1.PullNever))
	g.Expect(pod.Spec.RestartPolicy).To(Equal(corev1.RestartPolicyNever), "an end must be seen")
	g.Expect(*pod.Spec.AutomountServiceAccountToken).To(BeFalse(), "the token that it gets goes with the door's authority")
	g.Expect(c.Env).To(ContainElements(corev1.EnvVar{Name: "KUBERNETES_SERVICE_HOST", Value: "172.18.0.1"},
		corev1.EnvVar{Name: "KUBERNETES_SERVICE_PORT", Value: "4000"}, corev1.EnvVar{Name: "A", Value: "1"}))
	g.Expect(pod.Labels).To(HaveKeyWithValue(owned.Label, "run-1"))
}

func TestAPodIsGivenNoTokenForADoorWithoutTLS(t *testing.T) {
	_, err := podObject(t, "http://172.18.0.1:4000")
	NewWithT(t).Expect(err).To(MatchError(ContainSubstring("speaks no TLS")))
}

func TestWhatAPodMayDoGoesWithItsHome(t *testing.T) {
	g := NewWithT(t)
	rules := []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"events"}, Verbs: []string{"list"}}}
	account, role, binding := Pod{Rules: rules}.account(homeNamespace())
	g.Expect(role.Rules).To(Equal(rules))
	g.Expect(binding.RoleRef.Name).To(Equal(role.Name))
	g.Expect(binding.Subjects).To(Equal([]rbacv1.Subject{{Kind: "ServiceAccount", Name: account.Name, Namespace: "home"}}))
	for _, o := range []metav1.Object{role, binding} {
		g.Expect(o.GetOwnerReferences()).To(HaveLen(1))
		g.Expect(o.GetOwnerReferences()[0].UID).To(BeEquivalentTo("uid-1"))
		g.Expect(o.GetLabels()).To(HaveKeyWithValue(owned.Label, "run-1"))
	}
}

// status is a Pod whose container is in a state.
func status(phase corev1.PodPhase, state corev1.ContainerState) *corev1.Pod {
	return &corev1.Pod{Status: corev1.PodStatus{Phase: phase, ContainerStatuses: []corev1.ContainerStatus{{State: state}}}}
}

func ended(code int32, at time.Time) corev1.ContainerState {
	return corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: code, FinishedAt: metav1.NewTime(at)}}
}

func TestTheLastWordOfAPod(t *testing.T) {
	asked := time.Date(2026, 1, 1, 0, 0, 10, 500, time.UTC)
	for name, tc := range map[string]struct {
		last *corev1.Pod
		want string
	}{
		"it ended as it should":          {status(corev1.PodSucceeded, ended(0, asked.Truncate(time.Second))), ""},
		"the signal is not handled":      {status(corev1.PodFailed, ended(143, asked)), ""},
		"well, but before it was asked":  {status(corev1.PodSucceeded, ended(0, asked.Add(-3*time.Second))), "ended by itself: exit status 0"},
		"with an error":                  {status(corev1.PodFailed, ended(66, asked)), "ended badly after SIGTERM: exit status 66"},
		"its grace was over":             {status(corev1.PodFailed, ended(137, asked)), "exit status 137 (signal 9)"},
		"nobody knows":                   {status(corev1.PodRunning, corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}), "nobody knows"},
		"it was evicted and never ended": {&corev1.Pod{Status: corev1.PodStatus{Phase: corev1.PodFailed, Reason: "Evicted"}}, "Evicted"},
	} {
		t.Run(name, func(t *testing.T) {
			over := make(chan struct{})
			close(over)
			i := &pod{log: "/nonexistent", state: &podState{last: tc.last}, lines: &podLog{over: over}}
			err := i.lastWord(asked)
			if tc.want == "" {
				NewWithT(t).Expect(err).NotTo(HaveOccurred())
				return
			}
			NewWithT(t).Expect(err).To(MatchError(ContainSubstring(tc.want)))
		})
	}
}

func TestAPodThatWillNeverRunIsNotWaitedFor(t *testing.T) {
	waiting := func(reason string) *corev1.Pod {
		return status(corev1.PodPending, corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason}})
	}
	g := NewWithT(t)
	g.Expect(hopeless(waiting("ContainerCreating"))).NotTo(HaveOccurred())
	g.Expect(hopeless(&corev1.Pod{})).NotTo(HaveOccurred())
	g.Expect(hopeless(waiting("ErrImageNeverPull"))).To(MatchError(ContainSubstring("ErrImageNeverPull")))
	g.Expect(hopeless(status(corev1.PodFailed, ended(3, time.Now())))).To(MatchError(ContainSubstring("exit status 3")))
}
