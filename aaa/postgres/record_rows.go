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

// recordColumns are records as the arrays of sqlRecord, in the order of its parameters.
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
	epoch                                        int64
}

func (c *recordColumns) arguments() []any {
	return []any{
		c.session, c.started, c.sequence, c.at, c.stopped, c.cause, c.terminate,
		c.node, c.name, c.account, c.domain, c.address, c.pool, c.method, c.virtualTemplate,
		c.peer, c.peerPort, c.peerName, c.local, c.localTunnel, c.localSession, c.remoteTunnel, c.remoteSession,
		c.callingNumber, c.calledNumber, c.octetsUp, c.octetsDown, c.packetsUp, c.packetsDown, c.epoch,
	}
}

// recordKey is the key of a row.
type recordKey struct {
	session string
	started time.Time
}

func keyOf(r *aaa.Record) recordKey { return recordKey{cleanText(r.Session), cleanTime(r.Started)} }

// recordRows keeps the newest record of each session, for one statement may not touch a row twice, and a record is
// complete by itself.
func recordRows(records []aaa.Record, epoch int64) *recordColumns {
	newest := make(map[recordKey]int, len(records))
	for i := range records {
		k := keyOf(&records[i])
		if best, there := newest[k]; !there || records[best].Sequence <= records[i].Sequence {
			newest[k] = i
		}
	}
	c := &recordColumns{epoch: epoch}
	for i := range records {
		if newest[keyOf(&records[i])] == i {
			c.add(&records[i])
		}
	}
	return c
}

func (c *recordColumns) add(r *aaa.Record) {
	push(&c.session, cleanText(r.Session))
	push(&c.started, cleanTime(r.Started))
	push(&c.sequence, int64(r.Sequence))
	push(&c.at, cleanTime(r.At))
	push(&c.stopped, r.Kind == aaa.RecordStop)
	push(&c.cause, cleanText(r.Reason))
	push(&c.terminate, terminateWord(r))
	push(&c.node, cleanText(r.Node))
	push(&c.name, cleanText(r.Name))
	push(&c.account, cleanText(r.Account))
	push(&c.domain, cleanText(r.Domain))
	push(&c.address, addressText(r.Address))
	push(&c.pool, cleanText(r.Pool))
	push(&c.method, r.Method.String())
	push(&c.virtualTemplate, cleanText(r.VirtualTemplate))
	push(&c.peer, addressText(r.Peer.Addr()))
	push(&c.peerPort, int32(r.Peer.Port()))
	push(&c.peerName, cleanText(r.TunnelName))
	push(&c.local, addressText(r.Local))
	push(&c.localTunnel, int32(r.LocalTunnel))
	push(&c.localSession, int32(r.LocalSession))
	push(&c.remoteTunnel, int32(r.RemoteTunnel))
	push(&c.remoteSession, int32(r.RemoteSession))
	push(&c.callingNumber, cleanText(r.CallingNumber))
	push(&c.calledNumber, cleanText(r.CalledNumber))
	push(&c.octetsUp, cleanCount(r.RxOctets))
	push(&c.octetsDown, cleanCount(r.TxOctets))
	push(&c.packetsUp, cleanCount(r.RxPackets))
	push(&c.packetsDown, cleanCount(r.TxPackets))
}

func push[T any](column *[]T, v T) { *column = append(*column, v) }

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
