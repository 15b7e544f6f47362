package alert

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"
)

// check refuses a body that is not exactly one JSON value in UTF-8, or that nests deeper than
// depth. It comes before anything is made of the body, and what is read afterwards needs no
// more looking at syntax. Bytes that are no UTF-8 would all be read as the same character:
// two different labels would be one.
func check(body []byte, depth int) error {
	if !utf8.Valid(body) {
		return positioned(body, int64(invalidUTF8(body)), "these bytes are not UTF-8")
	}
	if at := tooDeep(body, depth); at >= 0 {
		p := positioned(body, int64(at), "")
		return &DepthError{Line: p.Line, Column: p.Column, Limit: depth}
	}
	if json.Valid(body) {
		return nil
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	var whole json.RawMessage
	if err := dec.Decode(&whole); err != nil {
		return newSyntaxError(body, err)
	}
	return positioned(body, dec.InputOffset(), "there is more after the end of the JSON value")
}

// invalidUTF8 is where the first bytes are that are no UTF-8.
func invalidUTF8(body []byte) int {
	for at := 0; at < len(body); {
		r, size := utf8.DecodeRune(body[at:])
		if r == utf8.RuneError && size == 1 {
			return at
		}
		at += size
	}
	return len(body)
}

// tooDeep is the offset of the first bracket beyond the depth, -1 for none.
func tooDeep(body []byte, depth int) int {
	open, text := 0, false
	for at := 0; at < len(body); at++ {
		switch c := body[at]; {
		case text && c == '\\':
			at++
		case c == '"':
			text = !text
		case text:
		case c == '{' || c == '[':
			if open++; open > depth {
				return at
			}
		case c == '}' || c == ']':
			open--
		}
	}
	return -1
}

// errNoObject says that a value is not an object.
var errNoObject = errors.New("is not an object")

// members calls visit for each member of the object that a checked text is; visit reads the
// value.
func members(text []byte, visit func(dec *json.Decoder, name string) error) error {
	dec := json.NewDecoder(bytes.NewReader(text))
	if begin, err := dec.Token(); err != nil || begin != json.Delim('{') {
		return errNoObject
	}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return err
		}
		if err := visit(dec, name.(string)); err != nil {
			return err
		}
	}
	return nil
}

// elements reads a list, each element raw; absent and null are empty. It ends at the first
// element that is too many.
func elements(dec *json.Decoder, field string, most int) ([]json.RawMessage, error) {
	begin, err := dec.Token()
	if err != nil || begin == nil {
		return nil, err
	}
	if begin != json.Delim('[') {
		return nil, &FieldError{Field: field, Detail: "is not a list"}
	}
	var out []json.RawMessage
	for dec.More() {
		if len(out) == most {
			return nil, &FieldError{Field: field, Detail: fmt.Sprintf("holds more than %d; more are not taken in one request (limits.alerts)", most)}
		}
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			return nil, err
		}
		out = append(out, raw)
	}
	_, err = dec.Token()
	return out, err
}

// decodeText reads a member that must be a string.
func decodeText(dec *json.Decoder, field string, into *string) error {
	if err := dec.Decode(into); err != nil {
		return &FieldError{Field: field, Detail: "is not a string"}
	}
	return nil
}

// stringMap reads an object whose values are all strings; absent and null are empty. It
// ends at the first entry that is too many.
func stringMap(field string, raw json.RawMessage, limits Limits) (map[string]string, *Invalid) {
	if len(raw) == 0 || string(raw) == "null" {
		return nil, nil
	}
	var bad *Invalid
	out := map[string]string{}
	err := members(raw, func(dec *json.Decoder, name string) error {
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return err
		}
		var s *string
		if err := json.Unmarshal(value, &s); err != nil || s == nil {
			bad = &Invalid{Field: field + "." + clip(name), Detail: "is " + clip(string(value)) + "; it must be a string"}
			return errNoObject
		}
		out[name] = *s
		if bad = limits.number(field, len(out)); bad != nil {
			return errNoObject
		}
		return nil
	})
	if err != nil && bad == nil {
		bad = &Invalid{Field: field, Detail: "is not an object of strings"}
	}
	return out, bad
}
