package cluster

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	kindnodes "sigs.k8s.io/kind/pkg/cluster/nodes"
	"sigs.k8s.io/kind/pkg/cluster/nodeutils"
	"sigs.k8s.io/kind/pkg/exec"

	"github.com/stormproof/stormproof/harness/internal/containers"
)

const (
	// kubeletPort is one at which every node listens.
	kubeletPort  = "10250"
	reachedSoon  = 5 * time.Second
	nodeMustBeOf = "use a Docker whose daemon runs on this machine itself (not in a virtual machine, not rootless), or leave --system cluster out"
)

// Node is the one machine of a Kind cluster: a container of this machine. Pods on it and
// the harness reach each other over the containers' network.
type Node struct {
	// Cluster is Kind's name for the cluster, Daemon whose container the node is.
	Cluster string `json:"cluster"`
	Daemon  string `json:"daemon"`
	// DockerHost is where that daemon is, "" for the default.
	DockerHost string `json:"docker_host,omitempty"`
	// Address is where this machine reaches the node, Host where the node and its Pods reach
	// this machine; both are "" until Locate.
	Address string `json:"address,omitempty"`
	Host    string `json:"host,omitempty"`
}

// Locate asks the daemon for the addresses, and tries both ways: an error is an
// *ErrUnavailable that says which is closed.
func (n Node) Locate(ctx context.Context) (Node, error) {
	if err := containers.At(n.DockerHost); err != nil {
		return n, err
	}
	node, err := n.open()
	if err != nil {
		return n, err
	}
	said, err := containers.Named(n.Daemon).Ask(ctx, "inspect", "--format", "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{.Gateway}}\n{{end}}", node.String())
	if err != nil {
		return n, fmt.Errorf("asking for the network of %s: %w", node, err)
	}
	if n.Address, n.Host, err = addresses(said); err != nil {
		return n, closed(node, err)
	}
	return n, n.reach(ctx, node)
}

// addresses reads the node's and its gateway's from what the daemon says: a line for each network.
func addresses(said string) (node, gateway string, err error) {
	for line := range strings.Lines(said) {
		f := strings.Fields(line)
		if len(f) == 2 && net.ParseIP(f[0]) != nil && net.ParseIP(f[1]) != nil {
			return f[0], f[1], nil
		}
	}
	return "", "", fmt.Errorf("no network of it has an address and a gateway: %q", said)
}

func closed(node kindnodes.Node, err error) error {
	return &ErrUnavailable{What: "the way between " + node.String() + " and this machine", Reason: "it is closed", Fix: nodeMustBeOf, Err: err}
}

// reach opens a connection each way.
func (n Node) reach(ctx context.Context, node kindnodes.Node) error {
	ctx, cancel := context.WithTimeout(ctx, reachedSoon)
	defer cancel()
	there, err := new(net.Dialer).DialContext(ctx, "tcp", net.JoinHostPort(n.Address, kubeletPort))
	if err != nil {
		return closed(node, err)
	}
	_ = there.Close() // it has shown what it was for
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort(n.Host, "0"))
	if err != nil {
		return closed(node, fmt.Errorf("the gateway of its network is not on this machine: %w", err))
	}
	defer func() { _ = l.Close() }()                   // nothing was said
	_, port, _ := net.SplitHostPort(l.Addr().String()) // a listener's address has both parts
	back := node.CommandContext(ctx, "bash", "-c", "exec 3<>/dev/tcp/"+n.Host+"/"+port)
	if err := back.Run(); err != nil {
		return closed(node, fmt.Errorf("a firewall may stand between the node and %s: %w", n.Host, err))
	}
	return nil
}

// open finds the node's container.
func (n Node) open() (kindnodes.Node, error) {
	list, err := newProvider(n.Daemon, io.Discard).ListInternalNodes(n.Cluster)
	if err != nil {
		return nil, fmt.Errorf("looking for the nodes of %s: %w", n.Cluster, err)
	}
	if len(list) != 1 {
		return nil, fmt.Errorf("the Kind cluster %s has %d nodes, want one", n.Cluster, len(list))
	}
	return list[0], nil
}

// Load puts an image on the node, unless one of that name is there, and reports whether it did.
func (n Node) Load(ctx context.Context, image string, archive func(io.Writer) error) (bool, error) {
	node, err := n.open()
	if err != nil {
		return false, err
	}
	there, err := exec.Output(node.CommandContext(ctx, "ctr", "--namespace=k8s.io", "images", "ls", "--quiet", "name=="+image))
	if err != nil {
		return false, fmt.Errorf("asking %s for its images: %w", node, err)
	}
	if strings.TrimSpace(string(there)) != "" {
		return false, nil
	}
	from, to := io.Pipe()
	var writing sync.WaitGroup
	writing.Go(func() { _ = to.CloseWithError(archive(to)) }) // the reader gets its error
	err = nodeutils.LoadImageArchive(node, from)
	_ = from.Close() // lets a writer go whose reader has given up
	writing.Wait()
	if err != nil {
		return false, fmt.Errorf("putting the image %s on %s: %w", image, node, err)
	}
	return true, nil
}

// Kill sends SIGKILL to the first process of a container, which Kubernetes calls
// containerd://id. The kubelet has no such request: it sends SIGTERM first and gives two
// seconds at least, also when a Pod is deleted with no grace at all.
func (n Node) Kill(ctx context.Context, id string) error {
	node, err := n.open()
	if err != nil {
		return err
	}
	bare := strings.TrimPrefix(id, "containerd://")
	out, err := exec.CombinedOutputLines(node.CommandContext(ctx, "ctr", "--namespace=k8s.io", "tasks", "kill", "--signal", "SIGKILL", bare))
	if err != nil {
		return fmt.Errorf("killing container %s on %s: %w: %s", bare, node, err, strings.Join(out, " "))
	}
	return nil
}

// nodeOf describes the node of a cluster that was just made.
func nodeOf(k *kindCluster, daemon containers.Daemon) *Node {
	return &Node{Cluster: k.claim.Name, Daemon: daemon.Name, DockerHost: os.Getenv("DOCKER_HOST")}
}
