package postgres

import (
	"fmt"
	"math"
	"net/netip"
	"strings"
	"time"
	"unicode/utf8"

	"lnsgate/aaa"
)

// recordColumns are records as the arrays of recordInput, in the order of its parameters.
type recordColumns struct {
	session                                      []string
	started                                      []time.Time
	sequence                                     []int64
	at                                           []time.Time
	stopped                                      []bool
	cause, terminate                             []string
	node, name, account, domain                  []string
	address, pool, method, virtualTemplate       []string
	peer                                         []string
	peerPort                                     []int32
	peerName, local                              []string
	localTunnel, localSession                    []int32
	remoteTunnel, remoteSession                  []int32
	callingNumber, calledNumber                  []string
	octetsUp, octetsDown, packetsUp, packetsDown []int64
	prefix, delegated, interfaceID               []string
	epoch                                        int64
	most                                         int // rows that it is to have
}

func (c *recordColumns) arguments() []any {
	return []any{
		c.session, c.started, c.sequence, c.at, c.stopped, c.cause, c.terminate,
		c.node, c.name, c.account, c.domain, c.address, c.pool, c.method, c.virtualTemplate,
		c.peer, c.peerPort, c.peerName, c.local, c.localTunnel, c.localSession, c.remoteTunnel, c.remoteSession,
		c.callingNumber, c.calledNumber, c.octetsUp, c.octetsDown, c.packetsUp, c.packetsDown, c.epoch,
		c.prefix, c.delegated, c.interfaceID,
	}
}

// recordKey is the key of a row.
type recordKey struct {
	session string
	started int64 // microseconds since 1970
}

func keyOf(r *aaa.Record) recordKey {
	return recordKey{cleanText(r.Session), cleanTime(r.Started).UnixMicro()}
}

// Kinds of rows by the newest record of the session, and by whether its Start is in the same batch: then it is new.
const (
	passed = iota // new, and over
	begun         // new, and alive
	ended         // over
	alive
)

// recordKinds are rows by kind.
type recordKinds [alive + 1]recordColumns

func kindOf(last aaa.RecordKind, fresh bool) int {
	switch stopped := last == aaa.RecordStop; {
	case stopped && fresh:
		return passed
	case stopped:
		return ended
	case fresh:
		return begun
	}
	return alive
}

// recordRows keeps the newest record of each session, for one statement may not touch a row twice, and a record is
// complete by itself. Nothing is new unless the caller trusts in it.
func recordRows(records []aaa.Record, epoch int64, trusted bool) *recordKinds {
	type session struct {
		newest int
		fresh  bool
	}
	keys, sessions := make([]recordKey, len(records)), make(map[recordKey]session, len(records))
	for i := range records {
		r := &records[i]
		keys[i] = keyOf(r)
		s, there := sessions[keys[i]]
		if !there || records[s.newest].Sequence <= r.Sequence {
			s.newest = i
		}
		s.fresh = trusted && (s.fresh || r.Kind == aaa.RecordStart)
		sessions[keys[i]] = s
	}
	var counts [alive + 1]int
	for _, s := range sessions {
		counts[kindOf(records[s.newest].Kind, s.fresh)]++
	}
	rows := new(recordKinds)
	for i := range records {
		if s := sessions[keys[i]]; s.newest == i {
			kind := kindOf(records[i].Kind, s.fresh)
			c := &rows[kind]
			c.epoch, c.most = epoch, counts[kind]
			c.add(&records[i])
		}
	}
	return rows
}

func (c *recordColumns) add(r *aaa.Record) {
	n := c.most
	into(&c.session, n, cleanText(r.Session))
	into(&c.started, n, cleanTime(r.Started))
	into(&c.sequence, n, int64(r.Sequence))
	into(&c.at, n, cleanTime(r.At))
	into(&c.stopped, n, r.Kind == aaa.RecordStop)
	into(&c.cause, n, cleanText(r.Reason))
	into(&c.terminate, n, terminateWord(r))
	into(&c.node, n, cleanText(r.Node))
	into(&c.name, n, cleanText(r.Name))
	into(&c.account, n, cleanText(r.Account))
	into(&c.domain, n, cleanText(r.Domain))
	into(&c.address, n, addressText(r.Address))
	into(&c.pool, n, cleanText(r.Pool))
	into(&c.method, n, r.Method.String())
	into(&c.virtualTemplate, n, cleanText(r.VirtualTemplate))
	into(&c.peer, n, addressText(r.Peer.Addr()))
	into(&c.peerPort, n, int32(r.Peer.Port()))
	into(&c.peerName, n, cleanText(r.TunnelName))
	into(&c.local, n, addressText(r.Local))
	into(&c.localTunnel, n, int32(r.LocalTunnel))
	into(&c.localSession, n, int32(r.LocalSession))
	into(&c.remoteTunnel, n, int32(r.RemoteTunnel))
	into(&c.remoteSession, n, int32(r.RemoteSession))
	into(&c.callingNumber, n, cleanText(r.CallingNumber))
	into(&c.calledNumber, n, cleanText(r.CalledNumber))
	into(&c.octetsUp, n, cleanCount(r.RxOctets))
	into(&c.octetsDown, n, cleanCount(r.TxOctets))
	into(&c.packetsUp, n, cleanCount(r.RxPackets))
	into(&c.packetsDown, n, cleanCount(r.TxPackets))
	into(&c.prefix, n, prefixText(r.IPv6.Prefix))
	into(&c.delegated, n, prefixText(r.IPv6.Delegated))
	into(&c.interfaceID, n, interfaceText(r.IPv6.InterfaceID))
}

func push[T any](column *[]T, v T) { *column = append(*column, v) }

// into appends to a column that is to have so many elements.
func into[T any](column *[]T, most int, v T) {
	if *column == nil {
		*column = make([]T, 0, most)
	}
	push(column, v)
}

// longestText is the longest text that is stored, in octets; an index takes no more than some 2700.
const longestText = 1000

// cleanText makes a text that a column of a UTF-8 database holds: peers name themselves as they like.
func cleanText(s string) string {
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\uFFFD")
	}
	s = strings.ReplaceAll(s, "\x00", "\uFFFD")
	if len(s) <= longestText {
		return s
	}
	end := longestText
	for !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end]
}

// cleanTime cuts to what the column holds, microseconds and the years that any program can read.
func cleanTime(t time.Time) time.Time {
	t = t.UTC().Truncate(time.Microsecond)
	switch year := t.Year(); {
	case year < 1:
		return time.Time{}
	case year > 9999:
		return time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)
	}
	return t
}

func cleanCount(n uint64) int64 { return int64(min(n, math.MaxInt64)) }

// addressText is the address as inet reads it, empty for none.
func addressText(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.Unmap().WithZone("").String()
}

// prefixText is the prefix as cidr reads it, empty for none.
func prefixText(p netip.Prefix) string {
	if !p.IsValid() {
		return ""
	}
	return p.Masked().String()
}

// interfaceText is the interface identifier as FreeRADIUS writes it, empty for none.
func interfaceText(id uint64) string {
	if id == 0 {
		return ""
	}
	return fmt.Sprintf("%x:%x:%x:%x", id>>48, id>>32&0xffff, id>>16&0xffff, id&0xffff)
}

var terminateWords = map[aaa.TerminateCause]string{
	aaa.TerminateUserRequest:        "User-Request",
	aaa.TerminateLostCarrier:        "Lost-Carrier",
	aaa.TerminateLostService:        "Lost-Service",
	aaa.TerminateIdleTimeout:        "Idle-Timeout",
	aaa.TerminateSessionTimeout:     "Session-Timeout",
	aaa.TerminateAdminReset:         "Admin-Reset",
	aaa.TerminateAdminReboot:        "Admin-Reboot",
	aaa.TerminatePortError:          "Port-Error",
	aaa.TerminateNASError:           "NAS-Error",
	aaa.TerminateNASRequest:         "NAS-Request",
	aaa.TerminateNASReboot:          "NAS-Reboot",
	aaa.TerminatePortPreempted:      "Port-Preempted",
	aaa.TerminateServiceUnavailable: "Service-Unavailable",
	aaa.TerminateUserError:          "User-Error",
}

// terminateWord is the cause of a Stop as RFC 2866 section 5.10 calls it, empty when none is known.
func terminateWord(r *aaa.Record) string {
	if r.Kind != aaa.RecordStop || r.Terminate == aaa.TerminateUnknown {
		return ""
	}
	if word, known := terminateWords[r.Terminate]; known {
		return word
	}
	return fmt.Sprintf("%d", r.Terminate)
}
