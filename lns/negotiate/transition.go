package negotiate

// action is a set of the actions of RFC 1661 section 4.4. Where a cell of the
// table holds several, they are carried out in the order of these constants.
type action uint16

const (
	nop action = 1 << iota // nothing to do, yet the event is legal
	tld                    // This-Layer-Down
	irc                    // Initialize-Restart-Count
	zrc                    // Zero-Restart-Count
	scr                    // Send-Configure-Request
	str                    // Send-Terminate-Request
	sca                    // Send-Configure-Ack
	scn                    // Send-Configure-Nak or -Reject
	sta                    // Send-Terminate-Ack
	scj                    // Send-Code-Reject
	ser                    // Send-Echo-Reply
	tlu                    // This-Layer-Up
	tls                    // This-Layer-Started
	tlf                    // This-Layer-Finished
)

// cell is one entry of the table. No action at all, not even nop, is the dash of
// the RFC: the event cannot happen in this state and is ignored.
type cell struct {
	do   action
	next State
}

// transitions is the table of RFC 1661 section 4.1, one row for each event.
// The restart option (footnote r) is not taken: an Open in Opened changes
// nothing.
var transitions = [eventCount][stateCount]cell{
	EventUp: {
		Initial:  {nop, Closed},
		Starting: {irc | scr, ReqSent},
	},
	EventDown: {
		Closed:   {nop, Initial},
		Stopped:  {tls, Starting},
		Closing:  {nop, Initial},
		Stopping: {nop, Starting},
		ReqSent:  {nop, Starting},
		AckRcvd:  {nop, Starting},
		AckSent:  {nop, Starting},
		Opened:   {tld, Starting},
	},
	EventOpen: {
		Initial:  {tls, Starting},
		Starting: {nop, Starting},
		Closed:   {irc | scr, ReqSent},
		Stopped:  {nop, Stopped},
		Closing:  {nop, Stopping},
		Stopping: {nop, Stopping},
		ReqSent:  {nop, ReqSent},
		AckRcvd:  {nop, AckRcvd},
		AckSent:  {nop, AckSent},
		Opened:   {nop, Opened},
	},
	EventClose: {
		Initial:  {nop, Initial},
		Starting: {tlf, Initial},
		Closed:   {nop, Closed},
		Stopped:  {nop, Closed},
		Closing:  {nop, Closing},
		Stopping: {nop, Closing},
		ReqSent:  {irc | str, Closing},
		AckRcvd:  {irc | str, Closing},
		AckSent:  {irc | str, Closing},
		Opened:   {tld | irc | str, Closing},
	},
	EventTOGood: {
		Closing:  {str, Closing},
		Stopping: {str, Stopping},
		ReqSent:  {scr, ReqSent},
		AckRcvd:  {scr, ReqSent},
		AckSent:  {scr, AckSent},
	},
	EventTOBad: {
		Closing:  {tlf, Closed},
		Stopping: {tlf, Stopped},
		ReqSent:  {tlf, Stopped},
		AckRcvd:  {tlf, Stopped},
		AckSent:  {tlf, Stopped},
	},
	EventRCRGood: {
		Closed:   {sta, Closed},
		Stopped:  {irc | scr | sca, AckSent},
		Closing:  {nop, Closing},
		Stopping: {nop, Stopping},
		ReqSent:  {sca, AckSent},
		AckRcvd:  {sca | tlu, Opened},
		AckSent:  {sca, AckSent},
		Opened:   {tld | scr | sca, AckSent},
	},
	EventRCRBad: {
		Closed:   {sta, Closed},
		Stopped:  {irc | scr | scn, ReqSent},
		Closing:  {nop, Closing},
		Stopping: {nop, Stopping},
		ReqSent:  {scn, ReqSent},
		AckRcvd:  {scn, AckRcvd},
		AckSent:  {scn, ReqSent},
		Opened:   {tld | scr | scn, ReqSent},
	},
	EventRCA: {
		Closed:   {sta, Closed},
		Stopped:  {sta, Stopped},
		Closing:  {nop, Closing},
		Stopping: {nop, Stopping},
		ReqSent:  {irc, AckRcvd},
		AckRcvd:  {scr, ReqSent},
		AckSent:  {irc | tlu, Opened},
		Opened:   {tld | scr, ReqSent},
	},
	EventRCN: {
		Closed:   {sta, Closed},
		Stopped:  {sta, Stopped},
		Closing:  {nop, Closing},
		Stopping: {nop, Stopping},
		ReqSent:  {irc | scr, ReqSent},
		AckRcvd:  {scr, ReqSent},
		AckSent:  {irc | scr, AckSent},
		Opened:   {tld | scr, ReqSent},
	},
	EventRTR: {
		Closed:   {sta, Closed},
		Stopped:  {sta, Stopped},
		Closing:  {sta, Closing},
		Stopping: {sta, Stopping},
		ReqSent:  {sta, ReqSent},
		AckRcvd:  {sta, ReqSent},
		AckSent:  {sta, ReqSent},
		Opened:   {tld | zrc | sta, Stopping},
	},
	EventRTA: {
		Closed:   {nop, Closed},
		Stopped:  {nop, Stopped},
		Closing:  {tlf, Closed},
		Stopping: {tlf, Stopped},
		ReqSent:  {nop, ReqSent},
		AckRcvd:  {nop, ReqSent},
		AckSent:  {nop, AckSent},
		Opened:   {tld | scr, ReqSent},
	},
	EventRUC: {
		Closed:   {scj, Closed},
		Stopped:  {scj, Stopped},
		Closing:  {scj, Closing},
		Stopping: {scj, Stopping},
		ReqSent:  {scj, ReqSent},
		AckRcvd:  {scj, AckRcvd},
		AckSent:  {scj, AckSent},
		Opened:   {scj, Opened},
	},
	EventRXJGood: {
		Closed:   {nop, Closed},
		Stopped:  {nop, Stopped},
		Closing:  {nop, Closing},
		Stopping: {nop, Stopping},
		ReqSent:  {nop, ReqSent},
		AckRcvd:  {nop, ReqSent},
		AckSent:  {nop, AckSent},
		Opened:   {nop, Opened},
	},
	EventRXJBad: {
		Closed:   {tlf, Closed},
		Stopped:  {tlf, Stopped},
		Closing:  {tlf, Closed},
		Stopping: {tlf, Stopped},
		ReqSent:  {tlf, Stopped},
		AckRcvd:  {tlf, Stopped},
		AckSent:  {tlf, Stopped},
		Opened:   {tld | irc | str, Stopping},
	},
	EventRXR: {
		Closed:   {nop, Closed},
		Stopped:  {nop, Stopped},
		Closing:  {nop, Closing},
		Stopping: {nop, Stopping},
		ReqSent:  {nop, ReqSent},
		AckRcvd:  {nop, AckRcvd},
		AckSent:  {nop, AckSent},
		Opened:   {ser, Opened},
	},
}

// timed says whether the restart timer runs in the state (RFC 1661 section 4.2).
func (s State) timed() bool { return s >= Closing && s <= AckSent }

// configuring says whether a Configure-Request of ours is on the table.
func (s State) configuring() bool { return s >= ReqSent && s <= AckSent }
