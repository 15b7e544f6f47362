package cluster

import (
	"context"
	"io"
	"strings"

	"sigs.k8s.io/kind/pkg/apis/config/defaults"
	"sigs.k8s.io/kind/pkg/log"

	"github.com/stormproof/stormproof/harness/internal/containers"
)

// Repositories of node images.
const (
	officialNode = "kindest/node"
	// ownNode is what ci/kind-offline/node-image.sh makes.
	ownNode = "stormproof/kind-node"
)

// KindReady says which daemon and which node image a Kind cluster would use here, without
// pulling anything; the error is an *ErrUnavailable.
func KindReady(ctx context.Context) (string, error) {
	d, _, err := containers.Find(ctx)
	if err != nil {
		return "", err
	}
	image, err := localNodeImage(ctx, d)
	return d.Name + " " + d.Version + " with " + image, err
}

// nodeImage is the image for the node, and where it is from. Where none is there, Kind's
// own choice is pulled, if Kind was asked for.
func nodeImage(ctx context.Context, d containers.Daemon, opt Options) (image, from string, err error) {
	image, err = localNodeImage(ctx, d)
	if err == nil || opt.Kind != Kind {
		return image, "the node image is there", err
	}
	say(opt.Out, "cluster: pulling %s, once\n", defaults.Image)
	if err := d.Pull(ctx, defaults.Image, opt.Out); err != nil {
		return "", "", noKind(ctx, d.Name+" has no node image, and none could be pulled", "make kind makes one without a registry", err)
	}
	return defaults.Image, "the official node image was pulled", nil
}

// localNodeImage is Kind's own choice if it is there, else the newest one, official before
// ours.
func localNodeImage(ctx context.Context, d containers.Daemon) (string, error) {
	if d.Has(ctx, defaults.Image) {
		return defaults.Image, nil
	}
	for _, repository := range []string{officialNode, ownNode} {
		local, err := d.Images(ctx, repository)
		if err != nil {
			return "", noKind(ctx, "the daemon does not list its images", containers.StartHint, err)
		}
		if image := containers.Newest(local); image != "" {
			return image, nil
		}
	}
	return "", noKind(ctx, d.Name+" has no node image",
		"type --cluster=kind, which pulls "+defaults.Image+", or make kind, which makes one without a registry", nil)
}

// bare images are ours: they lack what only a registry has.
func bare(image string) bool { return strings.Contains(image, ownNode+":") }

// kindLog writes what Kind says, kubeadm's output included, to a file.
type kindLog struct{ w io.Writer }

// kindLevel has the output of kubeadm and leaves out the contents of files.
const kindLevel = 3

func (l kindLog) line(format string, args ...any) { say(l.w, format+"\n", args...) }

// Warn writes a line.
func (l kindLog) Warn(message string) { l.line("%s", message) }

// Warnf writes a line.
func (l kindLog) Warnf(format string, args ...any) { l.line(format, args...) }

// Error writes a line.
func (l kindLog) Error(message string) { l.line("%s", message) }

// Errorf writes a line.
func (l kindLog) Errorf(format string, args ...any) { l.line(format, args...) }

// V leaves out what is too much.
func (l kindLog) V(level log.Level) log.InfoLogger {
	if level > kindLevel {
		return log.NoopInfoLogger{}
	}
	return kindInfo{l}
}

type kindInfo struct{ kindLog }

// Info writes a line.
func (l kindInfo) Info(message string) { l.line("%s", message) }

// Infof writes a line.
func (l kindInfo) Infof(format string, args ...any) { l.line(format, args...) }

// Enabled says yes.
func (l kindInfo) Enabled() bool { return true }
