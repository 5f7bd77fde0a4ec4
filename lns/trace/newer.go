package trace

import (
	"cmp"
	"time"
)

// At is the moment by which attempts are put in order: when it was decided whether the session opens, or when it began as long as
// that is not decided.
func (a *Attempt) At() time.Time {
	switch {
	case !a.Opened.IsZero():
		return a.Opened
	case !a.Ended.IsZero() && a.Times < 2:
		return a.Ended
	default:
		return a.Began
	}
}

// Newer compares two attempts by their moments and IDs, for the order of newest first: below zero when the first comes first.
func Newer(at time.Time, id string, at2 time.Time, id2 string) int {
	return cmp.Or(at2.Compare(at), cmp.Compare(id2, id))
}
