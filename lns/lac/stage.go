package lac

import "fmt"

// Stage is how far a login has come; a login that fails has failed at one.
type Stage uint8

// The stages in the order in which a login passes them.
const (
	StageTunnel         Stage = iota // SCCRQ, SCCRP, SCCCN (RFC 2661 section 5.1)
	StageCall                        // ICRQ, ICRP, ICCN (RFC 2661 section 5.2)
	StageLink                        // LCP (RFC 1661)
	StageAuthentication              // PAP, CHAP, MS-CHAPv2, EAP
	StageAddress                     // IPCP (RFC 1332)
	StageUp                          // user traffic may flow
	stageCount
)

var stageNames = [stageCount]string{"tunnel", "session", "lcp", "authentication", "ipcp", "up"}

// String returns the one word that people and programs read: tunnel, session, lcp, authentication, ipcp, up.
func (s Stage) String() string {
	if s < stageCount {
		return stageNames[s]
	}
	return fmt.Sprintf("stage %d", uint8(s))
}

// MarshalText writes the word.
func (s Stage) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
