package arch

import (
	"fmt"
	"path"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func parse(t *testing.T, name, source string) *File {
	t.Helper()
	file, err := Parse(name, []byte(source))
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// positions writes faults as "line rule". The small sources have neither a doc.go nor the shape that gofmt wants, so
// those two rules are left out unless the source is about them.
func positions(faults []Fault, about *File) []string {
	var list []string
	for _, f := range faults {
		missing := f.Rule == ruleDoc && path.Base(about.Path) != "doc.go"
		shape := f.Rule == ruleFormat && !strings.Contains(string(about.Source), "  ")
		if !missing && !shape {
			list = append(list, fmt.Sprintf("%d %s", f.Line, f.Rule))
		}
	}
	return list
}

func difference(want, got []string) string { return cmp.Diff(want, got) }
