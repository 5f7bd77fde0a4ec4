package lns

import "testing"

// TestNamesOfSessionsRise: also as text, as a database sorts them.
func TestNamesOfSessionsRise(t *testing.T) {
	s := &Server{deps: Deps{Node: "n1"}, boot: 0x19a}
	before := ""
	for n := range 70_000 {
		name := s.sessionName(12, 7)
		if name <= before {
			t.Fatalf("%s comes after %s", name, before)
		}
		if local, ours := s.localName(name); !ours || local != "12/7" || n == 0 && name != "n1-19a-00000001-12/7" {
			t.Fatalf("%s: %q, %t", name, local, ours)
		}
		before = name
	}
}
