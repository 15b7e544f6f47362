package report

import (
	"cmp"
	"fmt"
	"io"
	"strings"
)

// mostAnnotations is how many errors of one step GitHub shows.
const mostAnnotations = 10

// WriteAnnotations writes GitHub's workflow commands for what is red: each becomes a note at
// the line of the step that failed. A scenario that is red in several runs has one.
func WriteAnnotations(w io.Writer, r Report) error {
	seen := map[string]bool{}
	for _, run := range r.Runs {
		for _, s := range run.Scenarios {
			if s.Status == Passed || seen[s.ID] || len(seen) == mostAnnotations {
				continue
			}
			seen[s.ID] = true
			file, line := s.File, "1"
			if s.Why != nil {
				if f, l, ok := strings.Cut(s.Why.Position, ":"); ok {
					file, line = f, l
				}
			}
			_, err := fmt.Fprintf(w, "::error file=%s,line=%s,title=%s::%s\n", property(file), property(line), property(s.ID+" "+s.Title),
				message(cmp.Or(s.Detail, s.FirstCause, string(s.Status))))
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// message and property escape what would end a command or a part of it.
var (
	messageEscapes  = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	propertyEscapes = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
)

func message(s string) string  { return messageEscapes.Replace(s) }
func property(s string) string { return propertyEscapes.Replace(s) }
