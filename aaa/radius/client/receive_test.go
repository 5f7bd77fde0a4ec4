package client

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"layeh.com/radius"

	"lnsgate/aaa"
	"lnsgate/aaa/radius/wire"
)

// FuzzReceive: whatever comes while a request waits, the request is answered by nothing but what its server made.
func FuzzReceive(f *testing.F) {
	request := [wire.AuthenticatorLength]byte{1, 2, 3}
	key := wire.NewKey(secret)
	for _, code := range []radius.Code{radius.CodeAccessAccept, radius.CodeAccessChallenge, radius.CodeAccountingResponse, wire.CodeProtocolError} {
		p := &radius.Packet{Code: code, Identifier: 7, Authenticator: request, Attributes: radius.Attributes{text(33, "p"), text(79, "eap")}}
		b, err := key.AppendReply(nil, p)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
		f.Add(b[:25])
		p.Attributes = p.Attributes[:0]
		if b, err = p.Encode(); err == nil {
			f.Add(b)
		}
	}
	g, err := New(Config{Name: "fuzz", Servers: []Server{{Address: "192.0.2.1:1812", Secret: aaa.NewSecret(secret)}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(g.Close)
	s := g.servers[0]
	f.Fuzz(func(t *testing.T, in []byte) {
		l := &link{server: s, ids: newIdentifiers(7)}
		now := time.Now()
		g.mu.Lock()
		c := s.newCall(radius.CodeAccessRequest, now)
		if !l.identify(c, now) || c.id != 7 {
			t.Fatal("no identifier")
		}
		s.inFlight++
		c.authenticator = request
		c.launch(now)
		g.mu.Unlock()

		l.receive(in) //nolint:errcheck // what is wrong is counted

		g.mu.Lock()
		defer g.mu.Unlock()
		v, err := key.VerifyReply(in, request)
		right := err == nil && in[1] == 7 && mayAnswer(radius.CodeAccessRequest, v.Code()) && !v.ProxyState && (v.Signed || !v.EAP)
		if done := c.stage == over; done != right {
			t.Errorf("taken %v, right %v: %x", done, right, in)
		}
		s.finish(c, now, ErrSilent)
		g.recycle(c)
		s.signs = false
		if s.inFlight != 0 || l.busy() {
			t.Error("something is left")
		}
	})
}

// The late answer to the request before is none to the one that has the identifier now and was not sent yet.
func TestLateReplyBeforeTheNextRequest(t *testing.T) {
	g := group(t, Config{Servers: []Server{{Address: "192.0.2.1:1812"}}})
	s := g.servers[0]
	l, now := &link{server: s, ids: newIdentifiers(7)}, time.Now()
	g.mu.Lock()
	old := s.newCall(radius.CodeAccessRequest, now)
	l.identify(old, now)
	s.inFlight++
	old.authenticator = [16]byte{1, 2, 3}
	old.launch(now)
	s.finish(old, now, ErrSilent)
	now = now.Add(time.Minute)
	for range identifierCount - 1 {
		l.ids.take(now)
	}
	next := s.newCall(radius.CodeAccessRequest, now)
	if !l.identify(next, now) || next.id != 7 {
		t.Fatalf("the identifier is %d", next.id)
	}
	s.inFlight++
	g.mu.Unlock()
	p := &radius.Packet{Code: radius.CodeAccessAccept, Identifier: 7, Authenticator: [16]byte{1, 2, 3}}
	late, err := wire.NewKey(secret).AppendReply(nil, p)
	if err != nil {
		t.Fatal(err)
	}
	l.receive(late) //nolint:errcheck // counted
	g.mu.Lock()
	defer g.mu.Unlock()
	if next.stage != granted || s.stats.Discarded[Unexpected] != 1 {
		t.Errorf("stage %d, thrown away %v", next.stage, s.stats.Discarded)
	}
}

func TestReceiveBufferIsRaised(t *testing.T) {
	conn, err := net.Dial("udp", "127.0.0.1:9")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	size := func() (size int) {
		raw, err := conn.(*net.UDPConn).SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		err = errors.Join(raw.Control(func(fd uintptr) { size, _ = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF) }))
		if err != nil {
			t.Fatal(err)
		}
		return size
	}
	before := size()
	enlarge(conn)
	if after := size(); after <= before && after < receiveBuffer {
		t.Errorf("%d octets, after %d", after, before)
	}
}

// Over IPv6, and by a name.
func TestAddresses(t *testing.T) {
	six, err := net.ListenPacket("udp", "[::1]:0")
	if err != nil {
		t.Fatal(err)
	}
	must(t, group(t, Config{Servers: []Server{{Address: serveOn(t, six, request.accept).address()}}}), login("alice"), radius.CodeAccessAccept)
	_, port, _ := net.SplitHostPort(serve(t, request.accept).address())
	g := group(t, Config{Servers: []Server{{Address: "localhost:" + port}}, Dial: func(ctx context.Context, _, a string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp4", a)
	}})
	must(t, g, login("alice"), radius.CodeAccessAccept)
}
