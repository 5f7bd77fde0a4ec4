package trace

import "fmt"

// Stage is the part of a login that a step belongs to, and in which a cause strikes.
type Stage uint8

// The stages, in the order in which a login walks through them.
const (
	StageTunnel         Stage = iota // SCCRQ, SCCRP, SCCCN (RFC 2661 section 5.1)
	StageCall                        // ICRQ, ICRP, ICCN (RFC 2661 section 5.2)
	StageLink                        // LCP
	StageAuthentication              // who is it, and may they
	StageAddress                     // pool and lease
	StageNetwork                     // IPCP, IPv6CP
	StageOpen                        // user traffic flows
	StageEnd                         // goodbye
	stageCount
)

var stageNames = [stageCount]string{"tunnel", "call", "link", "authentication", "address", "network", "open", "end"}

// String returns the stage in one lower-case word.
func (s Stage) String() string {
	if s < stageCount {
		return stageNames[s]
	}
	return fmt.Sprintf("stage %d", uint8(s))
}

// MarshalText writes the stage as String does.
func (s Stage) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (s *Stage) UnmarshalText(b []byte) error { return parseWord(s, stageNames[:], b, "stage") }

// parseWord finds a word in the list whose places are the values of a type.
func parseWord[T ~uint8](into *T, words []string, b []byte, what string) error {
	for i, word := range words {
		if word == string(b) {
			*into = T(i)
			return nil
		}
	}
	return fmt.Errorf("there is no %s %q", what, b)
}
