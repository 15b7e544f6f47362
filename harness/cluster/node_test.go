package cluster

import "testing"

func TestAddressesAreThoseOfTheFirstNetworkThatHasBoth(t *testing.T) {
	for name, tc := range map[string]struct {
		said, node, gateway string
		bad                 bool
	}{
		"one network":                 {"172.18.0.2 172.18.0.1\n", "172.18.0.2", "172.18.0.1", false},
		"one without a gateway first": {"10.0.0.2 \n172.18.0.2 172.18.0.1\n", "172.18.0.2", "172.18.0.1", false},
		"no address":                  {" 172.18.0.1\n", "", "", true},
		"no value":                    {"<no value> <no value>\n", "", "", true},
		"nothing":                     {"", "", "", true},
	} {
		t.Run(name, func(t *testing.T) {
			node, gateway, err := addresses(tc.said)
			if node != tc.node || gateway != tc.gateway || (err != nil) != tc.bad {
				t.Errorf("got %q %q %v", node, gateway, err)
			}
		})
	}
}
