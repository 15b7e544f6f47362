package auth

import (
	"errors"
	"net/http"
	"strings"
	"testing"
)

func FuzzBearer(f *testing.F) {
	for _, seed := range []string{"Bearer abc", "bearer  a.b-c_d~e+f/g==", "Basic YTpi", "", "Bearer", "Bearer \x00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		text, ok := bearer(header)
		if ok && (text == "" || strings.ContainsAny(text, " \r\n\t\"{}") || !strings.HasSuffix(header, text)) {
			t.Errorf("%q was read as the token %q", header, text)
		}
	})
}

func FuzzMessage(f *testing.F) {
	f.Add("msg_1", "1700000000", "v1,AAAA v1,BBBB")
	f.Add("", "-1", "v1")
	f.Add("a.b", "9223372036854775807", ",, v1,====")
	f.Fuzz(func(t *testing.T, id, stamp, list string) {
		m, err := parseMessage(http.Header{"Webhook-Id": {id}, "Webhook-Timestamp": {stamp}, "Webhook-Signature": {list}})
		var refusal *Refusal
		if err != nil {
			if !errors.As(err, &refusal) || refusal.Status != http.StatusUnauthorized {
				t.Errorf("got %v, want 401", err)
			}
			return
		}
		if m.id != id || m.stamp != stamp || len(m.signatures) == 0 || strings.Contains(m.id, ".") {
			t.Errorf("%q %q %q was read as %+v", id, stamp, list, m)
		}
	})
}

func FuzzFiles(f *testing.F) {
	f.Add([]byte("pager:$2a$04$abcdefghijklmnopqrstuu5Lf0b1Tt1yAQYlLyQ8xVt3Y8mZ3W1Wy\n# x"))
	f.Add([]byte("whsec_YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFh\n"))
	f.Fuzz(func(t *testing.T, content []byte) {
		if u, err := parseUsers([][]byte{content}); err == nil && len(u) == 0 {
			t.Error("a file without users was taken")
		}
		if s, err := parseSecrets([][]byte{content}); err == nil && len(s) == 0 {
			t.Error("a file without secrets was taken")
		}
	})
}
