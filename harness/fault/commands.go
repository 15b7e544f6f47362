package fault

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
)

// request is one read of a client's bytes.
type request struct {
	// commands begin in these bytes, in lower case; a pipeline has several.
	commands []string
}

// begins reports whether a command begins here that the match is about.
func (r request) begins(command string) bool {
	if command == "" {
		return len(r.commands) > 0
	}
	return slices.Contains(r.commands, strings.ToLower(command))
}

// commandReader follows the client's side of a Redis connection and finds where commands
// begin, however the bytes are cut into reads. It looks at the framing, so a value that
// looks like a command's name is not taken for one.
//
//	*3 CRLF $7 CRLF EVALSHA CRLF $40 CRLF <40 bytes> CRLF ...
//
// What does not follow the protocol (an inline command typed by hand) ends the following;
// from there on each read counts as one command without a name.
type commandReader struct {
	line []byte
	// left is how many strings of the command are still to come.
	left int
	// body is how many bytes of a string, with its CRLF, are still to come; name collects
	// the string when it is a command's first.
	body   int
	name   []byte
	naming bool
	lost   bool
}

// longestHeader bounds a line such as "$1048576"; anything longer is not the protocol.
const longestHeader = 32

// read takes the next bytes and returns the commands whose names end in them.
func (c *commandReader) read(data []byte) []string {
	var found []string
	for len(data) > 0 && !c.lost {
		if c.body > 0 {
			n := min(c.body, len(data))
			if c.naming {
				c.name = append(c.name, data[:n]...)
			}
			data, c.body = data[n:], c.body-n
			if c.body == 0 && c.naming {
				found = append(found, strings.ToLower(strings.TrimSuffix(string(c.name), "\r\n")))
				c.naming, c.name = false, nil
			}
			continue
		}
		end := bytes.IndexByte(data, '\n')
		if end < 0 {
			c.line = append(c.line, data...)
			c.lost = len(c.line) > longestHeader
			break
		}
		c.line = append(c.line, data[:end+1]...)
		data = data[end+1:]
		c.header()
	}
	if c.lost {
		return append(found, "")
	}
	return found
}

// header takes a whole line that says how many strings, or how many bytes, follow.
func (c *commandReader) header() {
	line := strings.TrimSuffix(string(c.line), "\r\n")
	c.line = c.line[:0]
	if len(line) < 2 {
		c.lost = true
		return
	}
	n, err := strconv.Atoi(line[1:])
	switch {
	case err != nil || n < 0:
		c.lost = true
	case line[0] == '*' && c.left == 0:
		c.left, c.naming = n, n > 0
	case line[0] == '$' && c.left > 0:
		c.left, c.body = c.left-1, n+2
	default:
		c.lost = true
	}
}
