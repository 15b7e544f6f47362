package play

import (
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"

	"golang.org/x/crypto/bcrypt"
)

// derived is a form of a secret that stands in a file.
var derived = regexp.MustCompile(`\{\{(bcrypt|base64)\.([A-Za-z0-9-]+)\}\}`)

// file is where a file of the scenario lies.
func (w *world) file(name string) string { return filepath.Join(w.dir, "files", name) }

// writeFiles writes files by their names, each replaced at once, as Kubernetes does it.
func (w *world) writeFiles(files map[string]string) error {
	for name, text := range files {
		content, err := w.content(text)
		if err != nil {
			return err
		}
		if err := w.writeFile(name, []byte(content)); err != nil {
			return err
		}
	}
	return nil
}

func (w *world) writeFile(name string, content []byte) error {
	path := w.file(name)
	err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path+".new", content, 0o600))
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
		return fmt.Errorf("writing the scenario's file %s: %w", name, err)
	}
	return nil
}

// content fills in the placeholders of a file.
func (w *world) content(text string) (string, error) {
	var wrong error
	text = derived.ReplaceAllStringFunc(text, func(found string) string {
		m := derived.FindStringSubmatch(found)
		value := []byte(w.secrets[m[2]].value)
		if m[1] == "base64" {
			return base64.StdEncoding.EncodeToString(value)
		}
		hash, err := bcrypt.GenerateFromPassword(value, bcrypt.MinCost)
		wrong = errors.Join(wrong, err)
		return string(hash)
	})
	return w.expand(text, 0), wrong
}

// gatewayBlock is a block of overrides with its placeholders filled in.
func (w *world) gatewayBlock(overrides map[string]any) map[string]any {
	if overrides == nil {
		return nil
	}
	return w.expandValue(overrides, 0).(map[string]any)
}
