package alert

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// SyntaxError says that a body is not JSON, and where that shows.
type SyntaxError struct {
	// Offset in bytes from the start of the body, from 0.
	Offset int64
	// Line and Column from 1; the column counts characters.
	Line, Column int
	Detail       string
}

// Error names the position first: it is what a reader needs.
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("line %d, column %d (byte %d): %s", e.Line, e.Column, e.Offset, e.Detail)
}

// FieldError says that a payload as a whole breaks the contract in one field.
type FieldError struct {
	Field, Detail string
}

// Error names the field first.
func (e *FieldError) Error() string { return e.Field + " " + e.Detail }

// DepthError says that a body nests too deeply, and where it first does.
type DepthError struct {
	// Line and Column from 1.
	Line, Column int
	// Limit is the depth that is allowed.
	Limit int
}

// Error names the position first.
func (e *DepthError) Error() string {
	return fmt.Sprintf("line %d, column %d: objects and lists nest deeper than %d (limits.depth)", e.Line, e.Column, e.Limit)
}

func newSyntaxError(body []byte, err error) *SyntaxError {
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &syntax):
		// The decoder counts the offending byte as read.
		return positioned(body, max(0, syntax.Offset-1), syntax.Error())
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return positioned(body, int64(len(body)), "the JSON value ends too early")
	}
	return positioned(body, 0, err.Error())
}

func positioned(body []byte, offset int64, detail string) *SyntaxError {
	offset = min(offset, int64(len(body)))
	before := body[:offset]
	lineStart := bytes.LastIndexByte(before, '\n') + 1
	return &SyntaxError{
		Offset: offset,
		Line:   bytes.Count(before, []byte("\n")) + 1,
		Column: utf8.RuneCount(before[lineStart:]) + 1,
		Detail: detail,
	}
}
