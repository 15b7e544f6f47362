package remediation

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Limit bounds how many calls are at the API server at once, by what the server bears. One
// that throttles cuts what was under way to a half; it grows again by one for each full round of calls that
// went well, but not before the time that the server asked for is over. Without it every
// call in flight is turned away alike, and the server answers that with pauses (its
// Retry-After doubles) that outlast a request's deadline.
//
// The zero value is ready for use. Waiting calls get their turn in order, but patient ones
// let the others go first: who writes a status is late by design, who opens an incident has
// a deadline. With equal rights the statuses took half of the time of a server with one seat.
type Limit struct {
	// Most is where it begins, and what it never exceeds; 0 means 64.
	Most int
	// Now is time.Now when nil.
	Now func() time.Time

	mu      sync.Mutex
	allowed float64 // 0 before the first call
	flying  int
	waiting []chan struct{}
	// patient wait, too; passed is how many went before the first of them.
	patient []chan struct{}
	passed  int
	// cuts is how often it was cut, calm when it may grow again.
	cuts int
	calm time.Time
}

const (
	mostAtOnce = 64
	// patience is how many go before a patient one, lest it waits for ever in a long overload.
	patience = 8
)

// State is how many calls may be at the API server at once now, how many are, and how many
// wait for their turn.
func (l *Limit) State() (allowed, flying, waiting int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if allowed = int(l.allowed); allowed == 0 {
		allowed = l.most()
	}
	return allowed, l.flying, len(l.waiting) + len(l.patient)
}

// take waits for a turn. A turn that was taken is given back, with the number.
func (l *Limit) take(ctx context.Context, patient bool) (cuts int, err error) {
	l.mu.Lock()
	if l.allowed == 0 {
		l.allowed = float64(l.most())
	}
	turn := make(chan struct{})
	queue := &l.waiting
	if patient {
		queue = &l.patient
	}
	*queue = append(*queue, turn)
	l.admit()
	l.mu.Unlock()
	select {
	case <-turn:
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.cuts, nil
	case <-ctx.Done():
		l.leave(turn)
		return 0, fmt.Errorf("waiting for a turn at the API server: %w", ctx.Err())
	}
}

// leave gives up waiting; a turn that came meanwhile is the next one's.
func (l *Limit) leave(turn chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, queue := range []*[]chan struct{}{&l.waiting, &l.patient} {
		if i := slices.Index(*queue, turn); i >= 0 {
			*queue = slices.Delete(*queue, i, i+1)
			return
		}
	}
	l.flying--
	l.admit()
}

// give gives a turn back. Throttled says that the server turned the call away, and asked to
// be left alone so long. Calls that were under way together cut the limit once.
func (l *Limit) give(cuts int, throttled bool, asked time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	switch {
	case throttled && cuts == l.cuts:
		l.allowed = max(1, min(l.allowed, float64(l.flying))/2)
		l.cuts, l.calm = l.cuts+1, now.Add(max(asked, firstPause))
	case !throttled && now.After(l.calm) && l.flying >= int(l.allowed):
		l.allowed = min(float64(l.most()), l.allowed+1/l.allowed)
	}
	l.flying--
	l.admit()
}

// admit lets in who waits, as many as fit.
func (l *Limit) admit() {
	for l.flying < int(l.allowed) {
		queue := l.next()
		if len(*queue) == 0 {
			return
		}
		close((*queue)[0])
		*queue = (*queue)[1:]
		l.flying++
	}
}

// next is the queue whose turn it is.
func (l *Limit) next() *[]chan struct{} {
	if len(l.patient) > 0 && (len(l.waiting) == 0 || l.passed == patience) {
		l.passed = 0
		return &l.patient
	}
	if len(l.patient) > 0 {
		l.passed++
	}
	return &l.waiting
}

func (l *Limit) most() int {
	if l.Most == 0 {
		return mostAtOnce
	}
	return l.Most
}

func (l *Limit) now() time.Time {
	if l.Now == nil {
		return time.Now()
	}
	return l.Now()
}
