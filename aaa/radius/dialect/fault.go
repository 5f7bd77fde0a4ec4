package dialect

import "fmt"

// Fault is an attribute that cannot be honoured.
type Fault struct {
	Attribute string // its name in the dictionaries
	Value     string // as an administrator would write it
	Problem   string // in words
	Unknown   bool   // of a change: the attribute is not one that can be changed
}

// Error names attribute, value and problem.
func (f *Fault) Error() string {
	if f.Value == "" {
		return fmt.Sprintf("%s: %s", f.Attribute, f.Problem)
	}
	return fmt.Sprintf("%s = %s: %s", f.Attribute, f.Value, f.Problem)
}
