package postgres

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"strings"
	"time"

	"lnsgate/aaa"
)

// estimated reports whether the session is known by the name that its NAS gave it alone: the NAS did not send Class back. Then
// its start is an estimate, which differs from record to record, and its name may come again.
func estimated(r *aaa.Record) bool { return r.Session == r.NAS.Name+"/"+r.NAS.Session }

// foreignColumns are records as the arrays of sqlForeign, in the order of its parameters, and which of their starts are estimates.
type foreignColumns struct {
	session                                      []string
	started                                      []time.Time
	estimated                                    []bool
	sequence                                     []int64
	at                                           []time.Time
	stopped                                      []bool
	cause, terminate                             []string
	node, name, account, domain                  []string
	address, pool, method, backend               []string
	peer, peerName                               []string
	callingNumber, calledNumber                  []string
	octetsUp, octetsDown, packetsUp, packetsDown []int64
	nas, nasClient, nasAddress, nasIdentifier    []string
	nasSession                                   []string
	nasPort                                      []int64
	nasPortID                                    []string
	userName                                     []string
	cui, class                                   [][]byte
	sinks                                        []string
	known                                        []bool // the terms are
	sessionTimeout, idleTimeout, interim         []int64
	rateUp, rateDown                             []int64
	filter                                       []string
	ipv6Prefix, delegated, interfaceID           []string
}

func (c *foreignColumns) arguments() []any {
	return []any{
		c.session, c.started, c.sequence, c.at, c.stopped, c.cause, c.terminate,
		c.node, c.name, c.account, c.domain, c.address, c.pool, c.method, c.backend, c.peer, c.peerName,
		c.callingNumber, c.calledNumber, c.octetsUp, c.octetsDown, c.packetsUp, c.packetsDown,
		c.nas, c.nasClient, c.nasAddress, c.nasIdentifier, c.nasSession, c.nasPort, c.nasPortID,
		c.userName, c.cui, c.class, c.sinks,
		c.known, c.sessionTimeout, c.idleTimeout, c.interim, c.rateUp, c.rateDown, c.filter,
		c.ipv6Prefix, c.delegated, c.interfaceID,
	}
}

// guesses are the sessions whose start is an estimate.
type guesses struct {
	session []string
	started []time.Time
}

func (c *foreignColumns) guesses() (g guesses) {
	for i, guess := range c.estimated {
		if guess {
			g.session, g.started = append(g.session, c.session[i]), append(g.started, c.started[i])
		}
	}
	return g
}

// going are those of them that are not over.
func (c *foreignColumns) going() (g guesses) {
	for i, guess := range c.estimated {
		if guess && !c.stopped[i] {
			g.session, g.started = append(g.session, c.session[i]), append(g.started, c.started[i])
		}
	}
	return g
}

// began puts the starts that are known in the place of estimates: a record belongs to the session of the same name that began at
// nearly the same time, whether that is over or not. It returns the sessions that are new.
func (c *foreignColumns) began(begun map[string][]time.Time) (fresh guesses) {
	for i, told := range c.started {
		if !c.estimated[i] {
			continue
		}
		nearest := aaa.SameTime + 1
		for _, started := range begun[c.session[i]] {
			if apart := started.Sub(told).Abs(); apart < nearest {
				nearest, c.started[i] = apart, started
			}
		}
		if nearest > aaa.SameTime {
			fresh.session, fresh.started = append(fresh.session, c.session[i]), append(fresh.started, told)
		}
	}
	return fresh
}

// foreignRows takes records off the front for one statement, which may touch a session once: of each session the newest, with
// what only older ones say. Where the name of a session comes again the statement ends. The sessions are in order, so that
// nodes which are told the same do not wait for each other in a circle.
func foreignRows(records []aaa.Record) (c *foreignColumns, rest []aaa.Record) {
	newest := make(map[string]*aaa.Record, len(records))
	sessions := make([]string, 0, len(records))
	n := 0
	for ; n < len(records); n++ {
		r, session := &records[n], cleanText(records[n].Session)
		other := newest[session]
		if other == nil {
			sessions = append(sessions, session)
		} else if !sameSession(other, r) {
			break
		} else {
			r = combined(other, r)
		}
		newest[session] = r
	}
	slices.Sort(sessions)
	c = &foreignColumns{}
	for _, session := range sessions {
		c.add(newest[session])
	}
	return c, records[n:]
}

// sameSession tells the records of one session from those of two with the same name.
func sameSession(a, b *aaa.Record) bool {
	return a.Started.Equal(b.Started) || estimated(b) && aaa.IsSameTime(a.Started, b.Started)
}

// combined is the newer record, and of the older what the newer does not say. The start is that of the first that came.
func combined(first, second *aaa.Record) *aaa.Record {
	older, newer := first, *second
	if first.Sequence > second.Sequence {
		older, newer = second, *first
	}
	newer.Started = first.Started
	if newer.Terms == nil {
		newer.Terms = older.Terms
	}
	if !newer.Address.IsValid() {
		newer.Address = older.Address
	}
	if !newer.IPv6.Prefix.IsValid() {
		newer.IPv6.Prefix = older.IPv6.Prefix
	}
	if !newer.IPv6.Delegated.IsValid() {
		newer.IPv6.Delegated = older.IPv6.Delegated
	}
	if newer.IPv6.InterfaceID == 0 {
		newer.IPv6.InterfaceID = older.IPv6.InterfaceID
	}
	for _, text := range [][2]*string{
		{&newer.Domain, &older.Domain}, {&newer.Pool, &older.Pool}, {&newer.Backend, &older.Backend},
		{&newer.CallingNumber, &older.CallingNumber}, {&newer.CalledNumber, &older.CalledNumber}, {&newer.UserName, &older.UserName},
	} {
		if *text[0] == "" {
			*text[0] = *text[1]
		}
	}
	return &newer
}

func (c *foreignColumns) add(r *aaa.Record) {
	push(&c.session, cleanText(r.Session))
	push(&c.started, cleanTime(r.Started))
	push(&c.estimated, estimated(r))
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
	push(&c.ipv6Prefix, prefixText(r.IPv6.Prefix))
	push(&c.delegated, prefixText(r.IPv6.Delegated))
	push(&c.interfaceID, interfaceText(r.IPv6.InterfaceID))
	push(&c.method, r.Method.String())
	push(&c.backend, cleanText(r.Backend))
	push(&c.peer, addressText(r.Peer.Addr()))
	push(&c.peerName, cleanText(r.TunnelName))
	push(&c.callingNumber, cleanText(r.CallingNumber))
	push(&c.calledNumber, cleanText(r.CalledNumber))
	push(&c.octetsUp, cleanCount(r.RxOctets))
	push(&c.octetsDown, cleanCount(r.TxOctets))
	push(&c.packetsUp, cleanCount(r.RxPackets))
	push(&c.packetsDown, cleanCount(r.TxPackets))
	c.addNAS(r.NAS)
	push(&c.userName, cleanText(r.UserName))
	push(&c.cui, r.CUI)
	push(&c.class, packClass(r.Class))
	push(&c.sinks, cleanText(strings.Join(r.Sinks, sinkGap)))
	c.addTerms(r.Terms)
}

func (c *foreignColumns) addNAS(n *aaa.NAS) {
	push(&c.nas, cleanText(n.Name))
	push(&c.nasClient, cleanText(n.Client))
	push(&c.nasAddress, addressText(n.Address))
	push(&c.nasIdentifier, cleanText(n.Identifier))
	push(&c.nasSession, cleanText(n.Session))
	push(&c.nasPort, int64(n.Port))
	push(&c.nasPortID, cleanText(n.PortID))
}

func (c *foreignColumns) addTerms(t *aaa.Terms) {
	push(&c.known, t != nil)
	if t == nil {
		t = &aaa.Terms{}
	}
	push(&c.sessionTimeout, t.SessionTimeout.Microseconds())
	push(&c.idleTimeout, t.IdleTimeout.Microseconds())
	push(&c.interim, t.Interim.Microseconds())
	push(&c.rateUp, cleanCount(t.RateUp))
	push(&c.rateDown, cleanCount(t.RateDown))
	push(&c.filter, cleanText(t.Filter))
}

// sinkGap stands between the names of sinks, in which there is none.
const sinkGap = "\n"

// packClass puts Classes into one column, each with its length before it in two octets. An attribute is shorter than that.
func packClass(list [][]byte) (packed []byte) {
	for _, class := range list {
		if len(class) < 1<<16 {
			packed = append(binary.BigEndian.AppendUint16(packed, uint16(len(class))), class...)
		}
	}
	return packed
}

func unpackClass(packed []byte) (list [][]byte) {
	for len(packed) >= 2 {
		n := int(binary.BigEndian.Uint16(packed))
		packed = packed[2:]
		if n > len(packed) {
			break
		}
		list = append(list, slices.Clone(packed[:n]))
		packed = packed[n:]
	}
	return list
}

// microseconds is a length of time as the database counts it.
func microseconds(n int64) time.Duration { return time.Duration(n) * time.Microsecond }

// addressOf is the address of a column, zero for null.
func addressOf(a *netip.Addr) netip.Addr {
	if a == nil {
		return netip.Addr{}
	}
	return *a
}
