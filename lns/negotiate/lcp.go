package negotiate

import (
	"fmt"
	"time"

	"lnsgate/lns/ppp"
)

// AuthProtocol is a way for one side of a link to prove who it is.
type AuthProtocol uint8

// The authentication protocols that LCP can agree on.
const (
	AuthNone AuthProtocol = iota
	AuthPAP
	AuthCHAPMD5
	AuthMSCHAPv2
	AuthEAP
)

var authNames = [...]string{"none", "PAP", "CHAP", "MS-CHAPv2", "EAP"}

// String is the usual name of the protocol.
func (a AuthProtocol) String() string {
	if int(a) < len(authNames) {
		return authNames[a]
	}
	return fmt.Sprintf("authentication %d", uint8(a))
}

// LCPConfig says what one side of a link wants.
type LCPConfig struct {
	MRU                  uint16         // the largest packet we wish to receive, octets; 0 takes 1500
	Magic                uint32         // random; 0 leaves the option out
	Authentication       []AuthProtocol // serving side: what the peer may use, in the order of the offers; empty asks for none
	AcceptAuthentication []AuthProtocol // dialling side: what we are able to do, the preferred one first; empty rejects the option
	EchoInterval         time.Duration  // silence after which an Echo-Request is sent; 0 sends none
	EchoFailures         int            // unanswered Echo-Requests after which the link is dead; 0 takes 3
	RequestPFC           bool           // allow the peer one-octet protocol numbers
	RequestACFC          bool           // allow the peer to leave FF 03 out
	Timing
}

// LCPResult is what was agreed. It is complete while the state is Opened.
type LCPResult struct {
	LocalMRU       uint16       // the largest packet the peer may send to us
	PeerMRU        uint16       // the largest packet we may send: the peer's MRU, never above our own MRU setting
	Framing        ppp.Framing  // the short forms we may use towards the peer
	Authentication AuthProtocol // serving side: what the peer must do; dialling side: what we must do
	PeerMagic      uint32       // 0 if the peer named none
}

// LCP is the link control protocol of one link.
type LCP struct {
	cfg LCPConfig
}

// NewLCP makes the machine, in state Initial.
func NewLCP(cfg LCPConfig) *LCP { return &LCP{cfg: cfg} }

func (l *LCP) Up(now time.Time, out *Out)                                            {}
func (l *LCP) Down(now time.Time, out *Out)                                          {}
func (l *LCP) Open(now time.Time, out *Out)                                          {}
func (l *LCP) Close(now time.Time, out *Out)                                         {}
func (l *LCP) Receive(packet []byte, now time.Time, out *Out)                        {}
func (l *LCP) Advance(now time.Time, out *Out)                                       {}
func (l *LCP) Deadline() time.Time                                                   { return time.Time{} }
func (l *LCP) State() State                                                          { return Initial }
func (l *LCP) Reason() Reason                                                        { return ReasonNone }
func (l *LCP) PeerText() string                                                      { return "" }
func (l *LCP) Result() LCPResult                                                     { return LCPResult{} }
func (l *LCP) Alive(now time.Time)                                                   {}
func (l *LCP) RejectProtocol(p ppp.Protocol, packet []byte, now time.Time, out *Out) {}
func (l *LCP) Identify(text string, out *Out)                                        {}
func (l *LCP) Nudge(now time.Time, out *Out)                                         {}
func (l *LCP) Adopt(initialReceived, lastSent, lastReceived []byte, now time.Time, out *Out) error {
	return nil
}
