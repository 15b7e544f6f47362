package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/parser"

	"github.com/stormproof/stormproof/gateway/policy"
)

// Load reads and checks the file at path; "" gives the defaults.
func Load(path string) (Config, error) {
	if path == "" {
		return Defaults(), nil
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return Config{}, fmt.Errorf("reading the configuration (name another file with --config): %w", err)
	}
	return Decode(b, path)
}

// Decode lays the YAML over the defaults, checks the result, and reads the password files.
// Errors begin with name:line:column where the position is known.
func Decode(b []byte, name string) (Config, error) {
	c := Defaults()
	if err := overlay(b, &c); err != nil {
		return Config{}, located(name, err)
	}
	if err := c.completeShadow(b); err != nil {
		return Config{}, located(name, err)
	}
	if err := c.Validate(); err != nil {
		return Config{}, placed(b, name, err)
	}
	if err := c.Redis.readPasswords(); err != nil {
		return Config{}, fmt.Errorf("%s: %w", name, err)
	}
	return c, nil
}

// completeShadow lays what the file says of the shadow over the rules in force, as the file
// itself was laid over the defaults.
func (c *Config) completeShadow(b []byte) error {
	if c.Shadow == nil {
		return nil
	}
	path, err := yaml.PathString("$.shadow")
	if err != nil {
		return err
	}
	node, err := path.ReadNode(bytes.NewReader(b))
	if err != nil {
		return err
	}
	// A second copy, because lists and maps would be shared with what is in force.
	own := Defaults()
	if err := overlay(b, &own); err != nil {
		return err
	}
	*c.Shadow = Rules{Dedup: own.Dedup, Storm: own.Storm, Policy: own.Policy}
	return yaml.NodeToValue(node, c.Shadow, yaml.Strict())
}

// Write writes the configuration as YAML that Decode reads back. It holds the password.
func (c Config) Write(w io.Writer) error {
	if err := yaml.NewEncoder(w).Encode(c); err != nil {
		return fmt.Errorf("writing the configuration: %w", err)
	}
	return nil
}

// overlay decodes over c. A file without any content must not: it would decode as null,
// and null empties what it is laid over.
func overlay(b []byte, c *Config) error {
	var content any
	if err := yaml.Unmarshal(b, &content); err != nil {
		return err
	}
	if content == nil {
		return nil
	}
	return yaml.NewDecoder(bytes.NewReader(b), yaml.Strict()).Decode(c)
}

// located puts file, line and column in front, and the nearest key behind an unknown one.
func located(name string, err error) error {
	var at yaml.Error
	if !errors.As(err, &at) || at.GetToken() == nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	token := at.GetToken()
	where := fmt.Sprintf("%s:%d:%d", name, token.Position.Line, token.Position.Column)
	var unknown *yaml.UnknownFieldError
	if errors.As(err, &unknown) {
		return fmt.Errorf("%s: unknown key %q; did you mean %q?", where, token.Value, nearest(token.Value, keys(reflect.TypeFor[Config]())))
	}
	return fmt.Errorf("%s: %s", where, at.GetMessage())
}

// placed puts file, line and column in front of each problem. A key that the file does not
// have is wrong by its default, or missing: then the place is that of the nearest key above.
func placed(b []byte, name string, err error) error {
	if several, ok := err.(interface{ Unwrap() []error }); ok {
		var out []error
		for _, e := range several.Unwrap() {
			out = append(out, placed(b, name, e))
		}
		return errors.Join(out...)
	}
	var field *policy.FieldError
	if !errors.As(err, &field) {
		return fmt.Errorf("%s: %w", name, err)
	}
	file, parseErr := parser.ParseBytes(b, 0)
	for path := field.Field; parseErr == nil && path != ""; path = path[:max(0, strings.LastIndexAny(path, ".["))] {
		p, err := yaml.PathString("$." + path)
		if err != nil {
			continue
		}
		if node, err := p.FilterFile(file); err == nil && node != nil {
			at := node.GetToken().Position
			return fmt.Errorf("%s:%d:%d: %w", name, at.Line, at.Column, field)
		}
	}
	return fmt.Errorf("%s: %w", name, field)
}

// keys lists every key of the configuration language, from the types' own tags.
func keys(t reflect.Type) []string {
	for t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return nil
	}
	var out []string
	for i := range t.NumField() {
		tag, _, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ",")
		out = append(out, tag)
		out = append(out, keys(t.Field(i).Type)...)
	}
	return out
}

// nearest is the candidate with the least edit distance, ignoring case.
func nearest(word string, candidates []string) string {
	best, least := "", -1
	for _, c := range candidates {
		if d := distance(strings.ToLower(word), strings.ToLower(c)); least < 0 || d < least {
			best, least = c, d
		}
	}
	return best
}

// distance is Levenshtein's, by bytes: keys are ASCII.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
