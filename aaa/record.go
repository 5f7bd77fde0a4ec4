package aaa

import (
	"fmt"
	"net/netip"
	"time"
)

// RecordKind is which moment of a session a record tells of (RFC 2866 section 5.1).
type RecordKind uint8

// The kinds.
const (
	RecordStart RecordKind = iota + 1
	RecordInterim
	RecordStop
)

var recordKinds = [...]string{RecordStart: "start", RecordInterim: "interim", RecordStop: "stop"}

// String returns start, interim or stop.
func (k RecordKind) String() string {
	if int(k) < len(recordKinds) && recordKinds[k] != "" {
		return recordKinds[k]
	}
	return fmt.Sprintf("record kind %d", uint8(k))
}

// TerminateCause is why a session ended, by the numbers of RFC 2866 section 5.10.
type TerminateCause uint8

// The causes that an LNS has use for.
const (
	TerminateUnknown            TerminateCause = 0
	TerminateUserRequest        TerminateCause = 1
	TerminateLostCarrier        TerminateCause = 2
	TerminateLostService        TerminateCause = 3
	TerminateIdleTimeout        TerminateCause = 4
	TerminateSessionTimeout     TerminateCause = 5
	TerminateAdminReset         TerminateCause = 6
	TerminateAdminReboot        TerminateCause = 7
	TerminatePortError          TerminateCause = 8
	TerminateNASError           TerminateCause = 9
	TerminateNASRequest         TerminateCause = 10
	TerminateNASReboot          TerminateCause = 11
	TerminatePortPreempted      TerminateCause = 13
	TerminateServiceUnavailable TerminateCause = 15
	TerminateUserError          TerminateCause = 17
)

// Record is one accounting record of an open session. It is complete by itself: a Stop tells all that the Start told.
type Record struct {
	Kind     RecordKind
	Session  string    // unique over all nodes and restarts
	Node     string    // the node that serves it
	At       time.Time // when this was so
	Sequence uint32    // of the records of this session, rising from 1: a late or repeated one changes nothing
	Started  time.Time // when user traffic could first flow

	Name            string // as typed
	Account, Domain string
	Method          Method
	Backend         string // which said yes
	Address         netip.Addr
	Pool            string
	IPv6            RecordIPv6
	VirtualTemplate string

	Peer                        netip.AddrPort // the far end of the tunnel
	Local                       netip.Addr     // our end of the tunnel; zero when unknown
	TunnelName                  string         // the peer's host name
	LocalTunnel, RemoteTunnel   uint16
	LocalSession, RemoteSession uint16
	CallingNumber, CalledNumber string
	LocalName                   string // our host name in the tunnel
	CallSerial                  uint32
	TxSpeed, RxSpeed            uint64 // of the line, bits per second; 0 = not said

	NAS   *NAS   // where the session lives; nil: here, on Node
	Terms *Terms // of a session on a NAS: what it was granted; nil: not known
	// Delay is how long the NAS says it has kept the record (RFC 2866 section 5.2). It is not stored.
	Delay time.Duration

	UserName string   // what the RADIUS server that granted calls the user; empty: it did not say
	Class    [][]byte // of that server, all and in order (RFC 2865 section 5.25)
	CUI      []byte   // its Chargeable-User-Identity (RFC 4372); nil: none
	Sinks    []string // where this record goes, by name; empty: where the server's records go

	RxPackets, RxOctets uint64         // from the peer
	TxPackets, TxOctets uint64         // to the peer
	Terminate           TerminateCause // of a Stop
	Reason              string         // of a Stop, in words
}

// RecordIPv6 is what a session has of IPv6; zero values where it has none.
type RecordIPv6 struct {
	Prefix      netip.Prefix // of the link
	Delegated   netip.Prefix // for the networks behind the peer
	InterfaceID uint64       // the peer's, once it is agreed
}

// Accounter takes the records of sessions. Account returns at once and keeps what it took until it is stored, however long
// that takes. It is safe for concurrent use; records of one session come in order.
type Accounter interface {
	Account(Record)
}

// Attempt is one login, whatever came of it. It never holds a password, a challenge or a response.
type Attempt struct {
	At              time.Time
	Session, Node   string
	Name            string // as typed; empty when the peer never said it
	Account, Domain string
	Method          Method
	Peer            netip.AddrPort
	TunnelName      string
	OK              bool
	Phase           string // in which step it ended
	Verdict         string // why it ended, in words; empty for one that succeeded
	Cause           string // the same in one word, as metrics and filters have it
	Detail          string // what is particular to this case
	Address         netip.Addr
	IPv6            RecordIPv6
	Took            time.Duration // from the first datagram to the open session, or to the end

	Backend string // which said yes, or no
	Rule    string // in words: which rule chose the domain
	Pool    string
	Why     string // why this address

	Vendor, Group, VirtualTemplate string
	CallingNumber, CalledNumber    string
	LocalTunnel, LocalSession      uint16 // our ids; 0: there was none

	Tale Tale // nil: nothing more is known
}

// Tale tells of an attempt what takes some work to put into words: it is asked when the attempt is written down, away from the
// login. It is safe for concurrent use.
type Tale interface {
	Fingerprint() string // what the peer looks like; empty: no telling
	Steps() []byte       // in JSON
}

// AttemptLog takes what came of logins. Log returns at once; under overload attempts are lost, and counted. It is safe for
// concurrent use.
type AttemptLog interface {
	Log(Attempt)
}
