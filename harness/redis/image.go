package redis

import (
	"context"
	"errors"
	"strings"

	"github.com/stormproof/stormproof/harness/internal/containers"
)

const (
	// officialImage is pulled where no image is there and containers were asked for.
	officialImage = "redis:8-alpine"
	// ownImage is what ci/kind-offline/redis-image.sh makes.
	ownImage = "stormproof/redis"
)

// ContainerReady says which daemon and which image a container would use here, without
// pulling anything; the error is an *ErrUnavailable.
func ContainerReady(ctx context.Context) (string, error) {
	d, _, err := containers.Find(ctx)
	if err != nil {
		return "", err
	}
	image, err := localImage(ctx, d)
	return d.Name + " " + d.Version + " with " + image, err
}

// findImage is the daemon, the image for a server, and why these.
func findImage(ctx context.Context, opt Options) (d containers.Daemon, image, reason string, err error) {
	d, reason, err = containers.Find(ctx)
	if err != nil {
		return d, "", "", noDaemon(ctx, err)
	}
	if opt.Image != "" {
		return d, opt.Image, "its image was given", nil
	}
	image, err = localImage(ctx, d)
	if err == nil || opt.Kind != Container {
		return d, image, reason + "; the image is there", err
	}
	say(opt.Out, "redis: pulling %s, once\n", officialImage)
	if err := d.Pull(ctx, officialImage, opt.Out); err != nil {
		return d, "", "", noContainer(ctx, d.Name+" has no image of Redis, and none could be pulled",
			"make kind makes one without a registry", err)
	}
	return d, officialImage, reason + "; the official image was pulled", nil
}

// localImage is the newest one, official before ours.
func localImage(ctx context.Context, d containers.Daemon) (string, error) {
	all, err := d.Images(ctx, "redis")
	if err != nil {
		return "", noContainer(ctx, "the daemon does not list its images", containers.StartHint, err)
	}
	var official, own []string
	for _, image := range all {
		switch {
		case strings.HasPrefix(image, "redis:"), strings.Contains(image, "/library/redis:"):
			official = append(official, image)
		case strings.Contains(image, ownImage+":"):
			own = append(own, image)
		}
	}
	for _, images := range [][]string{official, own} {
		if image := containers.Newest(images); image != "" {
			return image, nil
		}
	}
	return "", noContainer(ctx, d.Name+" has no image of Redis",
		"type --redis=container, which pulls "+officialImage+", or make kind, which makes one without a registry", nil)
}

// noContainer keeps an interrupt what it is.
func noContainer(ctx context.Context, reason, fix string, cause error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return &ErrUnavailable{What: "redis", Reason: reason, Fix: fix + "; or use --redis=process", Err: cause}
}

// noDaemon says of a container of Redis what package containers says of the daemon.
func noDaemon(ctx context.Context, err error) error {
	if u, ok := errors.AsType[*ErrUnavailable](err); ok {
		return noContainer(ctx, u.Reason, u.Fix, u.Err)
	}
	return err
}
