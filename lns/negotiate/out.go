package negotiate

import "lnsgate/lns/ppp"

// Out collects what a machine wants done. The machine appends; the caller
// carries it out in order and resets it.
type Out struct {
	Frames         []ppp.Frame    // to send to the peer
	Changes        []Change       // for the layers above and below
	PeerRejected   []ppp.Protocol // the peer sent a Protocol-Reject for these
	Identification []string       // the peer sent Identification; raw octets, not to be printed as they are
}

// Reset empties the collection and keeps its memory for the next step.
func (o *Out) Reset() {
	clear(o.Frames)
	clear(o.Identification)
	o.Frames, o.Changes = o.Frames[:0], o.Changes[:0]
	o.PeerRejected, o.Identification = o.PeerRejected[:0], o.Identification[:0]
}
