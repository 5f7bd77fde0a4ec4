package control

import (
	"time"

	"lnsgate/lns/l2tp"
)

// Tunnel is one control connection and its calls. One goroutine owns it.
type Tunnel struct {
	cfg   Config
	state State
	peer  PeerInfo
}

// New makes a tunnel in state idle. Dial or the first Receive sets it going.
func New(cfg Config) *Tunnel { return &Tunnel{cfg: cfg} }

// Dial asks the peer for a tunnel: it sends SCCRQ.
func (t *Tunnel) Dial(now time.Time, out *Out) {}

// Receive takes one control datagram that is addressed to this tunnel, or the SCCRQ that opens it. An error only names
// a drop or fault for counters and logs; what the protocol answers is in out.
func (t *Tunnel) Receive(datagram []byte, now time.Time, out *Out) error { return nil }

// Advance does what is due at now. Call it when Deadline has passed.
func (t *Tunnel) Advance(now time.Time, out *Out) {}

// Deadline is when Advance wants to be called; the zero time means never.
func (t *Tunnel) Deadline() time.Time { return time.Time{} }

// State is the state of the control connection.
func (t *Tunnel) State() State { return t.state }

// Peer is what the peer said about itself; zero before its SCCRQ or SCCRP.
func (t *Tunnel) Peer() PeerInfo { return t.peer }

// Sessions is the number of calls, those being set up included.
func (t *Tunnel) Sessions() int { return 0 }

// Alive notes that data of some session arrived: the peer lives, so no HELLO is needed for now.
func (t *Tunnel) Alive(now time.Time) {}

// PlaceCall (LAC) announces a call under the id local. It waits for the tunnel if need be; iccn is sent once the LNS
// accepts.
func (t *Tunnel) PlaceCall(local l2tp.SessionID, c l2tp.ICRQ, iccn l2tp.ICCN, now time.Time, out *Out) error {
	return nil
}

// AcceptCall (LNS) answers a CallRequested under the id local.
func (t *Tunnel) AcceptCall(local, peer l2tp.SessionID, now time.Time, out *Out) error { return nil }

// RefuseCall (LNS) answers a CallRequested with a CDN.
func (t *Tunnel) RefuseCall(peer l2tp.SessionID, r l2tp.ResultCode, now time.Time, out *Out) {}

// CloseCall closes a call with a CDN. It is silent about a call that does not exist.
func (t *Tunnel) CloseCall(local l2tp.SessionID, r l2tp.ResultCode, now time.Time, out *Out) {}

// Close closes the tunnel with a StopCCN.
func (t *Tunnel) Close(r l2tp.ResultCode, now time.Time, out *Out) {}
