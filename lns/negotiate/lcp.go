package negotiate

import (
	"time"

	"lnsgate/lns/ppp"
)

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
	Extra                ppp.Options    // dialling side: further options to ask for, which mean nothing to us; each goes when it is rejected
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

// LCP is the link control protocol of one link. Its owner hands in the packets
// behind protocol number 0xc021, calls Advance when Deadline has come, and
// carries out what is in Out.
type LCP struct {
	m   machine
	cfg LCPConfig

	ours  lcpRequest
	peer  lcpRequest  // what the peer was granted
	more  ppp.Options // what is left of cfg.Extra
	tried uint16      // one bit for each entry of cfg.Authentication that the peer refused

	loops  uint8 // signs of a looped back line in a row
	mirror bool  // the peer's last request had our own magic number in it
	echoes uint8 // Echo-Requests without an answer
	echoID uint8
	mute   bool // the peer does not know Echo-Request
	watch  echoWatch
}

// lcpRequest is the part of a Configure-Request that has a consequence for us.
// A zero field is an option that is not in it.
type lcpRequest struct {
	mru       uint16
	magic     uint32
	pfc, acfc bool
	auth      AuthProtocol // asked of the receiver of the request
}

// NewLCP makes the machine, in state Initial.
func NewLCP(cfg LCPConfig) *LCP {
	if cfg.MRU == 0 {
		cfg.MRU = ppp.DefaultMRU
	}
	cfg.MRU = max(cfg.MRU, ppp.MinimumMRU)
	l := &LCP{cfg: cfg}
	l.reset()
	return l
}

// Up says that frames can be sent and received now.
func (l *LCP) Up(now time.Time, out *Out) { l.m.command(l, EventUp, now, out) }

// Down says that they can no longer.
func (l *LCP) Down(now time.Time, out *Out) { l.m.command(l, EventDown, now, out) }

// Open asks for the link to be opened as soon as it is up.
func (l *LCP) Open(now time.Time, out *Out) { l.m.command(l, EventOpen, now, out) }

// Close asks for the link to be ended. LayerFinished follows when the peer has
// confirmed or has stayed silent.
func (l *LCP) Close(now time.Time, out *Out) { l.m.command(l, EventClose, now, out) }

// Receive takes an LCP packet of the peer. What breaks the RFC is dropped.
func (l *LCP) Receive(packet []byte, now time.Time, out *Out) {
	l.Alive(now)
	l.m.receive(l, packet, now, out)
}

// Advance does what is due at now; before Deadline it does nothing.
func (l *LCP) Advance(now time.Time, out *Out) {
	switch {
	case l.m.deadline.IsZero() || now.Before(l.m.deadline):
	case l.m.state == Opened:
		l.keepAlive(now, out)
	default:
		l.m.timeout(l, now, out)
	}
}

// Deadline is when Advance wants to be called; zero means not at all.
func (l *LCP) Deadline() time.Time { return l.m.deadline }

// State is the state of the automaton.
func (l *LCP) State() State { return l.m.state }

// Reason says why the layer went down for good or finished.
func (l *LCP) Reason() Reason { return l.m.reason }

// PeerText is the data of the peer's last Terminate-Request, raw octets of at
// most 128. Windows puts a code there that is no text.
func (l *LCP) PeerText() string { return l.m.peerText }

// Result is what was agreed so far.
func (l *LCP) Result() LCPResult {
	r := LCPResult{
		LocalMRU:       ppp.DefaultMRU,
		PeerMRU:        min(ppp.DefaultMRU, l.cfg.MRU),
		Framing:        ppp.Framing{PFC: l.peer.pfc, ACFC: l.peer.acfc},
		Authentication: l.ours.auth,
		PeerMagic:      l.peer.magic,
	}
	if l.ours.mru != 0 {
		r.LocalMRU = l.ours.mru
	}
	if l.peer.mru != 0 {
		r.PeerMRU = min(l.peer.mru, l.cfg.MRU)
	}
	if l.peer.auth != AuthNone {
		r.Authentication = l.peer.auth
	}
	return r
}

// Nudge says that the peer's first frame has arrived: a Configure-Request that
// is unanswered is sent again at once, because the peer may not have listened
// before. Call it in front of Receive with that frame; Receive does it by itself
// for a Configure-Request. Only the first call has an effect, and none on a
// request that left in the same moment.
func (l *LCP) Nudge(now time.Time, out *Out) { l.m.nudge(l, now, out) }

// RejectProtocol tells the peer that we do not speak protocol p; packet is what
// it sent, without the protocol number. It is cut to what the peer can receive.
// A Protocol-Reject is allowed in Opened only (RFC 1661 section 5.7); elsewhere
// nothing is sent.
func (l *LCP) RejectProtocol(p ppp.Protocol, packet []byte, _ time.Time, out *Out) {
	if l.m.state != Opened {
		return
	}
	packet = packet[:min(len(packet), l.limit()-ppp.HeaderSize-2)]
	data := append([]byte{byte(p >> 8), byte(p)}, packet...)
	l.m.send(l, ppp.Packet{Code: ppp.ProtocolReject, Identifier: l.m.nextID(), Data: data}, out)
}
