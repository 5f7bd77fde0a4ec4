package lac

import "fmt"

// Cause is the kind of end, without the particulars: what a load run counts.
type Cause uint8

// The causes in the order in which a login may meet them.
const (
	CauseClosedByUs       Cause = iota // we hung up: nothing went wrong
	CauseNoAnswer                      // the server never answered the first message
	CauseTunnelLost                    // the server stopped answering
	CauseTunnelRefused                 // StopCCN before the tunnel was up
	CauseTunnelSecret                  // the two ends do not know the same tunnel secret
	CauseTunnelClosed                  // StopCCN later
	CauseCallRefused                   // CDN before the call was up
	CauseCallClosed                    // CDN later
	CauseLinkNoAnswer                  // LCP Configure-Requests went unanswered
	CauseLinkDisagreement              // LCP could not agree
	CauseMethod                        // no authentication method suits both ends
	CauseNotAuthenticated              // the server wants no authentication and we insist
	CauseWrongPassword                 // the server refused name or password
	CauseServerUnproven                // MS-CHAPv2: the server does not know the password
	CauseLoginBroken                   // a challenge that has no answer
	CauseLoginNoAnswer                 // the server did not say yes or no
	CauseAddressNoAnswer               // IPCP Configure-Requests went unanswered
	CauseNoIPCP                        // the server does not speak IPCP
	CauseNoAddress                     // IPCP could not agree, or the server gave no address
	CausePeerHungUp                    // LCP Terminate-Request from the server
	CauseEchoLost                      // the server no longer answers LCP Echo-Requests
	CauseTimeout                       // the login was not complete in time
	causeCount
)

var causeNames = [causeCount]string{
	CauseClosedByUs:       "closed by us",
	CauseNoAnswer:         "no answer",
	CauseTunnelLost:       "tunnel lost",
	CauseTunnelRefused:    "tunnel refused",
	CauseTunnelSecret:     "tunnel secret differs",
	CauseTunnelClosed:     "tunnel closed by the server",
	CauseCallRefused:      "call refused",
	CauseCallClosed:       "call closed by the server",
	CauseLinkNoAnswer:     "no answer to LCP",
	CauseLinkDisagreement: "no agreement on LCP",
	CauseMethod:           "no common authentication method",
	CauseNotAuthenticated: "server wants no authentication",
	CauseWrongPassword:    "name or password refused",
	CauseServerUnproven:   "server failed to prove itself",
	CauseLoginBroken:      "authentication broken off",
	CauseLoginNoAnswer:    "no answer to the login",
	CauseAddressNoAnswer:  "no answer to IPCP",
	CauseNoIPCP:           "server does not speak IPCP",
	CauseNoAddress:        "no address",
	CausePeerHungUp:       "server hung up",
	CauseEchoLost:         "no answer to LCP echo",
	CauseTimeout:          "timed out",
}

// String returns the cause in a few words.
func (c Cause) String() string {
	if c < causeCount {
		return causeNames[c]
	}
	return fmt.Sprintf("cause %d", uint8(c))
}

// MarshalText writes the words.
func (c Cause) MarshalText() ([]byte, error) { return []byte(c.String()), nil }
