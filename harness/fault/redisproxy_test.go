package fault

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"
)

// redisWorld is a server, the proxy before it and a client that never retries.
func redisWorld(t *testing.T) (*miniredis.Miniredis, *RedisProxy, *redis.Client) {
	t.Helper()
	t.Cleanup(func() { goleak.VerifyNone(t) })
	server := miniredis.RunT(t)
	p, err := NewRedisProxy(t.Context(), server.Addr())
	if err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(&redis.Options{Addr: p.Addr(), MaxRetries: -1, DialerRetries: 1, PoolSize: 1,
		ReadTimeout: deadline, DisableIdentity: true})
	t.Cleanup(func() {
		if err := errors.Join(client.Close(), p.Close(context.WithoutCancel(t.Context()))); err != nil {
			t.Error(err)
		}
	})
	return server, p, client
}

func ok(t *testing.T, c *redis.Client, args ...any) {
	t.Helper()
	if err := c.Do(t.Context(), args...).Err(); err != nil {
		t.Errorf("%v: %v", args, err)
	}
}

func broken(t *testing.T, c *redis.Client, args ...any) {
	t.Helper()
	var answered redis.Error
	if err := c.Do(t.Context(), args...).Err(); err == nil || errors.As(err, &answered) {
		t.Errorf("%v: got %v, want a broken connection", args, err)
	}
}

func TestRedisPassesThroughWithoutFaults(t *testing.T) {
	server, _, client := redisWorld(t)
	value := strings.Repeat("x", 1<<20)
	ok(t, client, "SET", "k", value)
	if got, err := client.Get(t.Context(), "k").Result(); err != nil || got != value {
		t.Errorf("a value of 1 MiB did not come back whole: %d bytes, %v", len(got), err)
	}
	if got, _ := server.Get("k"); got != value {
		t.Error("the server does not hold the value that was sent")
	}
}

func TestRedisLatencyDelaysExactlyTheMatchesPlanned(t *testing.T) {
	_, p, client := redisWorld(t)
	const delay = 60 * time.Millisecond
	ok(t, client, "PING")
	h := arm(t, p, Spec{ID: "l", Target: Redis, Kind: Latency, Delay: delay, Times: 2, After: 1, Match: Match{Command: "SET"}})
	var slow []bool
	for range 4 {
		begin := time.Now()
		ok(t, client, "SET", "k", "GET")
		slow = append(slow, time.Since(begin) >= delay)
		ok(t, client, "GET", "k")
	}
	if slow[1] != true || slow[2] != true {
		t.Errorf("delayed: %v, want the second and the third", slow)
	}
	wantCounts(t, h, 4, 2)
}

func TestRedisLatencyLetsGoWhenItIsRemoved(t *testing.T) {
	server, p, client := redisWorld(t)
	ok(t, client, "PING")
	h := arm(t, p, Spec{Target: Redis, Kind: Latency, Delay: time.Hour})
	done := make(chan error, 1)
	go func() { done <- client.Set(t.Context(), "k", "v", 0).Err() }()
	eventually(t, "the request is held", func() bool { return h.Receipt().Applied == 1 })
	if server.Exists("k") {
		t.Error("the request reached the server at once")
	}
	remove(t, h)
	if err := <-done; err != nil {
		t.Errorf("the held request failed: %v", err)
	}
	ok(t, client, "PING")
	wantCounts(t, h, 1, 1)
}

func TestRedisCutResetsOpenAndNewConnectionsUntilRemoved(t *testing.T) {
	_, p, client := redisWorld(t)
	ok(t, client, "PING")
	h := arm(t, p, Spec{Target: Redis, Kind: Cut})
	wantCounts(t, h, 1, 1)
	// The reset may arrive while the client still connects, or at its first read.
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", p.Addr())
	if err == nil {
		_, err = conn.Read(make([]byte, 1))
		_ = conn.Close()
	}
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("a new connection met %v, want a reset", err)
	}
	broken(t, client, "PING")
	eventually(t, "more than the open and one new connection are counted", func() bool { return h.Receipt().Applied >= 3 })
	remove(t, h)
	before := h.Receipt()
	eventually(t, "the client recovers", func() bool { return client.Ping(t.Context()).Err() == nil })
	if diff := cmp.Diff(before, h.Receipt()); diff != "" {
		t.Errorf("a removed fault still counts (-before +after):\n%s", diff)
	}
}

func TestRedisCutTakesTheOldestConnectionsFirst(t *testing.T) {
	_, p, _ := redisWorld(t)
	conns := []net.Conn{dial(t, p), dial(t, p), dial(t, p), dial(t, p)}
	for _, c := range conns {
		pong(t, c)
	}
	h := arm(t, p, Spec{Target: Redis, Kind: Cut, After: 1, Times: 2})
	wantCounts(t, h, 4, 2)
	pong(t, conns[0])
	pong(t, conns[3])
	for _, c := range conns[1:3] {
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("a connection that was to be cut read %v, want a reset", err)
		}
	}
}

func TestRedisHangSwallowsAndNeverAnswers(t *testing.T) {
	server, p, client := redisWorld(t)
	ok(t, client, "PING")
	h := arm(t, p, Spec{Target: Redis, Kind: Hang, Times: 1, Match: Match{Command: "SET"}})
	ok(t, client, "PING")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	hasty := redis.NewClient(&redis.Options{Addr: p.Addr(), MaxRetries: -1, ContextTimeoutEnabled: true, DisableIdentity: true})
	defer func() { _ = hasty.Close() }()
	if err := hasty.Set(ctx, "k", "v", 0).Err(); !errors.Is(err, context.DeadlineExceeded) && !isTimeout(err) {
		t.Errorf("SET on a hung connection: %v, want a timeout", err)
	}
	if server.Exists("k") {
		t.Error("the server saw a request that was to be swallowed")
	}
	ok(t, client, "SET", "k", "v")
	wantCounts(t, h, 2, 1)
}

func TestRedisHangOutlivesTheServerAndEndsWhenItIsRemoved(t *testing.T) {
	server, p, _ := redisWorld(t)
	conn := dial(t, p)
	pong(t, conn)
	h := arm(t, p, Spec{Target: Redis, Kind: Hang})
	if _, err := io.WriteString(conn, ping); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the connection hangs", func() bool { return h.Receipt().Applied == 1 })
	server.Close()
	if err := conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Read(make([]byte, 1)); !isTimeout(err) {
		t.Errorf("a hung connection read %v after its server had gone, want a timeout", err)
	}
	remove(t, h)
	if err := conn.SetReadDeadline(time.Now().Add(deadline)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Read(make([]byte, 1)); err == nil || isTimeout(err) {
		t.Errorf("after removal the connection read %v, want its end", err)
	}
}

func TestRedisReplyLostHappensAfterTheCommandTookEffect(t *testing.T) {
	server, p, client := redisWorld(t)
	ok(t, client, "PING")
	h := arm(t, p, Spec{Target: Redis, Kind: ReplyLost, Times: 2, Match: Match{Command: "INCR"}})
	ok(t, client, "PING")
	broken(t, client, "INCR", "n")
	broken(t, client, "INCR", "n")
	ok(t, client, "INCR", "n")
	if got, _ := server.Get("n"); got != "3" {
		t.Errorf("n = %q, want 3: every INCR takes effect", got)
	}
	wantCounts(t, h, 3, 2)
	remove(t, h)
	ok(t, client, "INCR", "n")
	wantCounts(t, h, 3, 2)
}

func TestRedisReplyLostIsNotUsedUpByAClientThatLeaves(t *testing.T) {
	p, requests := silentServer(t)
	h := arm(t, p, Spec{Target: Redis, Kind: ReplyLost, Times: 1})
	first := dial(t, p)
	if _, err := io.WriteString(first, ping); err != nil {
		t.Fatal(err)
	}
	<-requests
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the reservation is free again", func() bool {
		f := h.(*armed)
		f.mu.Lock()
		defer f.mu.Unlock()
		return f.reserved == 0
	})
	wantCounts(t, h, 1, 0)
}

func TestRedisBandwidthSlowsBothDirections(t *testing.T) {
	_, p, client := redisWorld(t)
	value := strings.Repeat("x", 2000)
	h := arm(t, p, Spec{Target: Redis, Kind: Bandwidth, BytesPerSecond: 20_000})
	begin := time.Now()
	ok(t, client, "SET", "k", value)
	up := time.Since(begin)
	begin = time.Now()
	if got, err := client.Get(t.Context(), "k").Result(); err != nil || got != value {
		t.Fatalf("got %d bytes, %v; want the whole value", len(got), err)
	}
	down := time.Since(begin)
	if least := 80 * time.Millisecond; up < least || down < least {
		t.Errorf("2000 bytes at 20 kB/s took %s up and %s down, want at least %s", up, down, least)
	}
	if r := h.Receipt(); r.Applied < 4 || r.Applied != r.Matched {
		t.Errorf("receipt %+v, want every read of both directions", r)
	}
	remove(t, h)
	ok(t, client, "PING")
}

func TestRedisFaultThatMatchesNothingAppliesNothing(t *testing.T) {
	_, p, client := redisWorld(t)
	h := arm(t, p, Spec{ID: "x", Target: Redis, Kind: ReplyLost, Times: 3, Match: Match{Command: "EVALSHA"}})
	ok(t, client, "SET", "k", "EVALSHA")
	remove(t, h)
	remove(t, h)
	want := Receipt{ID: "x", Target: Redis, Kind: ReplyLost, Planned: 3}
	if diff := cmp.Diff(want, h.Receipt()); diff != "" {
		t.Errorf("receipt (-want +got):\n%s", diff)
	}
}

func TestRedisFaultsStandTogether(t *testing.T) {
	_, p, client := redisWorld(t)
	ok(t, client, "PING")
	slow := arm(t, p, Spec{Target: Redis, Kind: Latency, Delay: 30 * time.Millisecond})
	thin := arm(t, p, Spec{Target: Redis, Kind: Bandwidth, BytesPerSecond: 1000})
	begin := time.Now()
	ok(t, client, "ECHO", strings.Repeat("x", 30))
	if took := time.Since(begin); took < 80*time.Millisecond {
		t.Errorf("took %s, want the delay and the two slow transfers in sum", took)
	}
	wantCounts(t, slow, 1, 1)
	if thin.Receipt().Applied == 0 {
		t.Error("the second fault was not applied")
	}
}

func TestRedisCloseEndsWhatFaultsHold(t *testing.T) {
	_, p, _ := redisWorld(t)
	held, slow := dial(t, p), dial(t, p)
	hang := arm(t, p, Spec{Target: Redis, Kind: Hang, Match: Match{Command: "PING"}})
	latency := arm(t, p, Spec{Target: Redis, Kind: Latency, Delay: time.Hour, Match: Match{Command: "SET"}})
	for conn, text := range map[net.Conn]string{held: ping, slow: set} {
		if _, err := io.WriteString(conn, text); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "both are held", func() bool { return hang.Receipt().Applied == 1 && latency.Receipt().Applied == 1 })
	if err := errors.Join(p.Close(t.Context()), p.Close(t.Context())); err != nil {
		t.Error(err)
	}
	if _, err := held.Read(make([]byte, 1)); err == nil {
		t.Error("a held connection survived the proxy")
	}
}

func TestRedisProxyRefusesWhatItCannotDo(t *testing.T) {
	_, p, _ := redisWorld(t)
	for name, spec := range map[string]Spec{
		"an unknown kind":             {Target: Redis, Kind: "explode"},
		"a fault of the other target": {Target: Kubernetes, Kind: Reset},
	} {
		t.Run(name, func(t *testing.T) {
			var want *SpecError
			if _, err := p.Arm(t.Context(), spec); !errors.As(err, &want) {
				t.Errorf("Arm = %v, want a *SpecError", err)
			}
		})
	}
}

func TestRedisClientSeesAServerThatIsGone(t *testing.T) {
	server, _, client := redisWorld(t)
	server.Close()
	broken(t, client, "PING")
}

func dial(t *testing.T, p *RedisProxy) net.Conn {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// pong wants the server to answer a PING on this connection.
func pong(t *testing.T, conn net.Conn) {
	t.Helper()
	if _, err := io.WriteString(conn, ping); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil || strings.TrimSpace(line) != "+PONG" {
		t.Fatalf("answer %q, %v; want +PONG", line, err)
	}
}

// silentServer takes requests, announces them and answers none.
func silentServer(t *testing.T) (*RedisProxy, <-chan struct{}) {
	t.Helper()
	t.Cleanup(func() { goleak.VerifyNone(t) })
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p, err := NewRedisProxy(t.Context(), l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	requests, done := make(chan struct{}, 8), make(chan struct{})
	go func() {
		defer close(done)
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer func() { _ = conn.Close() }()
		for buffer := make([]byte, 64); ; {
			if _, err := conn.Read(buffer); err != nil {
				return
			}
			requests <- struct{}{}
		}
	}()
	t.Cleanup(func() {
		if err := errors.Join(p.Close(context.WithoutCancel(t.Context())), l.Close()); err != nil {
			t.Error(err)
		}
		<-done
	})
	return p, requests
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

// eventually polls until the condition holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	limit := time.NewTimer(deadline)
	defer limit.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-limit.C:
			t.Fatalf("waited %s in vain until %s", deadline, what)
		}
	}
}
