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
}

// perSocket is how many requests one socket has under way; identifiers end at 256.
const perSocket = 64

// RADIUS as far as a login by PAP goes (RFC 2865).
const (
	accessRequest   = 1
	accessAccept    = 2
	userName        = 1
	userPassword    = 2
	nasIPAddress    = 4
	nasPort         = 5
	framedIPAddress = 8
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
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(l.server))
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
		a, err := addressOf(buffer[:n])
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

// request is an Access-Request of user n, from a port of the NAS that nobody else has.
func (l radiusLoad) request(id byte, n int) []byte {
	p := make([]byte, radiusHeader, 128)
	p[0], p[1] = accessRequest, id
	rand.Read(p[authenticatorAt:]) // never fails
	p = attribute(p, userName, []byte(user(1, n)))
	p = attribute(p, userPassword, l.hide([]byte(password), p[authenticatorAt:radiusHeader]))
	p = attribute(p, nasIPAddress, []byte{192, 0, 2, 1})
	p = attribute(p, nasPort, binary.BigEndian.AppendUint32(nil, uint32(n)))
	binary.BigEndian.PutUint16(p[2:], uint16(len(p)))
	return p
}

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

// addressOf is the address that an Access-Accept gives.
func addressOf(reply []byte) (netip.Addr, error) {
	if reply[0] != accessAccept {
		return netip.Addr{}, fmt.Errorf("the server answered with code %d", reply[0])
	}
	for rest := reply[radiusHeader:]; len(rest) >= 2 && rest[1] >= 2 && int(rest[1]) <= len(rest); rest = rest[rest[1]:] {
		if value := rest[2:rest[1]]; rest[0] == framedIPAddress && len(value) == 4 {
			a, _ := netip.AddrFromSlice(value)
			return a, nil
		}
	}
	return netip.Addr{}, errors.New("the server gave no address")
}
