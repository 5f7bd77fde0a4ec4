package trace

import "fmt"

// Verdict is why something ended: the typed cause, and what is particular to this case. The detail is for the administrator; the
// peer never sees it.
type Verdict struct {
	Cause  Cause  `json:"cause"`
	Detail string `json:"detail,omitempty"`
}

// String returns the sentence, followed by the detail after a colon.
func (v Verdict) String() string {
	if v.Detail == "" {
		return v.Cause.String()
	}
	return v.Cause.String() + ": " + v.Detail
}

// Because makes a verdict with a formatted detail.
func Because(c Cause, format string, args ...any) Verdict {
	return Verdict{Cause: c, Detail: fmt.Sprintf(format, args...)}
}
