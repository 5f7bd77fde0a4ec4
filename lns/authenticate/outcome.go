package authenticate

import (
	"fmt"

	"lnsgate/aaa"
	"lnsgate/lns/ppp"
)

// Out collects what a step wants done. The step appends and sets; the caller owns it and resets it between steps.
type Out struct {
	Frames []ppp.Frame // to send, in order
	Ask    *Ask        // authenticator: have this checked, then call Resolve. It comes once, and once more after each Challenge.
	Done   *Done       // the phase is over. It comes once.
}

// send adds one packet. The frame is fresh memory.
func (o *Out) send(protocol ppp.Protocol, p ppp.Packet) {
	o.Frames = append(o.Frames, ppp.Frame{Protocol: protocol, Packet: p.Append(nil)})
}

// Ask is the question whether a proof is right.
type Ask struct {
	Name    string // exactly as the peer typed it; EAP: its identity, which may be empty
	Proof   aaa.Proof
	Backend string // EAP: whose Challenge the proof answers; "" = nobody's
}

// Done is the end of the phase.
type Done struct {
	OK      bool
	Reason  Reason // why not, ReasonNone if OK
	Message string // authenticator: the text the peer was sent; peer: the text the server sent. Raw, not made safe to print.
}

// Reason is why an authentication phase ended without success.
type Reason uint8

// The reasons.
const (
	ReasonNone              Reason = iota
	NoAnswer                       // the other side kept silent until the tries or the time were used up
	Refused                        // authenticator: the verdict was no; peer: the server said no
	MalformedAnswer                // what the other side sent has a wrong length or shape
	NoAuthenticatorResponse        // MS-CHAPv2: the verdict was yes but brought no S=..., so the peer cannot be convinced
	ServerNotProven                // MS-CHAPv2, peer: the server's Success does not prove that it knows the password
	CannotAnswer                   // peer: the credentials give no answer to this challenge
	Unusable                       // the method is not known here, or the challenge handed in has a wrong length
	ChallengeUnanswered            // EAP: the peer said who it is, and then left a Request without an answer
	ServerMalformed                // EAP: what the back end wants the peer to answer is not an EAP Request
	ServerTooLong                  // EAP: it is longer than the peer takes
	TooManyTurns                   // EAP: the conversation does not come to an end
)

var reasonWords = [...]string{
	ReasonNone:              "no reason",
	NoAnswer:                "the other side did not answer",
	Refused:                 "refused",
	MalformedAnswer:         "the other side's answer is malformed",
	NoAuthenticatorResponse: "the back end said yes but gave no MS-CHAPv2 authenticator response (S=...)",
	ServerNotProven:         "the server did not prove that it knows the password",
	CannotAnswer:            "the name and password at hand give no answer to this challenge",
	Unusable:                "the method or its challenge cannot be used",
	ChallengeUnanswered:     "the peer left a challenge without an answer",
	ServerMalformed:         "the back end's challenge is not an EAP Request",
	ServerTooLong:           "the back end's EAP Request is longer than the MRU of the peer: have the server send smaller fragments",
	TooManyTurns:            "the back end goes on asking and does not decide",
}

// String returns the reason in words.
func (r Reason) String() string {
	if int(r) < len(reasonWords) {
		return reasonWords[r]
	}
	return fmt.Sprintf("reason %d", uint8(r))
}
