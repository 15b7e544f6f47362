package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestCommandsSayWhatIsWrongByTextAndExitCode: 0 good, 1 what was given is wrong, 2 usage.
func TestCommandsSayWhatIsWrongByTextAndExitCode(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"good.yaml":    "dedup:\n  window: 90s\n",
		"bad.yaml":     "dedup:\n  window: 0s\nlog:\n  level: loud\n",
		"typo.yaml":    "dedup:\n  windw: 90s\n",
		"pass.yaml":    "steps: [{body: '" + oneAlert + "', want: {created: 1}}]",
		"fail.yaml":    "steps: [{body: '" + oneAlert + "', want: {created: 2}}]",
		"alert.json":   oneAlert,
		"broken.json":  "{",
		"invalid.json": `{"alerts":[{}]}`,
		"nobody.kubeconfig": "apiVersion: v1\nkind: Config\nclusters: [{name: c, cluster: {server: 'http://127.0.0.1:1'}}]\n" +
			"contexts: [{name: c, context: {cluster: c}}]\ncurrent-context: c\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
	anyone := strings.Repeat("0", 64)
	for line, tc := range map[string]struct {
		code      int
		out, errs []string
	}{
		"config defaults":                             {0, []string{"dedup:\n  window: 5m0s\n"}, nil},
		"config defaults x":                           {2, nil, []string{`what is "x"?`}},
		"config check good.yaml":                      {0, []string{"good.yaml is good; other than the defaults: dedup.window\n"}, nil},
		"config check bad.yaml":                       {1, nil, []string{"bad.yaml:2:11: dedup.window: 0s must be", "bad.yaml:4:10: log.level"}},
		"config check typo.yaml":                      {1, nil, []string{`typo.yaml:2:3: unknown key "windw"; did you mean "window"?`}},
		"config check none.yaml":                      {1, nil, []string{"none.yaml"}},
		"config check":                                {2, nil, []string{"name a file", "gateway config check FILE"}},
		"config":                                      {2, nil, []string{"config defaults or config check"}},
		"explain alert.json":                          {0, []string{`made of      alertname="A"`}, nil},
		"explain -config bad.yaml x":                  {1, nil, []string{"dedup.window"}},
		"explain -source pager alert.json":            {1, nil, []string{"name one of alertmanager"}},
		"explain broken.json":                         {1, nil, []string{"line 1, column 2"}},
		"explain invalid.json":                        {1, []string{"alert 0 is invalid: labels.alertname"}, []string{"1 alerts are invalid"}},
		"replay pass.yaml":                            {0, []string{"ok   pass.yaml step 1: sent the body: {created: 1}"}, nil},
		"replay pass.yaml fail.yaml":                  {1, []string{"FAIL fail.yaml step 1", "want {created: 2}; got {created: 1}"}, []string{"1 steps went otherwise"}},
		"replay":                                      {2, nil, []string{"name a file"}},
		"replay -conf good.yaml pass.yaml":            {2, nil, []string{"-conf"}},
		"replay -config good.yaml pass.yaml":          {0, []string{"ok   pass.yaml"}, nil},
		"why":                                         {2, nil, []string{`"" is no fingerprint`, "gateway why [-config FILE]"}},
		"why 12ab":                                    {2, nil, []string{`"12ab" is no fingerprint`, "gateway explain FILE"}},
		"why -config bad.yaml " + anyone:              {1, nil, []string{"bad.yaml:2:11: dedup.window"}},
		"why -kubeconfig none " + anyone:              {1, nil, []string{"finding the cluster", "none"}},
		"why -kubeconfig nobody.kubeconfig " + anyone: {1, nil, []string{"asking the cluster (name it by -kubeconfig FILE)", "127.0.0.1:1"}},
		"-config bad.yaml":                            {1, nil, []string{"bad.yaml:2:11: dedup.window"}},
		"serve":                                       {2, nil, []string{`what is "serve"?`}},
		"-help":                                       {0, []string{"gateway replay [-config FILE] FILE..."}, nil},
	} {
		t.Run(line, func(t *testing.T) {
			var out, errs strings.Builder
			if code := command(t.Context(), strings.Fields(line), &out, &errs); code != tc.code {
				t.Errorf("exit %d, want %d", code, tc.code)
			}
			for _, want := range tc.out {
				if !strings.Contains(out.String(), want) {
					t.Errorf("it does not print %q:\n%s", want, out.String())
				}
			}
			for _, want := range tc.errs {
				if !strings.Contains(errs.String(), want) {
					t.Errorf("it does not complain of %q:\n%s", want, errs.String())
				}
			}
			if tc.errs == nil && errs.Len() > 0 {
				t.Errorf("it complains: %s", errs.String())
			}
		})
	}
}
