package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAReportBecomesAScore(t *testing.T) {
	const report = `{"files":[
		{"file_name":"b.go","mutations":[
			{"line":12,"column":9,"type":"INVERT_LOGICAL","status":"LIVED"},
			{"line":3,"column":4,"type":"ARITHMETIC_BASE","status":"NOT COVERED"},
			{"line":3,"column":1,"type":"ARITHMETIC_BASE","status":"NOT VIABLE"}]},
		{"file_name":"a.go","mutations":[
			{"line":1,"column":1,"type":"CONDITIONALS_BOUNDARY","status":"LIVED"},
			{"line":2,"column":1,"type":"CONDITIONALS_NEGATION","status":"KILLED"}]}]}`
	for name, c := range map[string]struct {
		least int
		green bool
		last  string
	}{
		"at its floor":    {25, true, ""},
		"above its floor": {20, true, "the floor of ./p can rise to 25: ci/mutate/main.go"},
		"under its floor": {26, false, "./p is under its floor: write a test for what is named above, and run make mutate PACKAGES=./p"},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := parse(floor{"./p", c.least}, []byte(report), 1)
			if err != nil {
				t.Fatal(err)
			}
			text, green := table([]result{r})
			if green != c.green {
				t.Errorf("green is %v", green)
			}
			want := strings.TrimSpace(strings.Join([]string{
				"survived     p/a.go:1:1 conditionals_boundary",
				"not covered  p/b.go:3:4 arithmetic_base",
				"survived     p/b.go:12:9 invert_logical",
				"",
				"  package  mutants  killed  of these hung  survived  not covered  do not compile   score  floor",
				"      ./p        4       1              1         2            1               1  25.0 %   " + strconv.Itoa(c.least) + " %",
				c.last}, "\n"))
			if diff := cmp.Diff(want, strings.TrimSpace(text)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAReportThatDecidesNotEverythingIsAnError(t *testing.T) {
	for name, report := range map[string]string{
		"nothing to change": `{"files":[]}`,
		"timed out":         `{"files":[{"file_name":"a.go","mutations":[{"line":1,"column":1,"type":"X","status":"TIMED OUT"}]}]}`,
		"no JSON":           `Starting...`,
	} {
		t.Run(name, func(t *testing.T) {
			if r, err := parse(floor{"./p", 0}, []byte(report), 0); err == nil {
				t.Errorf("got %+v", r)
			}
		})
	}
}

func TestAPackageWithoutAFloorIsNotChosen(t *testing.T) {
	if got, err := choose([]string{"gateway/window"}); err != nil || len(got) != 1 || got[0].pkg != "./gateway/window" {
		t.Errorf("got %v, %v", got, err)
	}
	if got, err := choose([]string{"./gateway/window", "./gateway/alert"}); err == nil {
		t.Errorf("got %v", got)
	}
}

const source = `package p

const limit = 2 * 3

func F(n int) int {
	switch {
	case n > limit:
		return 1
	}
	return 0
}

func G(n int) int {
	switch {
	case n > limit:
		return 1
	}
	return 0
}
`

func TestConditionsOfReachedCasesAndConstantsCountAsReached(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "p.go", source)
	profile := "mode: set\nexample.org/m" + dir + "/p.go:5.19,6.9 1 1\nexample.org/m" + dir + "/p.go:7.17,8.11 1 0\n" +
		"example.org/m" + dir + "/p.go:13.19,14.9 1 0\n"
	file := write(t, dir, "profile", profile)
	if err := widen(file, dir+"/..."); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	name := "example.org/m" + dir + "/p.go"
	if diff := cmp.Diff(profile+name+":3.1,3.20 1 1\n"+name+":7.2,7.16 1 1\n", string(got)); diff != "" {
		t.Error(diff)
	}
}

func TestAMutantIsJudgedByItsTests(t *testing.T) {
	goCommand, err := exec.LookPath("go")
	if err != nil {
		t.Fatal(err)
	}
	const passes = "package p\n\nimport \"testing\"\n\nfunc TestF(t *testing.T) {\n\tif F(7) != 1 {\n\t\tt.Fatal()\n\t}\n}\n"
	for name, c := range map[string]struct {
		source string
		status int
	}{
		"passes":           {source, lived},
		"fails":            {strings.Replace(source, "n > limit", "n < limit", 1), killed},
		"does not compile": {strings.Replace(source, "n > limit", "n | limit", 1), notViable},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir, "go.mod", "module example.org/m\n\ngo 1.26\n")
			write(t, dir, "p.go", c.source)
			write(t, dir, "p_test.go", passes)
			t.Chdir(dir)
			if status, err := decide(goCommand, filepath.Join(dir, "tests")); err != nil || status != c.status {
				t.Errorf("got %d, %v", status, err)
			}
		})
	}
}

func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	file := filepath.Join(dir, name)
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}
