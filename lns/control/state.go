package control

import "lnsgate/lns/l2tp"

// State is the state of a control connection (RFC 2661 section 7.2.1), and one of our own for the time after.
type State uint8

const (
	StateIdle State = iota
	StateWaitCtlReply
	StateWaitCtlConn
	StateEstablished
	StateClosing  // StopCCN sent or received; only acknowledgements matter
	StateFinished // nothing matters
)

// String is the RFC's name of the state.
func (s State) String() string {
	switch s {
	case StateIdle:
		return "idle"
	case StateWaitCtlReply:
		return "wait-ctl-reply"
	case StateWaitCtlConn:
		return "wait-ctl-conn"
	case StateEstablished:
		return "established"
	case StateClosing:
		return "closing"
	}
	return "finished"
}

// PeerInfo is what the peer said about itself in its SCCRQ or SCCRP.
type PeerInfo struct {
	HostName, Vendor string
	Firmware         uint16
	Tunnel           l2tp.TunnelID // the id the peer chose
	ReceiveWindow    uint16        // in messages; what we honour, never 0
	Framing, Bearer  uint32
}
