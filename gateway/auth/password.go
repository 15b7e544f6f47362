package auth

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"time"

	"golang.org/x/crypto/bcrypt"
	"k8s.io/apimachinery/pkg/util/cache"
)

// users are bcrypt hashes by name.
type users map[string][]byte

// password knows senders by name and password, as basic_auth of Alertmanager sends them.
//
// A bcrypt hash takes a processor some 50 ms on purpose. So a password that was right is
// remembered, as a hash with a salt of this process and only as long as the file has the same
// hash for the user; and not more are compared at once than there are processors.
type password struct {
	file *file[users]
	// nobody is the hash that the password of an unknown user is compared with: he waits as
	// long as one who is known.
	nobody []byte
	salt   [32]byte
	right  *cache.LRUExpireCache
	slots  chan struct{}
}

const (
	rememberedPasswords = 256
	rememberFor         = time.Hour
)

func newPassword(o Options) (*password, error) {
	f, err := openFile(o.Log, "auth.basic.usersFile", parseUsers, o.Config.Basic.UsersFile)
	if err != nil {
		return nil, err
	}
	p := &password{file: f, right: cache.NewLRUExpireCache(rememberedPasswords), slots: make(chan struct{}, runtime.GOMAXPROCS(0))}
	_, _ = rand.Read(p.salt[:]) // it never fails
	cost := bcrypt.MinCost
	for _, hash := range f.value {
		if c, err := bcrypt.Cost(hash); err == nil {
			cost = max(cost, c)
		}
	}
	if p.nobody, err = bcrypt.GenerateFromPassword(p.salt[:], cost); err != nil {
		return nil, fmt.Errorf("auth.basic: %w", err)
	}
	return p, nil
}

// parseUsers reads lines of name:hash, as htpasswd -B writes them; empty lines and those that
// begin with # are left out.
func parseUsers(contents [][]byte) (users, error) {
	out := users{}
	for i, line := range bytes.Split(contents[0], []byte("\n")) {
		text := strings.TrimSpace(string(line))
		if text == "" || text[0] == '#' {
			continue
		}
		name, hash, _ := strings.Cut(text, ":")
		if _, err := bcrypt.Cost([]byte(hash)); err != nil || name == "" {
			return nil, fmt.Errorf("line %d is not name:hash with a bcrypt hash: write what `htpasswd -nB NAME` prints", i+1)
		}
		if _, twice := out[name]; twice {
			return nil, fmt.Errorf("line %d names %q again: remove one of the two", i+1, name)
		}
		out[name] = []byte(hash)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("the file names no user: write what `htpasswd -nB NAME` prints")
	}
	return out, nil
}

func (p *password) admit(r *http.Request, _ string) (string, error) {
	name, given, ok := r.BasicAuth()
	if !ok {
		return "", errAbsent
	}
	hash, known := p.file.get()[name]
	if !known {
		hash = p.nobody
	}
	key := sha256.Sum256(bytes.Join([][]byte{p.salt[:], []byte(name), hash, []byte(given)}, []byte{0}))
	if _, seen := p.right.Get(key); seen {
		return name, nil
	}
	select {
	case p.slots <- struct{}{}:
		defer func() { <-p.slots }()
	case <-r.Context().Done():
		return "", unavailable("waiting to check a password: %w", r.Context().Err())
	}
	if err := bcrypt.CompareHashAndPassword(hash, []byte(given)); err != nil || !known {
		return "", unknown("unknown user, or a wrong password")
	}
	p.right.Add(key, true, rememberFor)
	return name, nil
}

func (p *password) challenge() string { return `Basic realm="stormproof", charset="UTF-8"` }
