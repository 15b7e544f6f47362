package gateway_test

import (
	"bufio"
	"encoding/json"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stormproof/stormproof/gateway/config"
)

// said is a line of the gateway's log.
type said struct {
	Msg     string
	Error   string
	Changed []string
}

// logged hands out the log's lines that are about the configuration.
func logged(t *testing.T) (io.Writer, func() said) {
	t.Helper()
	r, w := io.Pipe()
	lines := make(chan said, 100)
	go func() {
		defer close(lines)
		for s := bufio.NewScanner(r); s.Scan(); {
			var line said
			if json.Unmarshal(s.Bytes(), &line) == nil && strings.HasPrefix(line.Msg, "configuration") {
				lines <- line
			}
		}
	}()
	t.Cleanup(func() {
		_ = w.Close() // a pipe's end always closes
		for range lines {
			t.Error("the log says more than was looked at")
		}
	})
	return w, func() said {
		t.Helper()
		select {
		case l := <-lines:
			return l
		case <-time.After(20 * time.Second):
			t.Fatal("the log says nothing about the configuration")
			return said{}
		}
	}
}

func TestAChangedFileIsTakenOverAndABadOneKeepsTheOld(t *testing.T) {
	noLeaks(t)
	file := filepath.Join(t.TempDir(), "gateway.yaml")
	const fixed = "listen: {public: '127.0.0.1:0', admin: '127.0.0.1:0'}\nredis: {addr: '127.0.0.1:1', timeout: 200ms, password: hush}\nkubernetes: {timeout: 300ms}\n"
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(fixed+text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("limits: {bodyBytes: 1KiB}\n")
	o := lonely()
	var err error
	if o.Config, err = config.Load(file); err != nil {
		t.Fatal(err)
	}
	log, next := logged(t)
	o.ConfigFile, o.Logger, o.Level = file, slog.New(slog.NewJSONHandler(log, nil)), &slog.LevelVar{}
	again := make(chan os.Signal)
	o.Again = again
	g, stop := start(t, o)
	defer func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	}()
	body := `{"alerts":[]` + strings.Repeat(" ", 2048) + `}`
	check := func(what string, status int, series ...string) {
		t.Helper()
		if got := ask(t, "http://"+g.Addr()+"/api/v1/alerts/alertmanager", body); got.code != status {
			t.Errorf("%s: a body of 2 KiB got %d, want %d", what, got.code, status)
		}
		metrics := ask(t, "http://"+g.AdminAddr()+"/metrics", "").body
		for _, s := range series {
			if !strings.Contains(metrics, "\n"+s+"\n") {
				t.Errorf("%s: there is no %s", what, s)
			}
		}
	}
	check("at the start", 413, "stormproof_config_last_reload_successful 1")

	write("limits: {bodyBytes: 1MiB}\nlog: {level: warn}\n")
	if l := next(); l.Msg != "configuration reloaded" || strings.Join(l.Changed, " ") != "limits.bodyBytes log.level" {
		t.Errorf("the log says %+v", l)
	}
	check("a new limit", 422, `stormproof_config_reloads_total{result="accepted"} 1`)

	for what, tc := range map[string]struct{ text, want string }{
		"an unknown key":          {"limits: {bodyBites: 1KiB}\n", file + ":4:10: unknown key \"bodyBites\"; did you mean \"bodyBytes\"?"},
		"an impossible value":     {"dedup: {window: 0s}\n", file + ":4:17: dedup.window: 0s must be greater than 0"},
		"what needs a restart":    {"limits: {inFlight: 7}\n", "limits.inFlight is read at the start only: restart the gateway, or take the change back"},
		"a secret, beside others": {"limits: {bodyBytes: 1KiB}\n#\nredis: {password: hush}\n", "redis"},
	} {
		write(tc.text)
		if l := next(); l.Msg != "configuration refused, the old one stays in force" || !strings.Contains(l.Error, tc.want) || strings.Contains(l.Error, "hush") {
			t.Errorf("%s: the log says %+v", what, l)
		}
		check(what, 422, "stormproof_config_last_reload_successful 0")
	}
	check("four bad ones", 422, `stormproof_config_reloads_total{result="refused"} 4`)

	if o.Level.Level() != slog.LevelWarn {
		t.Errorf("the log's level is %s", o.Level.Level())
	}
	again <- os.Interrupt
	if l := next(); l.Msg != "configuration refused, the old one stays in force" {
		t.Errorf("asked to look again, the log says %+v", l)
	}
	write("limits: {bodyBytes: 1KiB}\n")
	if l := next(); l.Msg != "configuration reloaded" {
		t.Errorf("the log says %+v", l)
	}
	check("a good one again", 413, "stormproof_config_last_reload_successful 1")
}
