package scenario

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
)

var notInNames = regexp.MustCompile(`[^a-z0-9]+`)

// NewTitle is the title of a scenario for which its author gave none.
const NewTitle = "one alert opens one incident"

// NextID is the id after the last one of the first category in the catalogue's folder.
func NextID(dir string) (string, error) {
	c := Categories[0]
	last := 0
	mine := regexp.MustCompile(`^` + strings.ToLower(c.Prefix) + `-([0-9]{2,3})\b`)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if m := mine.FindStringSubmatch(strings.ToLower(filepath.Base(path))); err == nil && m != nil && !d.IsDir() {
			n, numErr := strconv.Atoi(m[1])
			last, err = max(last, n), numErr
		}
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("looking for the next free id: %w", err)
	}
	if last == 999 {
		return "", fmt.Errorf("%s-999 is the last id there can be; choose another category: stormproof new ID TITLE", c.Prefix)
	}
	return fmt.Sprintf("%s-%02d", c.Prefix, last+1), nil
}

// New writes a scenario that passes lint and, against a sound gateway, a run; its author
// changes it from there. It returns the path, and refuses to replace a file. Its first line
// leads editors to the schema, which is written into dir where the repository has none.
func New(dir, id, title string) (string, error) {
	category := ""
	for _, c := range Categories {
		if strings.HasPrefix(id, c.Prefix+"-") {
			category = c.Name
		}
	}
	if category == "" {
		var known []string
		for _, c := range Categories {
			known = append(known, c.Prefix+"-.. ("+c.Name+")")
		}
		return "", fmt.Errorf("no category has ids like %q; use one of %s", id, strings.Join(known, ", "))
	}
	slug := strings.Trim(notInNames.ReplaceAllString(strings.ToLower(title), "-"), "-")
	path := filepath.Join(dir, category, strings.ToLower(id)+"-"+slug+".yaml")
	text, err := render(path, id, title, category)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return "", fmt.Errorf("making the category's folder: %w", err)
	}
	schema, err := schemaFor(dir, filepath.Dir(path))
	if err != nil {
		return "", err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return "", fmt.Errorf("there is a file %s already; choose another id, or change that one", path)
	}
	if err != nil {
		return "", fmt.Errorf("creating the scenario: %w", err)
	}
	_, err = fmt.Fprintf(f, "%s%s\n%s", schemaMark, filepath.ToSlash(schema), text)
	return path, errors.Join(err, f.Close())
}

// render fills in the template, and refuses an id or a title that would not load.
func render(path, id, title, category string) ([]byte, error) {
	quoted, err := yaml.Marshal(strings.Join(strings.Fields(title), " "))
	if err != nil {
		return nil, fmt.Errorf("writing the title: %w", err)
	}
	text := fmt.Appendf(nil, template, id, strings.TrimSpace(string(quoted)), category)
	if _, err := Parse(path, text); err != nil {
		return nil, fmt.Errorf("no scenario can have this id and title: %w", err)
	}
	return text, nil
}

// schemaFor is the path from a folder to the schema: this repository's own, found upwards,
// else a copy in the catalogue's folder, so that completion works in any repository.
func schemaFor(dir, from string) (string, error) {
	from, err := filepath.Abs(from)
	if err != nil {
		return "", fmt.Errorf("finding %s: %w", from, err)
	}
	for up := from; ; up = filepath.Dir(up) {
		path := filepath.Join(up, "harness", "scenario", "scenario.v1.json")
		if _, err := os.Stat(path); err == nil {
			return filepath.Rel(from, path)
		}
		if up == filepath.Dir(up) {
			break
		}
	}
	b, err := Schema()
	if err != nil {
		return "", err
	}
	path, err := filepath.Abs(filepath.Join(dir, ".schema", "scenario.v1.json"))
	if err != nil {
		return "", fmt.Errorf("finding %s: %w", dir, err)
	}
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, b, 0o644)); err != nil {
		return "", fmt.Errorf("writing the schema for editors: %w", err)
	}
	return filepath.Rel(from, path)
}

const template = `id: %s
title: %s
category: %s
promises: [P1, P2]
steps:
  - send:
      id: first
      alerts:
        - labels: {alertname: DiskFull, pod: db-0, severity: critical}
      answers: {201: 1}
      verdicts: {created: 1}
  - expect:
      that: rr.size() == 1 && rr[0].spec.alertName == 'DiskFull'
      because: one alert opens one incident
`
