package system

import (
	"fmt"
	"maps"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/stormproof/stormproof/harness/internal/owned"
)

// What is where inside of a Pod.
const (
	podDir    = "/etc/stormproof"
	podPublic = 8080
	podAdmin  = 8081
	// accountDir is where client-go looks for what Kubernetes gives a Pod.
	accountDir = "/var/run/secrets/kubernetes.io/serviceaccount"
	// accountName is the service account's, and its role's beside the namespace.
	accountName = "system"
	// tokenSeconds is the least that Kubernetes gives a token for that is longer than a scenario.
	tokenSeconds = 3600
)

// podPorts are the node's ports at which a Pod's listeners are reached.
type podPorts struct{ public, admin int }

// podValues are the placeholders of a Pod. There is no kubeconfig: a Pod asks Kubernetes as
// what it is, by its service account.
func podValues(spec Spec) map[string]string {
	values := spec.values()
	maps.Copy(values, map[string]string{"dir": podDir, "listen": fmt.Sprintf("0.0.0.0:%d", podPublic), "port": strconv.Itoa(podPublic),
		"admin": fmt.Sprintf("0.0.0.0:%d", podAdmin)})
	return values
}

// account is the service account of a world's Pods and what it may do, in every namespace:
// alerts name any. The home takes all of it along when it goes.
func (p Pod) account(home *corev1.Namespace) (*corev1.ServiceAccount, *rbacv1.ClusterRole, *rbacv1.ClusterRoleBinding) {
	everywhere := metav1.ObjectMeta{Name: home.Name, OwnerReferences: []metav1.OwnerReference{{APIVersion: "v1", Kind: "Namespace",
		Name: home.Name, UID: home.UID}}}
	owned.Inherit(&everywhere, home)
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: accountName, Namespace: home.Name}}
	owned.Inherit(account, home)
	return account, &rbacv1.ClusterRole{ObjectMeta: everywhere, Rules: p.Rules},
		&rbacv1.ClusterRoleBinding{ObjectMeta: *everywhere.DeepCopy(),
			RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: home.Name},
			Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: accountName, Namespace: home.Name}}}
}

// configMap holds the program's files and the API server's authority. Each start has its own:
// a kubelet may show a new Pod what a map of the same name held before.
func configMap(spec Spec, f filled) (*corev1.ConfigMap, map[string]string) {
	m := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{GenerateName: fmt.Sprintf("replica-%d-", spec.Replica), Namespace: spec.Home.Name},
		Immutable: new(true), Data: map[string]string{"ca.crt": string(spec.Kubernetes.CAData)}}
	owned.Inherit(m, spec.Home)
	keys := map[string]string{} // a key has no slashes
	for i, name := range slices.Sorted(maps.Keys(f.files)) {
		key := fmt.Sprintf("file-%d", i)
		keys[key], m.Data[key] = name, f.files[name]
	}
	return m, keys
}

// object is the Pod: as little rights as Kubernetes can give it, and never restarted, so
// that one that ends is seen to have ended.
func (p Pod) object(name string, spec Spec, f filled, files map[string]string, ports podPorts) (*corev1.Pod, error) {
	env, err := apiServer(spec.Kubernetes)
	if err != nil {
		return nil, err
	}
	for _, key := range slices.Sorted(maps.Keys(f.env)) {
		env = append(env, corev1.EnvVar{Name: key, Value: f.env[key]})
	}
	container := corev1.Container{Name: "system", Image: p.Image, ImagePullPolicy: corev1.PullNever, Command: []string{p.Path}, Args: f.args, Env: env,
		Ports: []corev1.ContainerPort{{Name: "public", ContainerPort: podPublic, HostPort: int32(ports.public)}},
		SecurityContext: &corev1.SecurityContext{AllowPrivilegeEscalation: new(false), ReadOnlyRootFilesystem: new(true),
			Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}}},
		VolumeMounts: []corev1.VolumeMount{{Name: "files", MountPath: podDir, ReadOnly: true}, {Name: "account", MountPath: accountDir, ReadOnly: true}}}
	if ports.admin != ports.public {
		container.Ports = append(container.Ports, corev1.ContainerPort{Name: "admin", ContainerPort: podAdmin, HostPort: int32(ports.admin)})
	}
	o := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: spec.Home.Name},
		Spec: corev1.PodSpec{Containers: []corev1.Container{container}, RestartPolicy: corev1.RestartPolicyNever,
			ServiceAccountName: accountName, AutomountServiceAccountToken: new(false), EnableServiceLinks: new(false),
			TerminationGracePeriodSeconds: new(int64(stopWithin.Seconds())), Volumes: volumes(name, files),
			SecurityContext: &corev1.PodSecurityContext{RunAsNonRoot: new(true), RunAsUser: new(int64(nobody)), RunAsGroup: new(int64(nobody)),
				FSGroup: new(int64(nobody)), SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}}}}
	owned.Inherit(o, spec.Home)
	return o, nil
}

// apiServer tells client-go's in-cluster configuration of another address than the cluster's
// own: that of the scenario's door.
func apiServer(door *rest.Config) ([]corev1.EnvVar, error) {
	u, err := url.Parse(door.Host)
	if err != nil {
		return nil, fmt.Errorf("reading the address of the Pod's way to Kubernetes: %w", err)
	}
	if u.Scheme != "https" {
		return nil, fmt.Errorf("the Pod's way to Kubernetes at %s speaks no TLS, and so cannot be given a token; expose it", door.Host)
	}
	return []corev1.EnvVar{{Name: "KUBERNETES_SERVICE_HOST", Value: u.Hostname()}, {Name: "KUBERNETES_SERVICE_PORT", Value: u.Port()}}, nil
}

// volumes are the program's files, and the account as every Pod has it.
func volumes(configMap string, files map[string]string) []corev1.Volume {
	from := func(items []corev1.KeyToPath) corev1.VolumeProjection {
		return corev1.VolumeProjection{ConfigMap: &corev1.ConfigMapProjection{LocalObjectReference: corev1.LocalObjectReference{Name: configMap}, Items: items}}
	}
	var items []corev1.KeyToPath
	for _, key := range slices.Sorted(maps.Keys(files)) {
		items = append(items, corev1.KeyToPath{Key: key, Path: strings.TrimPrefix(path.Clean(files[key]), "/")})
	}
	projected := func(name string, sources ...corev1.VolumeProjection) corev1.Volume {
		return corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{Sources: sources}}}
	}
	programFiles := projected("files")
	if len(items) > 0 {
		programFiles = projected("files", from(items))
	}
	return []corev1.Volume{programFiles, projected("account",
		corev1.VolumeProjection{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{Path: "token", ExpirationSeconds: new(int64(tokenSeconds))}},
		from([]corev1.KeyToPath{{Key: "ca.crt", Path: "ca.crt"}}))}
}
