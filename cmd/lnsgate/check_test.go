package main

import (
	"errors"
	"io/fs"
	"net/netip"
	"strings"
	"testing"

	"lnsgate/configs"

	"github.com/google/go-cmp/cmp"
)

func TestFindings(t *testing.T) {
	config := &configs.Config{
		Listen:           []netip.AddrPort{netip.MustParseAddrPort("0.0.0.0:1701")},
		VirtualTemplates: make([]configs.VirtualTemplate, 1),
		L2TPGroups:       make([]configs.L2TPGroup, 1),
		Domains:          make([]configs.Domain, 2),
		Pools:            make([]configs.Pool, 3),
	}
	const counts = "1 listening socket, 1 virtual template, 1 l2tp group, 2 domains, 3 pools, 0 users\n"
	overlap := configs.Warning{Path: "pools[0]", Line: 9, Message: "overlaps headquarters"}
	faults := &configs.Faults{Name: "f", List: []configs.Fault{
		{Path: "users[3].password", Line: 20, Message: "is missing"}, {Message: "no pool"}}}
	tests := []struct {
		name     string
		warnings []configs.Warning
		err      error
		want     string
		fails    string
	}{
		{"good", nil, nil, "f: good: " + counts, ""},
		{"unwise", []configs.Warning{overlap}, nil,
			"f: warning: line 9: pools[0]: overlaps headquarters\nf: usable, with 1 warning: " + counts, ""},
		{"faulty", []configs.Warning{overlap}, faults,
			"f: fault: line 20: users[3].password: is missing\nf: fault: no pool\n" +
				"f: warning: line 9: pools[0]: overlaps headquarters\n", "f cannot be used: 2 faults"},
		{"not there", nil, fs.ErrNotExist, "", "file does not exist"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var out strings.Builder
			err := writeFindings(&out, "f", config, test.warnings, test.err)
			if diff := cmp.Diff(test.want, out.String()); diff != "" {
				t.Error(diff)
			}
			if (err == nil) != (test.fails == "") || err != nil && err.Error() != test.fails {
				t.Errorf("error %v, want %q", err, test.fails)
			}
		})
	}
}

type closedPipe struct{}

func (closedPipe) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

// A script that asks must not be told "good" by an exit code alone when the answer could not be written.
func TestFindingsThatCannotBeWritten(t *testing.T) {
	if err := writeFindings(closedPipe{}, "f", &configs.Config{}, nil, nil); err == nil {
		t.Error("no error")
	}
}
