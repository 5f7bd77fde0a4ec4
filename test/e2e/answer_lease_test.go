package e2e

import (
	"crypto/md5"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"lnsgate/lns/admin"
)

// leasingOffice is a server that keeps everything in files.
const leasingOffice = `
	default_domain: sales.example
	radius_server:
	  listen: [127.0.0.1:1812]
	  accounting_listen: [127.0.0.1:1813]
	  reject_delay: 0
	  clients:
	    - {name: router1, source: 127.0.0.2/32, secret: ` + nasSecret + `}
	    - {name: router2, source: 127.0.0.3/32, secret: ` + nasSecret + `}
	    - {name: wifi, source: 127.0.0.4/32, secret: ` + nasSecret + `, addresses: none}
	domains:
	  - {name: sales.example, pools: [office]}
	  - {name: single.example, pools: [office], max_account_sessions: 1}
	  - {name: moving.example, pools: [office], max_account_sessions: 1, session_policy: replace}
	pools:
	  - {name: office, ranges: [10.30.0.1-10.30.0.40]}
	users:
	  - {name: anna@sales.example, password: "Anna@1234"}
	  - {name: anna@single.example, password: "Anna@1234"}
	  - {name: anna@moving.example, password: "Anna@1234"}
	`

// anna is in each department.
const anna, annaPassword = "anna@sales.example", "Anna@1234"

// leased wants so many addresses held and so many resting.
func (s *server) leased(held, resting uint64) {
	s.t.Helper()
	var p admin.Pool
	if !poll(patience, func() bool { p = s.pools()[0]; return p.Leased == held && p.Quarantined == resting }) {
		s.t.Errorf("%d addresses are held and %d rest, not %d and %d: %+v", p.Leased, p.Quarantined, held, resting, p)
	}
}

// startsAnew has the NAS start again and again, until so many addresses are held and so many rest: what began in the same second may be of
// after the start. Each start has a name of its own, or it would be the first, told once more.
func (r *router) startsAnew(s *server, held, resting uint64) {
	r.t.Helper()
	starts := 0
	eventually(r.t, fmt.Sprintf("%d addresses are held and %d rest after the NAS started", held, resting), func() bool {
		starts++
		r.records(number(statusType, statusOn), text(sessionID, fmt.Sprintf("start %d", starts)))
		p := s.pools()[0]
		return p.Leased == held && p.Quarantined == resting
	})
}

// An address is offered with a yes, held by the Start, kept by interim records and laid to rest by the Stop.
func TestAddressOfASessionOnANAS(t *testing.T) {
	t.Parallel()
	w := newOffice(t)
	s := w.answer(leasingOffice)
	r := w.router("127.0.0.2")
	c := r.opens(anna, annaPassword, "17")
	if !netip.MustParsePrefix("10.30.0.0/26").Contains(c.address) {
		t.Fatalf("the address is %v", c.address)
	}
	s.leased(1, 0)
	if list := s.sessions(); len(list) != 0 {
		t.Errorf("there are sessions before one has begun: %+v", list)
	}
	c.tells(statusStart)
	shown := s.session(anna)
	if shown.NAS != "router1" || shown.Address != c.address || shown.Domain != "sales.example" || shown.Method != "pap" || shown.Pool != "office" {
		t.Errorf("%+v", shown)
	}
	const sessionTime, octetsIn, octetsOut = 46, 42, 43
	c.tells(statusInterim, number(sessionTime, 60), number(octetsIn, 1000), number(octetsOut, 9000))
	if shown = s.session(anna); shown.RxOctets != 1000 || shown.TxOctets != 9000 {
		t.Errorf("%d octets of the user and %d to the user", shown.RxOctets, shown.TxOctets)
	}
	s.leased(1, 0)
	c.tells(statusStop, number(sessionTime, 90), number(octetsIn, 2000), number(octetsOut, 9900))
	s.leased(0, 1)
	c.tells(statusInterim, number(sessionTime, 80)) // comes late
	if list := s.sessions(); len(list) != 0 {
		t.Errorf("a record that comes late has the session live again: %+v", list)
	}

	// The NAS starts anew: what it was offered is free as well.
	r.opens(anna, annaPassword, "18")
	s.leased(1, 0) // the account has its old address again
	w.router("127.0.0.3").opens(anna, annaPassword, "1")
	s.leased(2, 0)
	r.startsAnew(s, 1, 1)

	// An access point gives addresses itself, and we show which.
	wifi := w.router("127.0.0.4").opens(anna, annaPassword, "19")
	if wifi.address.IsValid() {
		t.Errorf("an access point is given %v", wifi.address)
	}
	wifi.address = netip.MustParseAddr("10.99.0.7")
	wifi.tells(statusStart)
	if shown = s.session(anna); shown.Address != wifi.address || shown.NAS != "wifi" {
		t.Errorf("%+v", shown)
	}
	s.leased(1, 1)
	s.stop()
}

// lnsgate is killed while thirty are online. Each of them is known again, and nobody else is given an address of theirs.
func TestSessionsOfNASesOutliveAKill(t *testing.T) {
	t.Parallel()
	w := newOffice(t)
	s := w.answer(leasingOffice)
	first, second := w.router("127.0.0.2"), w.router("127.0.0.3")
	all := map[netip.Addr]string{}
	for i := range 30 {
		r := first
		if i >= 25 {
			r = second
		}
		c := r.opens(anna, annaPassword, fmt.Sprint(i))
		c.tells(statusStart)
		if other, taken := all[c.address]; taken {
			t.Errorf("%s and %s have %v", c.id, other, c.address)
		}
		all[c.address] = c.id
	}
	var before, after []admin.Session
	s.show("sessions", &before)
	s.signal(syscall.SIGKILL)
	s.ended()
	s.again()
	s.show("sessions", &after)
	for _, list := range [][]admin.Session{before, after} {
		slices.SortFunc(list, func(a, b admin.Session) int { return strings.Compare(a.Session, b.Session) })
	}
	same := func(a, b admin.Session) bool {
		return a.Session == b.Session && a.NAS == b.NAS && a.User == b.User && a.Address == b.Address && a.Since.Equal(b.Since)
	}
	if len(before) != 30 || !slices.EqualFunc(before, after, same) {
		t.Errorf("%d sessions before and %d after:\n%+v\n%+v", len(before), len(after), before, after)
	}
	s.leased(30, 0)
	var late *call
	for i := range 10 {
		late = second.opens(anna, annaPassword, fmt.Sprint(100+i))
		if other, taken := all[late.address]; taken {
			t.Errorf("%s is given %v, which is that of %s", late.id, late.address, other)
		}
		all[late.address] = late.id
	}
	if reply := second.asks(second.login(anna, annaPassword)); reply.code != accessReject {
		t.Errorf("one too many for the pool is answered by code %d", reply.code)
	}
	late.tells(statusStart)

	// The first NAS starts anew, and says so late: exactly the sessions that began before are over.
	first.startsAnew(s, 15, 25)
	if list := s.sessions(); len(list) != 6 || slices.ContainsFunc(list, func(s admin.Session) bool { return s.NAS != "router2" }) {
		t.Errorf("%d sessions are left: %+v", len(list), list)
	}
	again := first.opens(anna, annaPassword, "0") // it counts from the beginning again
	again.tells(statusStart)
	const delayTime = 41
	first.records(number(statusType, statusOn), number(delayTime, 60)) // what it said a minute ago
	if list := s.sessions(); len(list) != 7 {
		t.Errorf("a session that began after the NAS is gone: %+v", list)
	}
	s.stop()
}

// told is a NAS's port for requests that end and change sessions.
type told struct {
	asked atomic.Int64
	last  atomic.Pointer[packet]
}

// listens opens the port of a NAS. What it answers to its n-th request, from 1 on, is a code and attributes; code 0 is nothing.
func (r *router) listens(w *world, answer func(n int64, request *packet) (byte, []attribute)) *told {
	r.t.Helper()
	var conn *net.UDPConn
	at := &net.UDPAddr{IP: r.access.LocalAddr().(*net.UDPAddr).IP, Port: 3799}
	must(r.t, w.hq.Do(func() (err error) { conn, err = net.ListenUDP("udp", at); return err }))
	x, done := &told{}, make(chan struct{})
	go func() {
		defer close(done)
		b := make([]byte, 4096)
		for {
			n, from, err := conn.ReadFromUDPAddrPort(b)
			if err != nil {
				return
			}
			request := append([]byte{}, b[:n]...)
			unsigned := append(append(append([]byte{}, request[:4]...), make([]byte, 16)...), request[20:]...)
			if md5.Sum(append(unsigned, r.secret...)) != [16]byte(request[4:20]) {
				r.t.Error("what the NAS is told is not signed with its secret")
			}
			p := readPacket(request)
			x.last.Store(p)
			code, attributes := answer(x.asked.Add(1), p)
			if code == 0 {
				continue
			}
			reply := packet{code: code, id: p.id, authenticator: p.authenticator, attributes: attributes}
			reply.authenticator = md5.Sum(append(reply.octets(), r.secret...))
			conn.WriteToUDPAddrPort(reply.octets(), from)
		}
	}()
	r.t.Cleanup(func() { conn.Close(); <-done })
	return x
}

// Answers to a Disconnect-Request (RFC 5176).
const (
	disconnectACK, disconnectNAK = 41, 42
	errorCause                   = 101
	sessionNotFound              = 503
)

// Limits count the sessions on NASes: the second is refused, or the NAS has to end the first.
func TestOneSessionOnANASPerAccount(t *testing.T) {
	t.Parallel()
	w := newOffice(t)
	s := w.answer(leasingOffice)
	r, other := w.router("127.0.0.2"), w.router("127.0.0.3")

	first := r.opens("anna@single.example", annaPassword, "1")
	first.tells(statusStart)
	if reply := other.asks(other.login("anna@single.example", annaPassword)); reply.code != accessReject {
		t.Errorf("a second session on another NAS: code %d", reply.code)
	}
	first.tells(statusStop)
	eventually(t, "she may come in again", func() bool { return other.asks(other.login("anna@single.example", annaPassword)).code == accessAccept })

	x := r.listens(w, func(int64, *packet) (byte, []attribute) { return disconnectACK, nil })
	first = r.opens("anna@moving.example", annaPassword, "2")
	first.tells(statusStart)
	second := other.opens("anna@moving.example", annaPassword, "7")
	second.tells(statusStart)
	eventually(t, "the NAS is told to end the first", func() bool { return x.asked.Load() == 1 })
	if p := x.last.Load(); p.code != disconnectRequest || string(p.get(sessionID)) != "2" || string(p.get(userName)) != "anna@moving.example" {
		t.Errorf("the NAS is told %+v", p)
	}
	first.tells(statusStop)
	if shown := s.session("anna@moving.example"); shown.NAS != "router2" || shown.Address != second.address {
		t.Errorf("%+v", shown)
	}
	s.stop()
}

// A NAS that does not answer is told again. One that does not know the session has lost it.
func TestNASIsToldUntilItAnswers(t *testing.T) {
	t.Parallel()
	w := newOffice(t)
	s := w.answer(leasingOffice)
	deaf, lost := w.router("127.0.0.2"), w.router("127.0.0.3")
	x := deaf.listens(w, func(n int64, _ *packet) (byte, []attribute) {
		if n == 1 {
			return 0, nil
		}
		return disconnectACK, nil
	})
	y := lost.listens(w, func(int64, *packet) (byte, []attribute) {
		return disconnectNAK, []attribute{number(errorCause, sessionNotFound)}
	})
	c := deaf.opens(anna, annaPassword, "1")
	c.tells(statusStart)
	lost.opens("anna@single.example", annaPassword, "1").tells(statusStart)
	for _, who := range []string{anna, "anna@single.example"} {
		if output, code := s.command("kick", who); code != 0 {
			t.Errorf("kick: %d, %s", code, output)
		}
	}
	eventually(t, "a session that its NAS does not know is over", func() bool { return len(s.sessions()) == 1 && y.asked.Load() == 1 })
	s.leased(1, 1)
	eventually(t, "the NAS that did not answer is told again", func() bool { return x.asked.Load() == 2 && s.counter("nas_orders_done") == 1 })
	if list := s.sessions(); len(list) != 1 || list[0].User != anna {
		t.Errorf("before the NAS has said that it is over: %+v", list)
	}
	c.tells(statusStop)
	s.empty()
	if n := s.counter("nas_sessions_ended_lost"); n != 1 {
		t.Errorf("%d sessions are counted as lost by their NAS", n)
	}
	s.stop()
}
