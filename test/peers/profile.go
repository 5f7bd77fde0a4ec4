package peers

import "time"

// Profile is how one kind of peer behaves. The zero value of each field is the ordinary way.
type Profile struct {
	Name string
	// Port is the UDP port it sends from; 0 = an ephemeral one.
	Port uint16
	// Start are the AVPs of the SCCRQ behind the message type, in their order, without the Assigned Tunnel ID, which
	// stands where the placeholder AssignedTunnel does.
	Start []AVP
	// Window is how many messages the server may have under way to it: what Start says of it, or the 4 of the RFC.
	Window uint16
	// Connected, Call and Answer are the AVPs of the SCCCN, the ICRQ and the ICCN behind what each must have.
	Connected, Call, Answer []AVP
	// Resend is how long it waits for an acknowledgement, Tries how often it says a thing.
	Resend time.Duration
	Tries  int
	// HelloBurst is how many HELLOs with tunnel id 0 it sends before its SCCRQ.
	HelloBurst int
	// StepByStep has it send ICRQ, and start PPP, only when its last message has been acknowledged; and it drops what
	// comes meanwhile without an acknowledgement.
	StepByStep bool
	// DeafToHello says that it does not answer HELLO.
	DeafToHello bool
	// TunnelZero sends messages of an open tunnel with tunnel id 0.
	TunnelZero bool

	// Link are the LCP options of its Configure-Request.
	Link []Option
	// LinkAfter is how long it waits with its own request. It answers ours at once.
	LinkAfter time.Duration
	// EmptyAfterReject has it repeat its request with no options at all when some were rejected.
	EmptyAfterReject bool
	// AckOnly has it never send an LCP Configure-Request of its own.
	AckOnly bool
	// Proxied says that LCP, and the challenge, were a matter between it and its LAC: its link is up when the call is.
	Proxied bool
	// FlagsAndAddress puts FF 03 in front of every frame.
	FlagsAndAddress bool
	// OneCounter numbers the packets of all protocols from one counter.
	OneCounter bool
	// Identify are the texts of the LCP Identifications that it sends when LCP is open.
	Identify []string
	// EchoAtOnce sends an LCP Echo-Request right behind its Configure-Ack.
	EchoAtOnce bool
	// Methods are the ways of authentication it agrees to, the best first.
	Methods []Method
	// Network are the protocols it opens after the login, in this order and without waiting.
	Network []Proposal
}

// Method is a way of authentication, as the value of the LCP option.
type Method string

// The ways.
const (
	MethodPAP      Method = "\xc0\x23"
	MethodCHAP     Method = "\xc2\x23\x05"
	MethodMSCHAPv2 Method = "\xc2\x23\x81"
	MethodEAP      Method = "\xc2\x27"
)

// Proposal is a network protocol with the options that a peer asks for.
type Proposal struct {
	Protocol uint16
	After    time.Duration // behind the one before
	Options  []Option
}

// AssignedTunnel stands in Profile.Start for the id that the Peer has chosen.
var AssignedTunnel = Number(9, 0)
