//go:build browser

package report_test

import (
	"context"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/stormproof/stormproof/harness/report"
)

var shots = flag.String("shots", "", "folder for screenshots of the dashboard, for people to look at")

// watched collects what a page must not do.
type watched struct {
	mu       sync.Mutex
	complain []string
	requests []string
}

func (w *watched) listen(ev any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch e := ev.(type) {
	case *runtime.EventExceptionThrown:
		what := e.ExceptionDetails.Text
		if e.ExceptionDetails.Exception != nil {
			what += " " + e.ExceptionDetails.Exception.Description
		}
		w.complain = append(w.complain, what)
	case *runtime.EventConsoleAPICalled:
		w.complain = append(w.complain, string(e.Type)+" on the console")
	case *log.EventEntryAdded:
		w.complain = append(w.complain, string(e.Entry.Level)+" "+e.Entry.Text)
	case *network.EventRequestWillBeSent:
		if !strings.HasPrefix(e.Request.URL, "file:") && !strings.HasPrefix(e.Request.URL, "data:") {
			w.requests = append(w.requests, e.Request.URL)
		}
	}
}

func browser(t *testing.T) context.Context {
	t.Helper()
	var path string
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if p, err := exec.LookPath(name); err == nil {
			path = p
			break
		}
	}
	if path == "" {
		t.Fatal("no Chromium on PATH; install one with: sudo apt-get install chromium")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox,
		chromedp.DisableGPU, chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.UserDataDir(t.TempDir()))
	alloc, stop := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, cancel := chromedp.NewContext(alloc)
	t.Cleanup(func() {
		if err := chromedp.Cancel(ctx); err != nil {
			t.Errorf("stopping the browser: %v", err)
		}
		cancel()
		stop()
	})
	// The browser lives as long as the context of its first use, so the deadline comes after.
	do(ctx, t, chromedp.Navigate("about:blank"))
	timed, expire := context.WithTimeout(ctx, time.Minute)
	t.Cleanup(expire)
	return timed
}

func do(ctx context.Context, t *testing.T, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	if err := chromedp.Do(ctx, steps...); err != nil {
		t.Fatalf("driving the browser: %v", err)
	}
}

// open shows the page of a report in a window of the given size and colour scheme.
func open(ctx context.Context, t *testing.T, r report.Report, width, height int64, scheme, hash string) *watched {
	t.Helper()
	dir := t.TempDir()
	if err := report.Write(dir, r); err != nil {
		t.Fatal(err)
	}
	w := &watched{}
	if err := chromedp.Listen(ctx, w.listen); err != nil {
		t.Fatalf("listening to the page: %v", err)
	}
	call(ctx, t, network.Enable, network.EnableParams{})
	call(ctx, t, log.Enable, cdp.Empty{})
	call(ctx, t, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: width, Height: height, DeviceScaleFactor: 1, Mobile: width < 600})
	call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
	}})
	do(ctx, t, chromedp.Navigate("file://"+filepath.Join(dir, report.HTMLFile)+hash), chromedp.WaitReady(chromedp.CSS("#rows tr")))
	return w
}

func call[P, R any](ctx context.Context, t *testing.T, cmd cdp.Command[P, R], params P) {
	t.Helper()
	if _, err := chromedp.Call(ctx, cmd, params); err != nil {
		t.Fatalf("setting the page up: %v", err)
	}
}

func (w *watched) check(t *testing.T) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.complain) > 0 {
		t.Errorf("the page complained: %v", w.complain)
	}
	if len(w.requests) > 0 {
		t.Errorf("the page asked the network: %v", w.requests)
	}
}

func eval[T any](ctx context.Context, t *testing.T, script string) T {
	t.Helper()
	out, err := chromedp.Run(ctx, chromedp.Evaluate[T](script))
	if err != nil {
		t.Fatalf("evaluating %s: %v", script, err)
	}
	return out
}

func shot(ctx context.Context, t *testing.T, name string, full bool) {
	t.Helper()
	if *shots == "" {
		return
	}
	action := chromedp.CaptureScreenshot()
	if full {
		action = chromedp.FullScreenshot(100)
	}
	png, err := chromedp.Run(ctx, action)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(*shots, name+".png"), png, 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestBrowserDashboardRendersWithoutComplaintOrNetwork(t *testing.T) {
	for name, red := range map[string]bool{"green": false, "red": true} {
		t.Run(name, func(t *testing.T) {
			ctx := browser(t)
			w := open(ctx, t, sampleReport(6, 3, red), 1280, 900, "light", "")
			if n := eval[int](ctx, t, `document.querySelectorAll('canvas').length`); n != 4 {
				t.Errorf("%d charts were drawn, want 4", n)
			}
			if n := eval[int](ctx, t, `document.querySelectorAll('#heat .cell').length`); n != 90 {
				t.Errorf("the map has %d cells, want 30 scenarios x 3 runs", n)
			}
			want := map[bool]string{false: "PASS", true: "FAIL"}[red]
			if got := eval[string](ctx, t, `document.getElementById('word').textContent`); !strings.Contains(got, want) {
				t.Errorf("the banner says %q, want %s", got, want)
			}
			if title := eval[string](ctx, t, `document.title`); strings.Contains(title, "broken out") {
				t.Error("text of a scenario ran as a script")
			}
			shot(ctx, t, name+"-light", true)
			w.check(t)
		})
	}
}

func TestBrowserDashboardFilterNarrowsTheList(t *testing.T) {
	ctx := browser(t)
	w := open(ctx, t, sampleReport(6, 3, true), 1280, 900, "light", "")
	do(ctx, t, chromedp.SendKeys(chromedp.CSS("#f-text"), "failover"))
	rows := `[...document.querySelectorAll('#rows tr')].map((r) => r.dataset.id).join(' ')`
	if got := eval[string](ctx, t, rows); got != "RED-02" {
		t.Errorf("searching for failover lists %q, want RED-02", got)
	}
	choose := `(() => { const t = document.getElementById('f-text'); t.value = ''; const s = document.getElementById('f-status');
		s.value = 'inconclusive'; s.dispatchEvent(new Event('input', { bubbles: true })); return true; })()`
	eval[bool](ctx, t, choose)
	if got := eval[string](ctx, t, rows); got != "KUB-05" {
		t.Errorf("the status inconclusive lists %q, want KUB-05", got)
	}
	w.check(t)
}

func TestBrowserDashboardDeepLinkOpensTheDetailAndEscapeClosesIt(t *testing.T) {
	ctx := browser(t)
	w := open(ctx, t, sampleReport(6, 3, true), 1280, 900, "light", "#id=STO-02")
	if got := eval[string](ctx, t, `document.getElementById('detail').open ? document.getElementById('d-title').textContent : 'closed'`); !strings.HasPrefix(got, "STO-02") {
		t.Errorf("the detail shows %q, want STO-02", got)
	}
	body := eval[string](ctx, t, `document.getElementById('d-body').textContent`)
	for _, want := range []string{"2 storm objects", "P3 Storms are bounded: broken", "--seed 7331000000000098", "failures/STO-02/2/history.jsonl", "</script>"} {
		if !strings.Contains(body, want) {
			t.Errorf("the detail lacks %q", want)
		}
	}
	if n := eval[int](ctx, t, `document.querySelectorAll('#d-body svg.timeline .step').length`); n != 6 {
		t.Errorf("the timeline has %d steps, want 6", n)
	}
	shot(ctx, t, "detail-light", false)
	do(ctx, t, chromedp.KeyEvent(kb.Escape))
	if _, err := chromedp.Run(ctx, chromedp.Poll[bool](`!document.getElementById('detail').open`)); err != nil {
		t.Errorf("Escape does not close the detail: %v", err)
	}
	w.check(t)
}

func TestBrowserDashboardDrawsLoadsAndTellsOfSamples(t *testing.T) {
	for name, tc := range map[string]struct {
		width, height int64
		scheme        string
	}{"light": {1280, 1400, "light"}, "dark": {1280, 1400, "dark"}, "phone": {390, 1800, "light"}} {
		t.Run(name, func(t *testing.T) {
			ctx := browser(t)
			w := open(ctx, t, sampleReport(6, 3, true), tc.width, tc.height, tc.scheme, "#id=RED-02")
			do(ctx, t, chromedp.WaitVisible(chromedp.CSS("#d-body .load svg.bars")))
			if got := eval[string](ctx, t, `document.querySelector('#d-body svg.timeline:not(.bars)').textContent`); !strings.Contains(got, "500 requests, 60 drawn, 37 refused or lost") {
				t.Errorf("the timeline says %q", got)
			}
			body := eval[string](ctx, t, `[...document.querySelectorAll('#d-body .load')].map((e) => e.textContent).join('\n')`)
			for _, want := range []string{"steady", "sent 498 of 500", "aimed 100/s", "reached 98/s", "late 11", "✗ dropped 2", "✗ not acknowledged 37", "p99.9", "as fast as answered", "requests by latency"} {
				if !strings.Contains(strings.ReplaceAll(body, "\u00a0", " "), want) {
					t.Errorf("the loads lack %q in %q", want, body)
				}
			}
			bars := `[...document.querySelector('#d-body .load').querySelectorAll('rect title')].reduce((sum, e) => sum + Number(e.textContent.split(': ')[1]), 0)`
			if n := eval[int](ctx, t, bars); n != 500 {
				t.Errorf("the bars stand for %d requests, want 500", n)
			}
			outside := `[...document.querySelectorAll('#d-body .load *')].filter((e) => { const r = e.getBoundingClientRect(); return r.right > innerWidth + 1 || r.left < -1; }).length`
			if n := eval[int](ctx, t, outside); n > 0 {
				t.Errorf("%d parts of the loads lie outside of the window", n)
			}
			shot(ctx, t, "load-"+name, false)
			w.check(t)
		})
	}
}

func TestBrowserDashboardFitsAPhone(t *testing.T) {
	ctx := browser(t)
	w := open(ctx, t, sampleReport(6, 3, true), 390, 844, "light", "")
	wide := `document.documentElement.scrollWidth > innerWidth ? [...document.querySelectorAll('main *')].filter((e) => e.getBoundingClientRect().right > innerWidth + 1).map((e) => e.tagName + '.' + e.className).slice(0, 8).join(' ') || 'the page' : ''`
	if got := eval[string](ctx, t, wide); got != "" {
		t.Errorf("the page scrolls sideways at 390 px because of: %s", got)
	}
	shot(ctx, t, "phone-light", true)
	eval[bool](ctx, t, `(location.hash = 'id=RED-02', true)`)
	do(ctx, t, chromedp.WaitVisible(chromedp.CSS("#d-body svg.timeline")))
	if over := eval[int](ctx, t, `document.getElementById('d-body').scrollWidth - document.getElementById('detail').clientWidth`); over > 0 {
		t.Errorf("the detail is %d px too wide for a phone", over)
	}
	shot(ctx, t, "phone-detail", false)
	w.check(t)
}

func TestBrowserDashboardDarkModeChangesColoursAndIsRemembered(t *testing.T) {
	ctx := browser(t)
	w := open(ctx, t, sampleReport(6, 3, true), 1280, 900, "light", "")
	background := `getComputedStyle(document.body).backgroundColor`
	light := eval[string](ctx, t, background)
	do(ctx, t, chromedp.Click(chromedp.CSS("#theme")))
	dark := eval[string](ctx, t, background)
	if dark == light {
		t.Errorf("the background stays %s after the theme was switched", light)
	}
	shot(ctx, t, "red-dark", true)
	do(ctx, t, chromedp.Reload(), chromedp.WaitReady(chromedp.CSS("#rows tr")))
	if got := eval[string](ctx, t, background); got != dark {
		t.Errorf("after a reload the background is %s, want the chosen %s", got, dark)
	}
	w.check(t)

	other := browser(t)
	w = open(other, t, sampleReport(6, 20, false), 1280, 900, "dark", "#id=RED-01")
	if got := eval[string](other, t, background); got != dark {
		t.Errorf("with a dark system the background is %s, want %s", got, dark)
	}
	shot(other, t, "detail-dark", false)
	w.check(t)
}

// TestBrowserDashboardNamesEveryChart reads the accessibility tree: what is drawn must be there
// as an image with a name that says what it shows.
func TestBrowserDashboardNamesEveryChart(t *testing.T) {
	for hash, charts := range map[string]int{"": 4, "#id=STO-02": 1} { // an open detail hides the page behind it
		ctx := browser(t)
		w := open(ctx, t, sampleReport(6, 3, true), 1280, 900, "light", hash)
		if n := eval[int](ctx, t, `[...document.querySelectorAll('canvas, svg.timeline')].filter((c) => !c.closest('[role=img][aria-label]')).length`); n != 0 {
			t.Errorf("%q: %d charts have no name", hash, n)
		}
		tree, err := chromedp.Call(ctx, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{})
		if err != nil {
			t.Fatal(err)
		}
		named := 0
		for _, n := range tree.Nodes {
			if n.Ignored || n.Role == nil || !strings.Contains(string(n.Role.Value), "image") {
				continue
			}
			if n.Name == nil || len(n.Name.Value) < len(`"twelve letters"`) {
				t.Errorf("%q: an image without a name that says something: %+v", hash, n)
				continue
			}
			named++
		}
		if named < charts {
			t.Errorf("%q: %d images have a name, want %d charts at least", hash, named, charts)
		}
		w.check(t)
	}
}
