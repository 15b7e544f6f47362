package auth

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/stormproof/stormproof/gateway/clock"
)

// signature knows senders by a shared secret, in the form of Standard Webhooks: the headers
// webhook-id, webhook-timestamp (seconds) and webhook-signature, which holds one or more of
// v1,BASE64(HMAC-SHA256(secret, id.timestamp.body)). The body is taken as it was sent, that
// is before gzip is undone.
//
// A signature is good once, and within the tolerance of its time. What is remembered is id
// and time: a sender that was not answered with a 2xx may send the same message again at
// once, and one that lost the answer signs the same id anew.
type signature struct {
	keys      []key
	tolerance time.Duration
	clock     clock.Clock
	seen      *memory
}

// key is a sender and his secrets; there are several while he changes from one to the next.
type key struct {
	name    string
	secrets *file[[][]byte]
}

func newSignature(o Options) (*signature, error) {
	s := &signature{tolerance: o.Config.HMAC.Tolerance, clock: o.Clock, seen: newMemory(o)}
	for i, k := range o.Config.HMAC.Keys {
		secrets, err := openFile(o.Log, fmt.Sprintf("auth.hmac.keys[%d].file", i), parseSecrets, k.File)
		if err != nil {
			return nil, err
		}
		s.keys = append(s.keys, key{k.Name, secrets})
	}
	return s, nil
}

// leastSecret is the least number of bytes of a secret that Standard Webhooks has.
const leastSecret = 24

// parseSecrets reads one secret a line: base64, with or without whsec_ in front.
func parseSecrets(contents [][]byte) (out [][]byte, err error) {
	for i, line := range strings.Split(string(contents[0]), "\n") {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		secret, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(line, "whsec_"))
		if err != nil || len(secret) < leastSecret {
			return nil, fmt.Errorf("line %d is not base64 of %d bytes or more: write for example what `openssl rand -base64 32` prints", i+1, leastSecret)
		}
		out = append(out, secret)
	}
	if len(out) == 0 {
		return nil, errors.New("the file holds no secret: write for example what `openssl rand -base64 32` prints")
	}
	return out, nil
}

func (s *signature) challenge() string { return "" }

// message is what the headers say of a signature.
type message struct {
	id, stamp  string
	at         time.Time
	signatures [][]byte
}

const longestID = 256

// parseMessage reads the headers; it returns errAbsent when none of them is there.
func parseMessage(h http.Header) (m message, err error) {
	ids, stamps, lists := h.Values("Webhook-Id"), h.Values("Webhook-Timestamp"), h.Values("Webhook-Signature")
	if len(ids)+len(stamps)+len(lists) == 0 {
		return m, errAbsent
	}
	if len(ids) != 1 || len(stamps) != 1 || len(lists) != 1 {
		return m, unknown("webhook-id, webhook-timestamp and webhook-signature must be there once each")
	}
	m.id, m.stamp = ids[0], stamps[0]
	if m.id == "" || len(m.id) > longestID || strings.Contains(m.id, ".") {
		return m, unknown("webhook-id must have 1 to %d characters and no full stop", longestID)
	}
	seconds, err := strconv.ParseInt(m.stamp, 10, 64)
	if err != nil {
		return m, unknown("webhook-timestamp is not a number of seconds")
	}
	m.at = time.Unix(seconds, 0)
	for one := range strings.FieldsSeq(lists[0]) {
		version, text, _ := strings.Cut(one, ",")
		sum, err := base64.StdEncoding.DecodeString(text)
		if version == "v1" && err == nil {
			m.signatures = append(m.signatures, sum)
		}
	}
	if len(m.signatures) == 0 {
		return m, unknown("webhook-signature holds no signature of version v1")
	}
	return m, nil
}

func (s *signature) admit(r *http.Request, _ string) (string, error) {
	m, err := parseMessage(r.Header)
	if err != nil {
		return "", err
	}
	if age := s.clock.Now().Sub(m.at); age > s.tolerance || age < -s.tolerance {
		return "", unknown("the signature is of %s ago, auth.hmac.tolerance is %s", age.Round(time.Second), s.tolerance)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return "", fmt.Errorf("reading a signed body: %w", err)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	name, ok := s.signer(m, body)
	if !ok {
		return "", unknown("no secret of auth.hmac.keys made the signature")
	}
	fresh, err := s.seen.claim(r.Context(), m.id+"."+m.stamp)
	if err != nil {
		return "", unavailable("remembering a signature: %w", err)
	}
	if !fresh {
		return "", unknown("the signature was used before")
	}
	return name, nil
}

// signer is the name of the key that signed a message.
func (s *signature) signer(m message, body []byte) (string, bool) {
	for _, k := range s.keys {
		for _, secret := range k.secrets.get() {
			mac := hmac.New(sha256.New, secret)
			_, _ = fmt.Fprintf(mac, "%s.%s.", m.id, m.stamp) // a hash never fails
			_, _ = mac.Write(body)
			want := mac.Sum(nil)
			for _, given := range m.signatures {
				if hmac.Equal(given, want) {
					return k.name, true
				}
			}
		}
	}
	return "", false
}

// settle forgets a message that was not acknowledged, so that it can be sent again.
func (s *signature) settle(r *http.Request, acknowledged bool) {
	if !acknowledged {
		s.seen.release(r.Context(), r.Header.Get("Webhook-Id")+"."+r.Header.Get("Webhook-Timestamp"))
	}
}
