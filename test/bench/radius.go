package main

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/md5"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"time"
)

// radiusLoad is a NAS that logs many users in: a few sockets, each with many requests under way, every one with an
// identifier of its own. It is as plain as can be, so that the server is what is measured.
type radiusLoad struct {
	server netip.AddrPort
	secret []byte
	flight int // requests under way at once
	first  int // number of the first user
	count  int

	asks      asking
	classes   map[int][]byte // of those that logged in, by number: what the server wants back in records (RFC 2865 section 5.25)
	addresses bool           // every Accept has one, and no two have the same
	from      netip.Addr     // of the sockets; zero: as the system likes
}

// asking is what a load asks or tells.
type asking int

const (
	byPAP asking = iota
	byCHAP
	starting // accounting: sessions that begin, then what they used, then that they ended
	using
	stopping
)

// perSocket is how many requests one socket has under way. Its identifiers are used in turn: a server remembers a while what it
// has answered.
const (
	perSocket   = 64
	identifiers = 256
)

// RADIUS as far as a login by PAP goes (RFC 2865).
const (
	accessRequest      = 1
	accessAccept       = 2
	accountingRequest  = 4
	accountingResponse = 5

	userName           = 1
	userPassword       = 2
	chapPassword       = 3
	nasIPAddress       = 4
	nasPort            = 5
	framedIPAddress    = 8
	class              = 25
	acctStatusType     = 40
	acctInputOctets    = 42
	acctOutputOctets   = 43
	acctSessionID      = 44
	acctSessionTime    = 46
	acctTerminateCause = 49

	radiusHeader    = 20
	authenticatorAt = 4
	retransmitAfter = 3 * time.Second
)

// answered is what one socket was told, and when.
type answered struct {
	addresses []netip.Addr
	classes   map[int][]byte
	at        []time.Time
}

// run asks for all users and returns how many answers came a second, until nine of ten were there: a datagram that a full
// buffer dropped costs its sender seconds, and says nothing of how fast the server is.
func (l radiusLoad) run(ctx context.Context) (float64, error) {
	sockets := max(1, l.flight/perSocket)
	faults := make([]error, sockets)
	each := make([]answered, sockets)
	began := time.Now()
	var all sync.WaitGroup
	for s := range sockets {
		all.Go(func() {
			// Socket s takes every user whose number leaves s over.
			each[s], faults[s] = l.socket(ctx, s, sockets)
		})
	}
	all.Wait()
	if err := errors.Join(faults...); err != nil {
		return 0, err
	}
	var at []time.Time
	for _, some := range each {
		at = append(at, some.at...)
		if l.classes != nil {
			maps.Copy(l.classes, some.classes)
		}
	}
	slices.SortFunc(at, time.Time.Compare)
	most := len(at) * 9 / 10
	return float64(most) / at[most-1].Sub(began).Seconds(), l.distinct(each)
}

// distinct looks for addresses that were given twice, or not at all.
func (l radiusLoad) distinct(each []answered) error {
	if !l.addresses {
		return nil
	}
	seen := make(map[netip.Addr]bool, l.count)
	for _, some := range each {
		for _, a := range some.addresses {
			if seen[a] {
				return fmt.Errorf("the server gave %v away twice", a)
			}
			seen[a] = true
		}
	}
	if len(seen) != l.count {
		return fmt.Errorf("%d addresses for %d users", len(seen), l.count)
	}
	return nil
}

// flight is one request under way; its place in the table is its identifier.
type flight struct {
	packet []byte
	user   int
	sent   time.Time
}

// socket is one socket: a request for each answer.
func (l radiusLoad) socket(ctx context.Context, s, sockets int) (got answered, err error) {
	var own *net.UDPAddr
	if l.from.IsValid() {
		own = &net.UDPAddr{IP: l.from.AsSlice()}
	}
	conn, err := net.DialUDP("udp", own, net.UDPAddrFromAddrPort(l.server))
	if err != nil {
		return got, err
	}
	defer conn.Close()
	got.classes = make(map[int][]byte)
	var under [identifiers]flight
	next, turn := l.first+s, 0
	launch := func() error {
		if next >= l.first+l.count {
			return nil
		}
		for under[turn].packet != nil {
			turn = (turn + 1) % identifiers
		}
		f := &under[turn]
		*f = flight{l.request(byte(turn), next), next, time.Now()}
		next, turn = next+sockets, (turn+1)%identifiers
		_, err := conn.Write(f.packet)
		return err
	}
	for range perSocket {
		if err := launch(); err != nil {
			return got, err
		}
	}
	want := (l.count - s + sockets - 1) / sockets
	buffer := make([]byte, 4096)
	for len(got.at) < want {
		if err := ctx.Err(); err != nil {
			return got, err
		}
		conn.SetReadDeadline(time.Now().Add(retransmitAfter / 10))
		n, err := conn.Read(buffer)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			err = resend(conn, under[:])
			n = 0
		}
		if err != nil {
			return got, err
		}
		if n < radiusHeader {
			continue
		}
		f := &under[buffer[1]]
		if f.packet == nil || !l.answers(buffer[:n], f.packet) {
			continue
		}
		f.packet = nil
		a, mark, err := l.read(buffer[:n])
		if err != nil {
			return got, err
		}
		if mark != nil {
			got.classes[f.user] = mark
		}
		got.addresses, got.at = append(got.addresses, a), append(got.at, time.Now())
		if err := launch(); err != nil {
			return got, err
		}
	}
	return got, nil
}

// resend sends again what has had no answer for long.
func resend(conn net.Conn, under []flight) error {
	now := time.Now()
	for i := range under {
		if f := &under[i]; f.packet != nil && now.Sub(f.sent) > retransmitAfter {
			f.sent = now
			if _, err := conn.Write(f.packet); err != nil {
				return err
			}
		}
	}
	return nil
}

// request is that of user n, from a port of the NAS that nobody else has.
func (l radiusLoad) request(id byte, n int) []byte {
	p := make([]byte, radiusHeader, 256)
	p[1] = id
	p = attribute(p, userName, []byte(user(1, n)))
	p = attribute(p, nasIPAddress, []byte{192, 0, 2, 1})
	p = attribute(p, nasPort, number(n))
	p = attribute(p, acctSessionID, fmt.Appendf(nil, "s-%08d", n))
	if l.asks >= starting {
		return l.record(p, n)
	}
	p[0] = accessRequest
	authenticator := p[authenticatorAt:radiusHeader]
	rand.Read(authenticator) // never fails
	if l.asks == byCHAP {
		answer := md5.Sum(slices.Concat([]byte{id}, []byte(password), authenticator))
		p = attribute(p, chapPassword, append([]byte{id}, answer[:]...))
	} else {
		p = attribute(p, userPassword, l.hide([]byte(password), authenticator))
	}
	binary.BigEndian.PutUint16(p[2:], uint16(len(p)))
	return p
}

// What each session used, in octets.
const (
	usedUp, usedDown = 1_000, 2_000
	lastedFor        = 600 // seconds, at its end
)

// record makes an Accounting-Request of what a session's user is named and where it is (RFC 2866 section 3).
func (l radiusLoad) record(p []byte, n int) []byte {
	p[0] = accountingRequest
	kind, times := map[asking]int{starting: 1, stopping: 2, using: 3}[l.asks], map[asking]int{using: 1, stopping: 2}[l.asks]
	p = attribute(p, acctStatusType, number(kind))
	if mark := l.classes[n]; mark != nil {
		p = attribute(p, class, mark)
	}
	p = attribute(p, framedIPAddress, []byte{10, 200 + byte(n>>16), byte(n >> 8), byte(n)})
	if times > 0 {
		p = attribute(p, acctInputOctets, number(times*usedUp))
		p = attribute(p, acctOutputOctets, number(times*usedDown))
		p = attribute(p, acctSessionTime, number(times*lastedFor/2))
	}
	if l.asks == stopping {
		p = attribute(p, acctTerminateCause, number(1))
	}
	binary.BigEndian.PutUint16(p[2:], uint16(len(p)))
	sum := md5.New()
	sum.Write(p)
	sum.Write(l.secret)
	sum.Sum(p[:authenticatorAt])
	return p
}

func number(n int) []byte { return binary.BigEndian.AppendUint32(nil, uint32(n)) }

func attribute(p []byte, kind byte, value []byte) []byte {
	return append(append(p, kind, byte(2+len(value))), value...)
}

// hide is RFC 2865 section 5.2, for a password of at most 16 octets.
func (l radiusLoad) hide(clear, authenticator []byte) []byte {
	sum := md5.New()
	sum.Write(l.secret)
	sum.Write(authenticator)
	hidden := sum.Sum(nil)
	for i, c := range clear {
		hidden[i] ^= c
	}
	return hidden
}

// answers says whether the packet is the server's reply to the request (RFC 2865 section 3).
func (l radiusLoad) answers(reply, request []byte) bool {
	sum := md5.New()
	sum.Write(reply[:authenticatorAt])
	sum.Write(request[authenticatorAt:radiusHeader])
	sum.Write(reply[radiusHeader:])
	sum.Write(l.secret)
	return hmac.Equal(sum.Sum(nil), reply[authenticatorAt:radiusHeader])
}

// read says whether a reply is a yes, and returns the address in it, which must be there if that is asked for, and the Class.
func (l radiusLoad) read(reply []byte) (a netip.Addr, mark []byte, err error) {
	if reply[0] != accessAccept && (l.asks < starting || reply[0] != accountingResponse) {
		return a, nil, fmt.Errorf("the server answered with code %d", reply[0])
	}
	for rest := reply[radiusHeader:]; len(rest) >= 2 && rest[1] >= 2 && int(rest[1]) <= len(rest); rest = rest[rest[1]:] {
		switch value := rest[2:rest[1]]; {
		case rest[0] == framedIPAddress && len(value) == 4:
			a, _ = netip.AddrFromSlice(value)
		case rest[0] == class:
			mark = bytes.Clone(value)
		}
	}
	if l.addresses && !a.IsValid() {
		return a, nil, errors.New("the server gave no address")
	}
	return a, mark, nil
}
