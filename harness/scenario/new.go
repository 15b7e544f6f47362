package scenario

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/goccy/go-yaml"
)

var notInNames = regexp.MustCompile(`[^a-z0-9]+`)

// New writes a scenario that passes lint and, against a sound gateway, a run; its author
// changes it from there. It returns the path, and refuses to replace a file.
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
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return "", fmt.Errorf("creating the scenario: %w", err)
	}
	_, err = f.Write(text)
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

const template = `# yaml-language-server: $schema=../../harness/scenario/scenario.v1.json
id: %s
title: %s
category: %s
promises: [P1, P2]
steps:
  - send:
      id: first
      alerts:
        - labels: {alertname: DiskFull, pod: db-0, severity: critical}
      answers: {"201": 1}
      verdicts: {created: 1}
  - expect:
      that: rr.size() == 1 && rr[0].spec.alertName == 'DiskFull'
      because: one alert opens one incident
`
