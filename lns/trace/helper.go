package trace

import "fmt"

// Helper is who can do something about a cause.
type Helper uint8

// The helpers.
const (
	ByNobody        Helper = iota // nothing is to be done
	ByUser                        // whoever dials in, or their helpdesk
	ByAdministrator               // of lnsgate, its database or its RADIUS servers
	ByNetwork                     // whoever runs the network in between
	helperCount
)

var helperNames = [helperCount]string{"nobody", "user", "administrator", "network"}

// String returns the helper in one lower-case word.
func (h Helper) String() string {
	if h < helperCount {
		return helperNames[h]
	}
	return fmt.Sprintf("helper %d", uint8(h))
}

// MarshalText writes the helper as String does.
func (h Helper) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (h *Helper) UnmarshalText(b []byte) error { return parseWord(h, helperNames[:], b, "helper") }

// Causes returns every cause there is, in the order of a login.
func Causes() []Cause {
	all := make([]Cause, causeCount)
	for i := range all {
		all[i] = Cause(i)
	}
	return all
}

// String returns the cause as a sentence without a full stop.
func (c Cause) String() string {
	if c < causeCount {
		return meanings[c].sentence
	}
	return fmt.Sprintf("cause %d", uint8(c))
}

// Name returns the cause in one word with dashes, which stays the same for as long as lnsgate has it: for metrics, filters
// and scripts.
func (c Cause) Name() string { return c.meaning().name }

// Remedy says what to do, without a full stop.
func (c Cause) Remedy() string { return c.meaning().remedy }

// Helper says who can do it.
func (c Cause) Helper() Helper { return c.meaning().who }

// Stage says where the cause strikes, as a rule.
func (c Cause) Stage() Stage { return c.meaning().stage }

// meaning is that of Unknown for a number without one.
func (c Cause) meaning() meaning {
	if c < causeCount {
		return meanings[c]
	}
	return meanings[Unknown]
}

// MarshalText writes the name of the cause.
func (c Cause) MarshalText() ([]byte, error) { return []byte(c.Name()), nil }

// UnmarshalText reads the name of a cause.
func (c *Cause) UnmarshalText(b []byte) error {
	for i, m := range meanings {
		if m.name == string(b) {
			*c = Cause(i)
			return nil
		}
	}
	return fmt.Errorf("there is no cause %q", b)
}
