package fault

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	ping = "*1\r\n$4\r\nPING\r\n"
	set  = "*3\r\n$3\r\nset\r\n$1\r\nk\r\n$13\r\n$4\r\nPING\r\n\r\n\r\r\n"
)

func TestCommandsAreFoundByTheirFraming(t *testing.T) {
	tests := map[string]struct {
		reads []string
		want  [][]string
	}{
		"a command is named in lower case":              {[]string{ping}, [][]string{{"ping"}}},
		"a pipeline has several":                        {[]string{ping + set + ping}, [][]string{{"ping", "set", "ping"}}},
		"a value that looks like a command is a value":  {[]string{set}, [][]string{{"set"}}},
		"a name cut in two is found with its last byte": {[]string{ping[:9], ping[9:]}, [][]string{nil, {"ping"}}},
		"a header cut in two is put together":           {[]string{ping[:2], ping[2:]}, [][]string{nil, {"ping"}}},
		"the rest of a command begins none":             {[]string{set[:20], set[20:]}, [][]string{{"set"}, nil}},
		"an inline command has no name":                 {[]string{"PING\r\n", ping}, [][]string{{""}, {""}}},
		"endless garbage is given up":                   {[]string{"0123456789012345678901234567890123456789"}, [][]string{{""}}},
		"a negative length is given up":                 {[]string{"*1\r\n$-1\r\n"}, [][]string{{""}}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			var c commandReader
			var got [][]string
			for _, read := range tc.reads {
				got = append(got, c.read([]byte(read)))
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("commands (-want +got):\n%s", diff)
			}
		})
	}
}

func TestARequestBeginsWhatItIsAskedFor(t *testing.T) {
	r := request{commands: []string{"evalsha", "ping"}}
	if !r.begins("") || !r.begins("EVALSHA") || r.begins("GET") {
		t.Error("want a match for anything and for EVALSHA in any case, and none for GET")
	}
	if (request{}).begins("") {
		t.Error("the rest of a long command must not count as a request")
	}
}
