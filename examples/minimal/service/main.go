// Command service is a webhook receiver in about a hundred lines: a push to a repository
// becomes a ConfigMap that says which commit was pushed last. It knows nothing of
// Stormproof, which tests it from YAML alone; see the folder above.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"regexp"
	"strings"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

// push is the body of a hook.
type push struct {
	Delivery   string `json:"delivery"`
	Ref        string `json:"ref"`
	After      string `json:"after"`
	Repository struct {
		Name string `json:"full_name"`
	} `json:"repository"`
}

var commit = regexp.MustCompile(`^[0-9a-f]{40}$`)

// server writes pushes into one namespace.
type server struct {
	kube      kubernetes.Interface
	namespace string
}

func (s *server) hook(w http.ResponseWriter, r *http.Request) {
	var p push
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20)).Decode(&p); err != nil {
		http.Error(w, "the body is not JSON: "+err.Error(), http.StatusBadRequest)
		return
	}
	if p.Repository.Name == "" || p.Delivery == "" || !commit.MatchString(p.After) {
		http.Error(w, "delivery, repository.full_name and a commit in after are needed", http.StatusUnprocessableEntity)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), 5*time.Second)
	defer cancel()
	created, err := s.store(ctx, p)
	switch {
	case err != nil:
		log.Printf("delivery %s: %v", p.Delivery, err)
		w.Header().Set("Retry-After", "1")
		http.Error(w, "try again", http.StatusServiceUnavailable)
	case created:
		w.WriteHeader(http.StatusCreated)
	default:
		w.WriteHeader(http.StatusOK)
	}
}

// store makes a delivery durable. The name is that of the delivery, so that a delivery that
// comes twice, also because its first answer was lost, meets its own ConfigMap.
func (s *server) store(ctx context.Context, p push) (created bool, err error) {
	name := "push-" + strings.ToLower(p.Delivery)
	cm := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"app": "push-hook"}},
		Data: map[string]string{"repository": p.Repository.Name, "ref": p.Ref, "commit": p.After}}
	_, err = s.kube.CoreV1().ConfigMaps(s.namespace).Create(ctx, cm, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return false, nil
	}
	return err == nil, err
}

func run() error {
	listen := flag.String("listen", ":8080", "address to listen on")
	kubeconfig := flag.String("kubeconfig", "", "kubeconfig; without it the cluster that this runs in")
	namespace := flag.String("namespace", "default", "where ConfigMaps go")
	flag.Parse()
	config, err := clientcmd.BuildConfigFromFlags("", *kubeconfig)
	if err != nil {
		return fmt.Errorf("finding the cluster: %w", err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("building the client: %w", err)
	}
	s := &server{kube: client, namespace: *namespace}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /push", s.hook)
	mux.HandleFunc("GET /healthz", func(http.ResponseWriter, *http.Request) {})
	h := &http.Server{Addr: *listen, Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	drained := make(chan error, 1)
	context.AfterFunc(ctx, func() { drained <- h.Shutdown(context.WithoutCancel(ctx)) })
	if err := h.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-drained
}

func main() {
	if err := run(); err != nil {
		log.Fatal(err)
	}
}
