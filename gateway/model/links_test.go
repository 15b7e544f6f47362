package model

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/alicebob/miniredis/v2/server"
	"github.com/redis/go-redis/v9"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/stormproof/stormproof/gateway/api/v1alpha1"
)

// redisLink is a replica's way to Redis. Scripts are all that the windows ask for; anything
// else is nil and panics.
type redisLink struct {
	redis.UniversalClient
	by *replica
}

// redisError is an error that Redis answered with.
type redisError string

func (e redisError) Error() string { return string(e) }

// RedisError marks it for go-redis.
func (redisError) RedisError() {}

// EvalSha implements redis.Scripter.
func (l redisLink) EvalSha(ctx context.Context, sha string, keys []string, args ...any) *redis.Cmd {
	if text, known := l.by.world.scripts[sha]; known {
		return l.Eval(ctx, text, keys, args...)
	}
	cmd := redis.NewCmd(ctx)
	cmd.SetErr(redisError("NOSCRIPT"))
	return cmd
}

// frees begins the line of a call that forgets a deleted object.
const frees = "frees the window of"

// scriptCall is as much of the scripts' argument as the books need.
type scriptCall struct {
	Items []struct {
		UID         string  `json:"uid"`
		Fingerprint string  `json:"fp"`
		Episodes    []int64 `json:"e"`
	} `json:"items"`
}

// Eval implements redis.Scripter.
func (l redisLink) Eval(ctx context.Context, script string, keys []string, args ...any) *redis.Cmd {
	cmd := redis.NewCmd(ctx, "eval")
	w := l.by.world
	var call scriptCall
	if err := json.Unmarshal(args[0].([]byte), &call); err != nil {
		panic(err)
	}
	what := "asks the windows about"
	if len(call.Items) > 0 && call.Items[0].UID != "" {
		what = "counts"
	}
	if strings.HasSuffix(keys[2], ":r:free") {
		what = frees
	}
	for _, item := range call.Items {
		what += " " + w.letter(item.Fingerprint)
	}
	text, argv := string(args[0].([]byte)), []string(nil)
	if w.bug.lua != nil {
		script = w.bug.lua(script)
	}
	if w.bug.firstReads {
		slots, err := leave(ctx, l.by, true, "reads how many slots are taken", func() (string, error) { return w.redis("ZCARD", keys[0]) })
		if err != nil {
			cmd.SetErr(err)
			return cmd
		}
		argv = append(argv, slots)
	}
	reply, err := leave(ctx, l.by, true, what, func() (string, error) {
		if w.bug.freshMarker {
			w.runs++
			keys[2] += "-" + strconv.Itoa(w.runs)
		}
		command := append([]string{"EVAL", script, strconv.Itoa(len(keys))}, keys...)
		out, err := w.redis(append(append(command, text), argv...)...)
		if err == nil {
			w.books.script(attemptOf(ctx), call, out)
		}
		return out, err
	})
	if err != nil {
		cmd.SetErr(err)
	}
	cmd.SetVal(reply)
	return cmd
}

// redis asks the Redis of all replicas at once, without any network.
func (w *world) redis(args ...string) (string, error) {
	var out bytes.Buffer
	peer := server.NewPeer(bufio.NewWriter(&out))
	w.mini.Server().Dispatch(peer, args)
	peer.Flush()
	line, rest, _ := strings.Cut(out.String(), "\r\n")
	switch {
	case strings.HasPrefix(line, "-"):
		return "", redisError(line[1:])
	case strings.HasPrefix(line, "$"):
		return strings.TrimSuffix(rest, "\r\n"), nil
	}
	return strings.TrimLeft(line, ":+"), nil
}

// clusterLink is a replica's way to the API server.
type clusterLink struct {
	client.Client
	by   *replica
	over client.Client // what it leads to
}

func (l clusterLink) call(ctx context.Context, o client.Object, what string, do func(client.Object) error) error {
	w := l.by.world
	mine := o.DeepCopyObject().(client.Object)
	out, err := leave(ctx, l.by, false, what+" "+w.describe(o), func() (client.Object, error) {
		theirs := mine.DeepCopyObject().(client.Object)
		err := do(theirs)
		if err == nil && what != "reads" {
			w.books.writes(attemptOf(ctx), theirs)
		}
		return theirs, err
	})
	if err != nil {
		return err
	}
	switch into := o.(type) {
	case *v1alpha1.RemediationRequest:
		out.(*v1alpha1.RemediationRequest).DeepCopyInto(into)
	case *v1alpha1.StormPage:
		out.(*v1alpha1.StormPage).DeepCopyInto(into)
	}
	return nil
}

// Create implements client.Client.
func (l clusterLink) Create(ctx context.Context, o client.Object, opts ...client.CreateOption) error {
	return l.call(ctx, o, "creates", func(o client.Object) error { return l.over.Create(context.Background(), o, opts...) })
}

// Update implements client.Client.
func (l clusterLink) Update(ctx context.Context, o client.Object, opts ...client.UpdateOption) error {
	return l.call(ctx, o, "updates", func(o client.Object) error { return l.over.Update(context.Background(), o, opts...) })
}

// Get implements client.Client.
func (l clusterLink) Get(ctx context.Context, key client.ObjectKey, into client.Object, opts ...client.GetOption) error {
	into.SetName(key.Name)
	return l.call(ctx, into, "reads", func(o client.Object) error { return l.over.Get(context.Background(), key, o, opts...) })
}

// List implements client.Client.
func (l clusterLink) List(ctx context.Context, into client.ObjectList, opts ...client.ListOption) error {
	var o client.ListOptions
	o.ApplyOptions(opts)
	fresh := into.DeepCopyObject().(client.ObjectList)
	out, err := leave(ctx, l.by, false, "lists "+l.by.world.selected(o), func() (client.ObjectList, error) {
		list := fresh.DeepCopyObject().(client.ObjectList)
		return list, l.over.List(context.Background(), list, opts...)
	})
	if err != nil {
		return err
	}
	switch into := into.(type) {
	case *v1alpha1.RemediationRequestList:
		*into = *out.(*v1alpha1.RemediationRequestList)
	case *v1alpha1.StormPageList:
		*into = *out.(*v1alpha1.StormPageList)
	}
	return nil
}

// Status implements client.Client.
func (l clusterLink) Status() client.SubResourceWriter { return statusLink{link: l} }

type statusLink struct {
	client.SubResourceWriter
	link clusterLink
}

// Update implements client.SubResourceWriter.
func (s statusLink) Update(ctx context.Context, o client.Object, opts ...client.SubResourceUpdateOption) error {
	return s.link.call(ctx, o, "writes the status of", func(o client.Object) error {
		return s.link.over.Status().Update(context.Background(), o, opts...)
	})
}

// describe names an object by the alert that it stands for.
func (w *world) describe(o client.Object) string {
	if rr, ok := o.(*v1alpha1.RemediationRequest); ok {
		return w.object(rr)
	}
	if page, ok := o.(*v1alpha1.StormPage); ok && len(page.Spec.Members) > 0 {
		var members []string
		for _, m := range page.Spec.Members {
			members = append(members, w.letter(m.Fingerprint))
		}
		return fmt.Sprintf("page %d of storm %.8s with %s", page.Spec.Number, strings.TrimPrefix(page.Spec.Storm, "storm-"), strings.Join(members, " "))
	}
	return o.GetName()
}

func (w *world) object(rr *v1alpha1.RemediationRequest) string {
	if s, ok := strings.CutPrefix(rr.Name, "storm-"); ok {
		return fmt.Sprintf("storm %.8s", s)
	}
	for letter, fp := range w.fingerprints {
		if n, ours := strings.CutPrefix(rr.Name, "rr-"+fp[:32]); ours {
			return "object " + letter + n
		}
	}
	return rr.Name
}

func (w *world) selected(o client.ListOptions) string {
	if o.LabelSelector == nil {
		return "everything"
	}
	text := o.LabelSelector.String()
	for letter, fp := range w.fingerprints {
		text = strings.ReplaceAll(text, fp[:min(len(fp), 63)], letter)
	}
	return text
}
