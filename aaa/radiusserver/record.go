package radiusserver

import (
	"context"
	"fmt"
	"math"
	"net/netip"
	"strings"
	"time"

	"layeh.com/radius"

	"lnsgate/aaa"
	"lnsgate/aaa/radius/wire"
)

// Accounter takes what NASes tell of their sessions. It is safe for concurrent use.
type Accounter interface {
	// Account stores what a NAS tells of one of its sessions, and returns nil only when it is where no crash takes it away: the NAS is then told so and
	// forgets it. After an error the NAS sends it again. A record may come twice, and late: one with a Sequence that is not
	// higher than that of the one before changes nothing.
	//
	// The record's Session is that of the login's aaa.Request and its Started the time of the login when the NAS sends Class
	// back. Of a session without, Session is made of the names of the NAS and of its session, and Started is an estimate that
	// stays the same as long as the server runs. Its Sequence follows from how long the session lasts, so that a record that
	// comes late changes nothing. Node and Terms are for the Accounter to know.
	Account(ctx context.Context, r *aaa.Record) error
	// Restarted says that a NAS has started, or is about to end: those of its sessions that began before are over. The name
	// is that in Record.NAS. A NAS that repeats it has the same time told again.
	Restarted(ctx context.Context, nas string, at time.Time) error
	// Withdrawn says that nobody is told of a login that AAA let in, and granted what cannot be said: there will be no Start.
	Withdrawn(ctx context.Context, session string)
}

// Values of Acct-Status-Type (RFC 2866 section 5.1).
const (
	statusStart   = 1
	statusStop    = 2
	statusInterim = 3
	statusOn      = 7
	statusOff     = 8
)

// kindOf is the kind of a record, or zero.
func kindOf(status uint32) aaa.RecordKind {
	switch status {
	case statusStart:
		return aaa.RecordStart
	case statusStop:
		return aaa.RecordStop
	case statusInterim:
		return aaa.RecordInterim
	}
	return 0
}

// How far a clock may be off, or a record be late, until its time is no longer believed.
const (
	mostLate  = 30 * 24 * time.Hour
	mostDelay = 24 * time.Hour // of Acct-Delay-Time
	mostAhead = time.Hour      // of the clock of another node
)

// eventTime is when it was so, what a record tells: as the NAS has it, or where that cannot be, by how long it says it kept the
// record (RFC 2869 section 5.3, RFC 2866 section 5.2). It is never later than now.
func eventTime(p *radius.Packet, now time.Time) time.Time {
	if at := toldTime(p, now); !at.IsZero() {
		return at
	}
	return sentTime(p, now)
}

// sentTime is when a record was first sent, by our clock and by how long the NAS says it has kept it.
func sentTime(p *radius.Packet, now time.Time) time.Time {
	return now.Add(-keptFor(p)).Truncate(time.Second)
}

// keptFor is how long the NAS says it has kept a record.
func keptFor(p *radius.Packet) time.Duration {
	delay, _ := number(p, wire.TypeAcctDelayTime)
	return min(time.Duration(delay)*time.Second, mostDelay)
}

// toldTime is when it was so as the NAS has it, which stays the same however often it sends the record. Zero: it does not say, or that
// cannot be.
func toldTime(p *radius.Packet, now time.Time) time.Time {
	if seconds, there := number(p, wire.TypeEventTimestamp); there {
		at := time.Unix(int64(seconds), 0)
		if late := now.Sub(at); late >= 0 && late <= mostLate {
			return at
		}
	}
	return time.Time{}
}

// recordOf makes a record. The login that it belongs to is filled in by addLogin.
func recordOf(nas *aaa.NAS, p *radius.Packet, kind aaa.RecordKind, now time.Time) *aaa.Record {
	r := &aaa.Record{
		Kind: kind, NAS: nas, At: eventTime(p, now), Delay: keptFor(p), Name: text(p, wire.TypeUserName),
		Address: userAddress(p), IPv6: sixesOf(p), Peer: netip.AddrPortFrom(nas.Address, 0), TunnelName: nas.Identifier,
		CallingNumber: text(p, wire.TypeCallingStationID), CalledNumber: text(p, wire.TypeCalledStationID),
		RxOctets: sum(p, wire.TypeAcctInputOctets, wire.TypeAcctInputGigawords), TxOctets: sum(p, wire.TypeAcctOutputOctets, wire.TypeAcctOutputGigawords),
	}
	rx, _ := number(p, wire.TypeAcctInputPackets)
	tx, _ := number(p, wire.TypeAcctOutputPackets)
	r.RxPackets, r.TxPackets = uint64(rx), uint64(tx)
	if cui := p.Get(wire.TypeCUI); len(cui) > 0 {
		r.CUI = append([]byte(nil), cui...)
	}
	if kind == aaa.RecordStop {
		cause, _ := number(p, wire.TypeAcctTerminateCause)
		r.Terminate = aaa.TerminateCause(min(cause, math.MaxUint8))
		r.Reason = reasonOf(cause)
	}
	return r
}

// lasted is how long the session has lasted, as the NAS has it.
func lasted(p *radius.Packet) (time.Duration, bool) {
	seconds, there := number(p, wire.TypeAcctSessionTime)
	return time.Duration(seconds) * time.Second, there
}

// markOf finds our mark among the Classes of a record; the others are returned. Without one, or with one of a login that is still to
// come, the login is estimated.
func markOf(c *client, p *radius.Packet, r *aaa.Record, now time.Time) (m mark, marked bool, others [][]byte) {
	for _, class := range wire.All(p, wire.TypeClass) {
		if own, ok := decodeMark(class); ok && strings.HasPrefix(own.session, sessionPrefix(c.Name)) && own.started.Sub(now) <= mostAhead {
			m, marked = own, true
			continue
		}
		others = append(others, append([]byte(nil), class...))
	}
	if marked {
		return m, true, others
	}
	m = mark{session: r.NAS.Name + "/" + r.NAS.Session, started: r.At}
	if d, there := lasted(p); there && r.Kind != aaa.RecordStart {
		m.started = r.At.Add(-d)
	}
	if id, err := aaa.ParseIdentity(r.Name); err == nil {
		m.domain = id.Domain
	}
	return m, false, others
}

// addLogin fills in the login. Marked says that the start of it is by our clock, and else by that of the NAS.
func addLogin(r *aaa.Record, p *radius.Packet, m mark, marked bool, now time.Time) {
	r.Session, r.Started, r.Method = m.session, m.started, m.method
	r.Account, r.Domain, r.Backend = m.account, m.domain, m.backend
	if r.Account == "" {
		r.Account = r.Name
	}
	if !r.IPv6.Prefix.IsValid() {
		r.IPv6.Prefix = m.link
	}
	if !r.IPv6.Delegated.IsValid() {
		r.IPv6.Delegated = m.delegated
	}
	r.At = timeWithin(r, p, marked, now)
	r.Sequence = sequence(r.Kind, p, r.At.Sub(r.Started))
}

// timeWithin is when it was so, what a record tells, seen from the start of its session. The clock of the NAS may differ from the one
// that the start is by, or may have been set since. How long the session has lasted is counted without one: it decides where
// it and the time do not fit together, unless our own clock says that the time is right. No session ends before it
// began.
func timeWithin(r *aaa.Record, p *radius.Packet, marked bool, now time.Time) time.Time {
	at, sent := r.At, sentTime(p, now)
	d, counted := lasted(p)
	switch {
	case r.Kind == aaa.RecordStart:
	case counted && (d > 0 || at.Before(r.Started)): // some say zero whatever it was
		by := r.Started.Add(min(d, now.Sub(r.Started)))
		if is := aaa.IsSameTime(at, by) || marked && aaa.IsSameTime(at, sent); !is || at.Before(r.Started) {
			at = by
		}
	case at.Before(r.Started):
		at = sent
	}
	if at.Before(r.Started) {
		return r.Started
	}
	return at
}

// sequence puts the records of a session in order: by how long it has lasted, a Start first and a Stop last.
func sequence(kind aaa.RecordKind, p *radius.Packet, since time.Duration) uint32 {
	const first, last = 1, math.MaxUint32
	switch kind {
	case aaa.RecordStart:
		return first
	case aaa.RecordStop:
		return last
	}
	if d, there := lasted(p); there {
		since = d
	}
	return first + 1 + uint32(min(max(since/time.Second, 0), last-3))
}

// terminateWords are the causes of RFC 2866 section 5.10, by number.
var terminateWords = [...]string{
	1: "user request", 2: "lost carrier", 3: "lost service", 4: "idle timeout", 5: "session timeout", 6: "admin reset", 7: "admin reboot",
	8: "port error", 9: "NAS error", 10: "NAS request", 11: "NAS reboot", 12: "port unneeded", 13: "port preempted", 14: "port suspended",
	15: "service unavailable", 16: "callback", 17: "user error", 18: "host request",
}

func reasonOf(cause uint32) string {
	switch {
	case cause == 0:
		return "the NAS did not say why"
	case int64(cause) < int64(len(terminateWords)):
		return "the NAS says: " + terminateWords[cause]
	}
	return fmt.Sprintf("the NAS says: Acct-Terminate-Cause %d", cause)
}
