package main

import (
	"context"
	"crypto/hmac"
	"crypto/md5"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
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
	addresses bool       // every Accept has one, and no two have the same
	from      netip.Addr // of the sockets; zero: as the system likes
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

// perSocket is how many requests one socket has under way; identifiers end at 256.
const perSocket = 64

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

// run logs all users in and returns how many a second.
func (l radiusLoad) run(ctx context.Context) (float64, error) {
	sockets := max(1, l.flight/perSocket)
	faults := make([]error, sockets)
	addresses := make([][]netip.Addr, sockets)
	began := time.Now()
	var all sync.WaitGroup
	for s := range sockets {
		all.Go(func() {
			// Socket s takes every user whose number leaves s over.
			addresses[s], faults[s] = l.socket(ctx, s, sockets)
		})
	}
	all.Wait()
	took := time.Since(began)
	if err := errors.Join(faults...); err != nil {
		return 0, err
	}
	if !l.addresses {
		return float64(l.count) / took.Seconds(), nil
	}
	seen := make(map[netip.Addr]bool, l.count)
	for _, some := range addresses {
		for _, a := range some {
			if seen[a] {
				return 0, fmt.Errorf("the server gave %v away twice", a)
			}
			seen[a] = true
		}
	}
	if len(seen) != l.count {
		return 0, fmt.Errorf("%d addresses for %d users", len(seen), l.count)
	}
	return float64(l.count) / took.Seconds(), nil
}

// flight is one request under way; its place in the table is its identifier.
type flight struct {
	packet []byte
	sent   time.Time
}

// socket is one socket: a request for each answer.
func (l radiusLoad) socket(ctx context.Context, s, sockets int) (addresses []netip.Addr, err error) {
	var own *net.UDPAddr
	if l.from.IsValid() {
		own = &net.UDPAddr{IP: l.from.AsSlice()}
	}
	conn, err := net.DialUDP("udp", own, net.UDPAddrFromAddrPort(l.server))
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	var under [perSocket]flight
	next := l.first + s
	launch := func(id byte) error {
		if next >= l.first+l.count {
			under[id].packet = nil
			return nil
		}
		under[id] = flight{l.request(id, next), time.Now()}
		next += sockets
		_, err := conn.Write(under[id].packet)
		return err
	}
	for id := range under {
		if err := launch(byte(id)); err != nil {
			return nil, err
		}
	}
	want := (l.count - s + sockets - 1) / sockets
	buffer := make([]byte, 4096)
	for len(addresses) < want {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		conn.SetReadDeadline(time.Now().Add(retransmitAfter / 10))
		n, err := conn.Read(buffer)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			err = resend(conn, under[:])
			n = 0
		}
		if err != nil {
			return nil, err
		}
		if n < radiusHeader || buffer[1] >= perSocket {
			continue
		}
		id := buffer[1]
		if f := &under[id]; f.packet == nil || !l.answers(buffer[:n], f.packet) {
			continue
		}
		a, err := l.read(buffer[:n])
		if err != nil {
			return nil, err
		}
		addresses = append(addresses, a)
		if err := launch(id); err != nil {
			return nil, err
		}
	}
	return addresses, nil
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
	p := make([]byte, radiusHeader, 160)
	p[1] = id
	p = attribute(p, userName, []byte(user(1, n)))
	p = attribute(p, nasIPAddress, []byte{192, 0, 2, 1})
	p = attribute(p, nasPort, number(n))
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
	p = attribute(p, acctSessionID, fmt.Appendf(nil, "s-%08d", n))
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

// read says whether a reply is a yes, and returns the address in it, which must be there if that is asked for.
func (l radiusLoad) read(reply []byte) (netip.Addr, error) {
	if reply[0] != accessAccept && (l.asks < starting || reply[0] != accountingResponse) {
		return netip.Addr{}, fmt.Errorf("the server answered with code %d", reply[0])
	}
	for rest := reply[radiusHeader:]; len(rest) >= 2 && rest[1] >= 2 && int(rest[1]) <= len(rest); rest = rest[rest[1]:] {
		if value := rest[2:rest[1]]; rest[0] == framedIPAddress && len(value) == 4 {
			a, _ := netip.AddrFromSlice(value)
			return a, nil
		}
	}
	if l.addresses {
		return netip.Addr{}, errors.New("the server gave no address")
	}
	return netip.Addr{}, nil
}
