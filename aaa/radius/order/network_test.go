package order

import (
	"context"
	"crypto/md5"
	"errors"
	"net"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"layeh.com/radius"

	"lnsgate/aaa"
	"lnsgate/aaa/foreign"
	"lnsgate/aaa/radius/dialect"
	"lnsgate/aaa/radius/wire"
)

const secret = "a secret of the tests"

var (
	key   = wire.NewKey(secret)
	there = netip.MustParseAddrPort("192.0.2.1:3799") // where NASes are
)

// network is a network in memory, for virtual time.
type network struct {
	mu    sync.Mutex
	nas   func(n *network, number int, octets []byte, to netip.AddrPort) // has the datagrams
	fault error                                                          // of sending
	got   []arrival
	conns []*memoryConn
}

type arrival struct {
	at     time.Time
	octets []byte
	to     netip.AddrPort
}

// memoryConn is our socket.
type memoryConn struct {
	net.PacketConn
	n      *network
	in     chan datagram
	broken chan error
}

type datagram struct {
	octets []byte
	from   netip.AddrPort
}

func (n *network) listen(string, string) (net.PacketConn, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	c := &memoryConn{n: n, in: make(chan datagram, 4096), broken: make(chan error, 2)}
	n.conns = append(n.conns, c)
	return c, nil
}

func (c *memoryConn) ReadFrom(b []byte) (int, net.Addr, error) {
	select {
	case d := <-c.in:
		return copy(b, d.octets), net.UDPAddrFromAddrPort(d.from), nil
	case err := <-c.broken:
		return 0, nil, err
	}
}

func (c *memoryConn) WriteTo(b []byte, to net.Addr) (int, error) {
	c.n.mu.Lock()
	defer c.n.mu.Unlock()
	if c.n.fault != nil {
		return 0, c.n.fault
	}
	a := arrival{time.Now(), append([]byte(nil), b...), to.(*net.UDPAddr).AddrPort()}
	c.n.got = append(c.n.got, a)
	if c.n.nas != nil {
		c.n.nas(c.n, len(c.n.got), a.octets, a.to)
	}
	return len(b), nil
}

func (c *memoryConn) Close() error {
	c.broken <- net.ErrClosed
	return nil
}

// send has a datagram come to the last socket after a while. The network is locked.
func (n *network) send(after time.Duration, octets []byte, from netip.AddrPort) {
	c := n.conns[len(n.conns)-1]
	d := datagram{append([]byte(nil), octets...), from}
	time.AfterFunc(after, func() { c.in <- d })
}

func (n *network) arrivals() []arrival {
	n.mu.Lock()
	defer n.mu.Unlock()
	return append([]arrival(nil), n.got...)
}

// reply makes an answer to a request.
func reply(octets []byte, code radius.Code, change ...func(p *radius.Packet)) []byte {
	v, err := key.VerifyRequest(octets)
	if err != nil || !v.Signed {
		panic(errors.Join(errors.New("no signed request"), err))
	}
	p := key.Parse(v).Response(code)
	for _, f := range change {
		f(p)
	}
	answer, err := key.AppendReply(nil, p)
	if err != nil {
		panic(err)
	}
	return answer
}

// refusing is a NAK with an Error-Cause.
func refusing(n uint32) func(*radius.Packet) {
	return func(p *radius.Packet) {
		p.Add(typeErrorCause, []byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
	}
}

func signed(p *radius.Packet) { p.Add(typeMessageAuth, make([]byte, 16)) }

// positive is the code that says yes to a request.
func positive(octets []byte) radius.Code { return radius.Code(octets[0] + 1) }

// bubble runs a test in virtual time with a sender on a network.
func bubble(t *testing.T, c Config, test func(t *testing.T, n *network, s *Sender)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		n := &network{}
		c.Listen = n.listen
		if c.NAS == nil {
			c.NAS = known(NAS{})
		}
		s := New(c)
		test(t, n, s)
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if got := s.Stats().Waiting; got != 0 {
			t.Errorf("%d still wait", got)
		}
	})
}

// known knows the one client "box".
func known(nas NAS) func(string) (NAS, bool) {
	if nas.Port == 0 {
		nas.Port = int(there.Port())
	}
	nas.Name, nas.Secret = "box", aaa.NewSecret(secret)
	return func(name string) (NAS, bool) { return nas, name == "box" }
}

// session is one of the client "box".
func session() aaa.Record {
	return aaa.Record{
		Kind: aaa.RecordInterim, Session: "box/1", Name: "alice@hr", Address: netip.MustParseAddr("10.1.0.1"), CallingNumber: "02:00:00:00:00:01",
		Started: time.Now().Add(-time.Minute),
		NAS:     &aaa.NAS{Name: "box", Client: "box", Address: there.Addr(), Identifier: "bras1", Session: "8100000A", Port: 7},
	}
}

func disconnect() foreign.Order {
	return foreign.Order{Kind: foreign.Disconnect, Session: session(), Reason: "the account was disabled"}
}

// change has everything changed.
func change(equipment dialect.Equipment) (foreign.Order, NAS) {
	o := foreign.Order{Kind: foreign.Change, Session: session(), Terms: aaa.Terms{SessionTimeout: time.Hour, RateUp: 1e6, RateDown: 2e6}}
	o.Changed = aaa.Change{SessionTimeout: &o.Terms.SessionTimeout, RateDown: &o.Terms.RateDown}
	return o, NAS{Equipment: equipment}
}

func background() context.Context { return context.Background() }

// resealed puts the right Response Authenticator on what was tampered with.
func resealed(b, request []byte) []byte {
	sum := md5.New()
	sum.Write(b[:4])
	sum.Write(request[4:20])
	sum.Write(b[20:])
	sum.Write([]byte(secret))
	copy(b[4:20], sum.Sum(nil))
	return b
}
