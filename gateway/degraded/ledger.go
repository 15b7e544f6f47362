package degraded

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/stormproof/stormproof/gateway/api/v1alpha1"
	"github.com/stormproof/stormproof/gateway/remediation"
)

const (
	// labelLedger holds the tag of the ledger's group.
	labelLedger = "remediation.stormproof.io/ledger"
	// closedAt is when Redis had been taught what the ledger holds, RFC 3339.
	closedAt = "remediation.stormproof.io/closed-at"
	content  = "ledger.json.gz"
	// mostBytes leaves room below the 1 MiB that a ConfigMap may have.
	mostBytes = 900 << 10
)

// errClosed says that Redis knows what the ledger held.
var errClosed = errors.New("the ledger is closed: Redis is back for another replica")

// Ledgers are the ConfigMaps of one namespace.
type Ledgers struct {
	Client    client.Client
	Caller    remediation.Caller
	Namespace string
}

// ledger is a group's keys by name, as of the time of its newest decision.
type ledger struct {
	Keys   map[string]entry
	At     time.Time
	object corev1.ConfigMap
}

// entry is what a key holds, one of the three, and until when, in milliseconds since 1970.
type entry struct {
	Hash  map[string]string  `json:"h,omitempty"`
	Set   map[string]float64 `json:"z,omitempty"`
	Text  string             `json:"t,omitempty"`
	Until int64              `json:"u"`
}

// there reports whether the ledger exists.
func (l *ledger) there() bool { return l.object.ResourceVersion != "" }

// closed is zero for one that is in use.
func closed(o metav1.Object) time.Time {
	at, err := time.Parse(time.RFC3339Nano, o.GetAnnotations()[closedAt])
	if err != nil {
		return time.Time{}
	}
	return at
}

// read returns a group's ledger, an empty one where there is none.
func (s Ledgers) read(ctx context.Context, tag string) (*ledger, error) {
	l := &ledger{}
	key := client.ObjectKey{Namespace: s.Namespace, Name: "stormproof-ledger-" + tag}
	err := s.Caller.Do(ctx, "get", "configmaps", func(ctx context.Context) error { return s.Client.Get(ctx, key, &l.object) })
	if apierrors.IsNotFound(err) {
		l.object = corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: key.Name, Namespace: key.Namespace,
			Labels: map[string]string{v1alpha1.LabelManagedBy: v1alpha1.ManagedBy, labelLedger: tag}}}
		return l, nil
	}
	if err != nil {
		return nil, &remediation.UnavailableError{Doing: "reading ledger " + key.String(), Err: err}
	}
	packed, err := gzip.NewReader(bytes.NewReader(l.object.BinaryData[content]))
	if err == nil {
		err = json.NewDecoder(packed).Decode(l)
	}
	if err != nil {
		return nil, fmt.Errorf("ledger %s is unreadable, delete it: Kubernetes knows the incidents: %w", key, err)
	}
	return l, nil
}

// write keeps a ledger, unless another one was written since it was read: see stale.
func (s Ledgers) write(ctx context.Context, l *ledger) error {
	var packed bytes.Buffer
	zip := gzip.NewWriter(&packed)
	if err := errors.Join(json.NewEncoder(zip).Encode(l), zip.Close()); err != nil {
		return fmt.Errorf("packing ledger %s: %w", l.object.Name, err)
	}
	if packed.Len() > mostBytes {
		return fmt.Errorf("ledger %s is full: %d bytes, %d fit; its group goes on when Redis is back or old alerts expire", l.object.Name, packed.Len(), mostBytes)
	}
	l.object.BinaryData = map[string][]byte{content: packed.Bytes()}
	verb, do := "create", func(ctx context.Context) error { return s.Client.Create(ctx, l.object.DeepCopy()) }
	if l.there() {
		verb, do = "update", func(ctx context.Context) error { return s.Client.Update(ctx, l.object.DeepCopy()) }
	}
	if err := s.Caller.Do(ctx, verb, "configmaps", do); err != nil {
		return &remediation.UnavailableError{Doing: "writing ledger " + l.object.Name, Err: err}
	}
	return nil
}

// stale says that a ledger was written, made or deleted since it was read.
func stale(err error) bool {
	return apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) || apierrors.IsNotFound(err)
}

// all lists the ledgers, without what they hold.
func (s Ledgers) all(ctx context.Context) ([]metav1.PartialObjectMetadata, error) {
	var list metav1.PartialObjectMetadataList
	list.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("ConfigMapList"))
	err := s.Caller.Do(ctx, "list", "configmaps", func(ctx context.Context) error {
		return s.Client.List(ctx, &list, client.InNamespace(s.Namespace), client.HasLabels{labelLedger})
	})
	if err != nil {
		return nil, fmt.Errorf("listing ledgers in %s: %w", s.Namespace, err)
	}
	return list.Items, nil
}

// remove deletes a ledger as it was listed.
func (s Ledgers) remove(ctx context.Context, o *metav1.PartialObjectMetadata) error {
	as := client.Preconditions{UID: &o.UID, ResourceVersion: &o.ResourceVersion}
	err := s.Caller.Do(ctx, "delete", "configmaps", func(ctx context.Context) error { return s.Client.Delete(ctx, o, as) })
	if err != nil && !stale(err) {
		return fmt.Errorf("deleting ledger %s: %w", o.Name, err)
	}
	return nil
}
