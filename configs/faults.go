package configs

import (
	"fmt"
	"strings"
)

// Fault is one thing wrong in a configuration.
type Fault struct {
	Path    string // such as users[3].password, empty when it concerns the whole file
	Line    int    // 0 when it is not known
	Message string // what is wrong and what to do
}

// String prints place and message in one line.
func (f Fault) String() string { return place(f.Path, f.Line) + f.Message }

// Error is the same as String, so that who looks further into a configuration can join faults as errors.
func (f Fault) Error() string { return f.String() }

// Warning is one thing that is allowed and probably unwise.
type Warning struct {
	Path    string
	Line    int
	Message string
}

// String prints place and message in one line.
func (w Warning) String() string { return place(w.Path, w.Line) + w.Message }

// Faults is the error of a file that cannot be used: everything wrong with it, in the order of the file.
type Faults struct {
	Name string // of the file
	List []Fault
}

// Error prints one fault per line, each with the name of the file.
func (f *Faults) Error() string {
	lines := make([]string, len(f.List))
	for i, fault := range f.List {
		lines[i] = f.Name + ": " + fault.String()
	}
	return strings.Join(lines, "\n")
}

func place(path string, line int) string {
	var b strings.Builder
	if line > 0 {
		fmt.Fprintf(&b, "line %d: ", line)
	}
	if path != "" {
		b.WriteString(path + ": ")
	}
	return b.String()
}
