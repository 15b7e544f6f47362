package auth_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stormproof/stormproof/gateway/auth"
	"github.com/stormproof/stormproof/gateway/config"
)

const secretA, secretB = "aaaaaaaaaaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbbbbbbbbbb"

func sign(secret, id string, at time.Time, body string) []string {
	stamp := fmt.Sprint(at.Unix())
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(id + "." + stamp + "." + body))
	return []string{"webhook-id", id, "webhook-timestamp", stamp, "webhook-signature", "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))}
}

// signed is a gate that knows secretA as the sender ci.
func signed(t *testing.T, more ...func(*auth.Options)) (*fixture, string) {
	t.Helper()
	path := write(t, filepath.Join(t.TempDir(), "secret"), "whsec_"+base64.StdEncoding.EncodeToString([]byte(secretA))+"\n")
	return newFixture(t, func(c *config.Auth) { c.HMAC.Keys = []config.HMACKey{{Name: "ci", File: path}} }, more...), path
}

func TestSignatures(t *testing.T) {
	f, path := signed(t)
	now := f.clock.Now()
	if status, source, _ := f.send(t, sign(secretA, "msg_1", now, "{}")...); status != 0 || source != "user:ci" {
		t.Errorf("a good one: %d from %q", status, source)
	}
	f.want(t, "replayed", 401, sign(secretA, "msg_1", now, "{}")...)
	f.want(t, "signed anew", 0, sign(secretA, "msg_1", now.Add(time.Second), "{}")...)
	f.want(t, "another body", 401, sign(secretA, "msg_2", now, "{ }")...)
	f.want(t, "another secret", 401, sign(secretB, "msg_3", now, "{}")...)
	f.want(t, "as old as allowed", 0, sign(secretA, "msg_4", now.Add(-5*time.Minute+2*time.Second), "{}")...)
	f.want(t, "older", 401, sign(secretA, "msg_5", now.Add(-5*time.Minute-2*time.Second), "{}")...)
	f.want(t, "as far ahead as allowed", 0, sign(secretA, "msg_6", now.Add(5*time.Minute-2*time.Second), "{}")...)
	f.want(t, "farther", 401, sign(secretA, "msg_7", now.Add(5*time.Minute+2*time.Second), "{}")...)

	both := sign(secretB, "msg_8", now, "{}")
	both[5] += " v1a,AAAA v1,!!! " + sign(secretA, "msg_8", now, "{}")[5]
	f.want(t, "one of several signatures", 0, both...)

	write(t, path, base64.StdEncoding.EncodeToString([]byte(secretB))+"\n"+base64.StdEncoding.EncodeToString([]byte(secretA)))
	f.want(t, "the old secret while it changes", 0, sign(secretA, "msg_9", now, "{}")...)
	f.want(t, "the new secret while it changes", 0, sign(secretB, "msg_10", now, "{}")...)
	write(t, path, base64.StdEncoding.EncodeToString([]byte(secretB)))
	f.want(t, "the old secret afterwards", 401, sign(secretA, "msg_11", now, "{}")...)
}

func TestSignaturesThatCannotBeRead(t *testing.T) {
	f, _ := signed(t)
	good := sign(secretA, "msg", f.clock.Now(), "{}")
	for what, change := range map[string]func(h []string) []string{
		"no id":             func(h []string) []string { return h[2:] },
		"no time":           func(h []string) []string { return append(h[:2], h[4:]...) },
		"no signature":      func(h []string) []string { return h[:4] },
		"an empty id":       func(h []string) []string { h[1] = ""; return h },
		"a full stop":       func(h []string) []string { h[1] = "a.b"; return h },
		"a long id":         func(h []string) []string { h[1] = strings.Repeat("a", 257); return h },
		"two ids":           func(h []string) []string { return append(h, "webhook-id", "x") },
		"a time in words":   func(h []string) []string { h[3] = "now"; return h },
		"an enormous time":  func(h []string) []string { h[3] = "99999999999999999999"; return h },
		"the greatest time": func(h []string) []string { h[3] = "9223372036854775807"; return h },
		"another version":   func(h []string) []string { h[5] = "v2" + h[5][2:]; return h },
		"a cut signature":   func(h []string) []string { h[5] = h[5][:20]; return h },
	} {
		f.want(t, what, 401, change(append([]string{}, good...))...)
	}
}

func TestAMessageThatWasNotAcknowledgedMayComeAgain(t *testing.T) {
	f, _ := signed(t)
	m := sign(secretA, "msg", f.clock.Now(), "{}")
	_, _, settle := f.send(t, m...)
	f.want(t, "while it is under way", 401, m...)
	settle(false)
	_, _, settle = f.send(t, m...)
	if settle == nil {
		t.Fatal("it was refused")
	}
	settle(true)
	f.want(t, "acknowledged", 401, m...)
}

func TestReplicasShareWhatWasUsedAndKeysEnd(t *testing.T) {
	f, _ := signed(t)
	m := sign(secretA, "msg", f.clock.Now(), "{}")
	f.want(t, "the first", 0, m...)
	other, err := auth.New(f.o)
	if err != nil {
		t.Fatal(err)
	}
	(&fixture{Gate: other}).want(t, "the other replica", 401, m...)
	for _, key := range f.redis.Keys() {
		if ttl := f.redis.TTL(key); !strings.HasPrefix(key, "sp:signature:") || strings.Contains(key, "msg") || ttl != 10*time.Minute {
			t.Errorf("key %q lives for %s", key, ttl)
		}
	}
}

func TestWithoutRedis(t *testing.T) {
	f, _ := signed(t)
	m := sign(secretA, "msg", f.clock.Now(), "{}")
	f.redis.SetError("LOADING")
	f.want(t, "nothing can be remembered", 503, m...)
	f.redis.SetError("")
	f.want(t, "it can again", 0, m...)

	f, _ = signed(t, func(o *auth.Options) { o.Alone = true })
	m = sign(secretA, "msg", f.clock.Now(), "{}")
	f.redis.SetError("LOADING")
	f.want(t, "each for itself", 0, m...)
	f.want(t, "each for itself, replayed", 401, m...)
}

func TestABodyThatCannotBeReadIsNoRefusal(t *testing.T) {
	f, _ := signed(t)
	r := httptest.NewRequestWithContext(t.Context(), "POST", "/", strings.NewReader(strings.Repeat(" ", 100)))
	for h := sign(secretA, "msg", f.clock.Now(), ""); len(h) > 0; h = h[2:] {
		r.Header.Set(h[0], h[1])
	}
	r.Body = http.MaxBytesReader(httptest.NewRecorder(), r.Body, 10)
	_, err := f.Admit(r, "alertmanager")
	var tooLarge *http.MaxBytesError
	if !errors.As(err, &tooLarge) {
		t.Errorf("got %v", err)
	}
}
