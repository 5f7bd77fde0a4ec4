package negotiate

import (
	"time"

	"lnsgate/lns/ppp"
)

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

// Timing holds the timer and the counters of RFC 1661 section 4.6. The zero
// value of each field takes the default.
type Timing struct {
	// Restart is how long to wait for an answer to the first, second ... copy of
	// a request; the last entry repeats. Default 250 ms, 500 ms, 1 s, 3 s: a slow
	// pppd is not listening yet when its call comes up, and 3 s is what the RFC
	// proposes for a peer that is.
	Restart []time.Duration
	// MaxConfigure is the number of Configure-Requests without an answer, default
	// 10; MaxTerminate the same of Terminate-Requests, default 2.
	MaxConfigure, MaxTerminate int
	// MaxFailure is the number of Configure-Naks after which the option is
	// rejected instead, default 5.
	MaxFailure int
}
