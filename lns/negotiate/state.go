package negotiate

import "fmt"

// State is a state of the automaton, with the number that RFC 1661 section 4.1
// gives to it.
type State uint8

// The states of RFC 1661 section 4.2.
const (
	Initial  State = iota // lower layer down, not opened
	Starting              // lower layer down, opened
	Closed                // lower layer up, not opened
	Stopped               // lower layer up, opened, finished: waits for the peer
	Closing               // Terminate-Request sent, on the way to Closed
	Stopping              // Terminate-Request sent, on the way to Stopped
	ReqSent               // Configure-Request sent
	AckRcvd               // and acknowledged by the peer
	AckSent               // the peer's request acknowledged, ours not yet
	Opened                // both acknowledged
)

const stateCount = int(Opened) + 1

var stateNames = [stateCount]string{
	"Initial", "Starting", "Closed", "Stopped", "Closing", "Stopping",
	"Req-Sent", "Ack-Rcvd", "Ack-Sent", "Opened",
}

// String is the name in the RFC.
func (s State) String() string {
	if int(s) < stateCount {
		return stateNames[s]
	}
	return fmt.Sprintf("state %d", uint8(s))
}

// Event is an event of the automaton, RFC 1661 section 4.3.
type Event uint8

// The events of RFC 1661 section 4.3. The RFC's + and - read Good and Bad here.
const (
	EventUp      Event = iota // the lower layer is ready
	EventDown                 // the lower layer is gone
	EventOpen                 // the link may be opened
	EventClose                // the link must be closed
	EventTOGood               // TO+: time out, the restart counter is above zero
	EventTOBad                // TO-: time out, the restart counter is used up
	EventRCRGood              // RCR+: acceptable Configure-Request
	EventRCRBad               // RCR-: Configure-Request that is not acceptable
	EventRCA                  // Configure-Ack
	EventRCN                  // Configure-Nak or Configure-Reject
	EventRTR                  // Terminate-Request
	EventRTA                  // Terminate-Ack
	EventRUC                  // unknown code
	EventRXJGood              // RXJ+: Code-Reject or Protocol-Reject that can be lived with
	EventRXJBad               // RXJ-: Code-Reject or Protocol-Reject that can not
	EventRXR                  // Echo-Request, Echo-Reply, Discard-Request
)

const eventCount = int(EventRXR) + 1

var eventNames = [eventCount]string{
	"Up", "Down", "Open", "Close", "TO+", "TO-", "RCR+", "RCR-",
	"RCA", "RCN", "RTR", "RTA", "RUC", "RXJ+", "RXJ-", "RXR",
}

// String is the abbreviation in the RFC.
func (e Event) String() string {
	if int(e) < eventCount {
		return eventNames[e]
	}
	return fmt.Sprintf("event %d", uint8(e))
}

// Change is what a machine tells the layers around it, RFC 1661 section 4.4.
type Change uint8

// The changes, in the RFC This-Layer-Up, -Down, -Started and -Finished.
const (
	LayerUp       Change = iota // opened: what lies above may start
	LayerDown                   // no longer opened: what lies above must stop
	LayerStarted                // the lower layer is needed
	LayerFinished               // the lower layer is not needed any more; Reason says why
)

var changeNames = [...]string{"layer up", "layer down", "layer started", "layer finished"}

// String names the change.
func (c Change) String() string {
	if int(c) < len(changeNames) {
		return changeNames[c]
	}
	return fmt.Sprintf("change %d", uint8(c))
}

// Reason says why a layer went down or finished.
type Reason uint8

// The reasons.
const (
	ReasonNone            Reason = iota // it has not finished
	PeerTerminated                      // the peer sent a Terminate-Request or Terminate-Ack
	NoAnswer                            // Max-Configure requests went unanswered
	NotConverging                       // both sides talk, and never agree
	EchoTimeout                         // EchoFailures Echo-Requests went unanswered
	Loop                                // we hear ourselves: the line is looped back
	AuthenticationRefused               // the peer refuses every authentication we may use
	MandatoryRejected                   // the peer rejected a code or protocol we cannot do without
	ClosedByUs                          // Close was called
)

var reasonNames = [...]string{
	"no reason",
	"the peer terminated the link",
	"the peer did not answer",
	"the peer and we could not agree on the options",
	"the peer stopped answering echo requests",
	"the line is looped back",
	"the peer refuses every authentication protocol that is allowed here",
	"the peer rejected a packet that the protocol cannot do without",
	"closed by this side",
}

// String says it in words.
func (r Reason) String() string {
	if int(r) < len(reasonNames) {
		return reasonNames[r]
	}
	return fmt.Sprintf("reason %d", uint8(r))
}
