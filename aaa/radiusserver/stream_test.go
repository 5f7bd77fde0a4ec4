package radiusserver

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"layeh.com/radius"

	"lnsgate/aaa"
	"lnsgate/aaa/radius/wire"
	"lnsgate/test/radtest"
)

var streamKey = wire.NewKey(radSecSecret)

// certificates makes an authority with a server and a client.
func certificates(t testing.TB) (files radtest.Certificates, server, client *tls.Config) {
	t.Helper()
	files, err := radtest.MakeCertificates(t.TempDir(), netip.MustParseAddr("127.0.0.1"))
	server, err2 := files.Server()
	client, err3 := files.Client()
	if err := errors.Join(err, err2, err3); err != nil {
		t.Fatal(err)
	}
	return files, server, client
}

// secured runs a server with TLS on the loopback address. The client there must show its certificate.
type secured struct {
	*rig
	at    netip.AddrPort
	files radtest.Certificates
	tls   *tls.Config // of the client
}

func secure(t testing.TB, change func(*Config)) *secured {
	t.Helper()
	s := &secured{}
	s.rig, _, _ = serve(t, func(c *Config) {
		c.TLS = c.Listen
		s.files, c.TLSConfig, s.tls = certificates(t)
		c.Clients[0].TLS, c.Clients[0].CertificateNames = true, []string{"another", strings.ToUpper(radtest.ClientName)}
		if change != nil {
			change(c)
		}
	})
	list := s.Addresses()
	s.at = list[len(list)-1]
	return s
}

// connection is a client's end.
type connection struct {
	net.Conn
	t testing.TB
}

func (s *secured) dial() *connection {
	s.t.Helper()
	conn, err := tls.Dial("tcp", s.at.String(), s.tls)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { conn.Close() })
	return &connection{conn, s.t}
}

// overTLS makes a packet one of a client over TLS.
func overTLS(p *radius.Packet) *radius.Packet {
	p.Secret = []byte(radSecSecret)
	return p
}

func (c *connection) send(p *radius.Packet) []byte {
	c.t.Helper()
	b, err := streamKey.AppendRequest(nil, p)
	if err != nil {
		c.t.Fatal(err)
	}
	c.put(b)
	return b
}

func (c *connection) put(b []byte) {
	c.t.Helper()
	if _, err := c.Write(b); err != nil {
		c.t.Fatal(err)
	}
}

// receive reads one packet. Nil: the connection was closed.
func (c *connection) receive() []byte {
	c.t.Helper()
	head := make([]byte, 4)
	_ = c.SetReadDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.ReadFull(c, head); err != nil {
		if e := net.Error(nil); errors.As(err, &e) && e.Timeout() {
			c.t.Fatal("nothing comes, and the connection is not closed")
		}
		return nil
	}
	rest := make([]byte, int(head[2])<<8+int(head[3])-4)
	if _, err := io.ReadFull(c, rest); err != nil {
		c.t.Fatal(err)
	}
	return append(head, rest...)
}

// ask sends a request and checks its reply.
func (c *connection) ask(p *radius.Packet) *radius.Packet {
	c.t.Helper()
	request := c.send(p)
	return c.answer(request, c.receive())
}

func (c *connection) answer(request, reply []byte) *radius.Packet {
	c.t.Helper()
	v, err := streamKey.VerifyReply(reply, [16]byte(request[4:20]))
	if err != nil || reply[1] != request[1] {
		c.t.Fatalf("%x answers %x: %v", reply, request, err)
	}
	return streamKey.Parse(v)
}

func pap(t testing.TB, name, typed string) *radius.Packet {
	return proven(t, overTLS(packet(t, radius.CodeAccessRequest)), aaa.PAP, name, typed)
}

func start(t testing.TB, session string) *radius.Packet {
	return overTLS(packet(t, radius.CodeAccountingRequest, str(wire.TypeUserName, "alice"), str(wire.TypeAcctSessionID, session), num(wire.TypeAcctStatusType, statusStart)))
}

// TestRFC6614Section2_OnePortForEverything logs in, out and records over one connection.
func TestRFC6614Section2_OnePortForEverything(t *testing.T) {
	s := secure(t, nil)
	c := s.dial()
	for _, test := range []struct {
		request *radius.Packet
		want    radius.Code
		outcome Outcome
	}{
		{pap(t, "alice", password), radius.CodeAccessAccept, Accepted},
		{pap(t, "alice", "wrong"), radius.CodeAccessReject, Rejected},
		{proven(t, overTLS(packet(t, radius.CodeAccessRequest)), aaa.CHAP, "alice", password), radius.CodeAccessAccept, Accepted},
		{proven(t, overTLS(packet(t, radius.CodeAccessRequest)), aaa.MSCHAPv2, "alice", password), radius.CodeAccessAccept, Accepted},
		{start(t, "1"), radius.CodeAccountingResponse, Recorded},
		{overTLS(packet(t, radius.CodeStatusServer)), radius.CodeAccessAccept, Status},
	} {
		before := s.Stats().Total[test.outcome]
		reply := c.ask(test.request)
		if reply.Code != test.want || s.Stats().Total[test.outcome] != before+1 {
			t.Errorf("%s instead of %s: %v", reply.Code, test.want, named(s.Stats().Total))
		}
		if access := test.want != radius.CodeAccountingResponse; access && reply.Attributes[0].Type != wire.TypeMessageAuth {
			t.Errorf("%s: the Message-Authenticator is not in front", reply.Code)
		}
	}
	if got := s.records.last(); got.NAS.Name != "loopback/127.0.0.1" || got.NAS.Session != "1" {
		t.Errorf("%+v", got)
	}
	if got := s.Stats().TLS; got.Open != 1 || got.Opened != 1 {
		t.Errorf("%+v", got)
	}
	c.Close()
	eventually(t, func() bool { return s.Stats().TLS.Open == 0 })
	if got := s.Stats().TLS; got.Cut != 0 || got.Failed != 0 {
		t.Errorf("%+v", got)
	}
}

// eventually waits for what another goroutine is about to do.
func eventually(t testing.TB, is func() bool) {
	t.Helper()
	for until := time.Now().Add(20 * time.Second); !is(); {
		if time.Now().After(until) {
			t.Fatal("it does not happen")
		}
		<-time.After(time.Millisecond)
	}
}

// TestUnsignedRequestsOverTLS are taken: it is TLS that proves who asks.
func TestUnsignedRequestsOverTLS(t *testing.T) {
	s := secure(t, func(c *Config) { c.Clients[0].MessageAuthenticator = Require })
	c := s.dial()
	for _, p := range []*radius.Packet{pap(t, "alice", password), overTLS(packet(t, radius.CodeStatusServer))} {
		p.Code = max(p.Code, 1)
		b, err := p.Encode()
		if err != nil {
			t.Fatal(err)
		}
		c.put(b)
		if reply := c.answer(b, c.receive()); reply.Code != radius.CodeAccessAccept {
			t.Errorf("%s", reply.Code)
		}
	}
	if s.Stats().Signing != 0 {
		t.Error("what comes by TLS says nothing of UDP")
	}
}

// TestWhoMayConnect has clients that may not.
func TestWhoMayConnect(t *testing.T) {
	_, _, strange := certificates(t)
	failed, refused := func(n TLSStats) uint64 { return n.Failed }, func(n TLSStats) uint64 { return n.Refused }
	for name, test := range map[string]struct {
		server  func(*Config)
		client  func(*tls.Config)
		counted func(TLSStats) uint64
	}{
		"no certificate":     {nil, func(c *tls.Config) { c.Certificates = nil }, failed},
		"another authority":  {nil, func(c *tls.Config) { c.Certificates = strange.Certificates }, failed},
		"another name":       {func(c *Config) { c.Clients[0].CertificateNames = []string{"another"} }, nil, failed},
		"an old version":     {func(c *Config) { c.TLSConfig.MinVersion = tls.VersionTLS10 }, func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 }, failed},
		"the client is weak": {func(c *Config) { c.TLSConfig.ClientAuth = tls.NoClientCert }, func(c *tls.Config) { c.Certificates = nil }, failed},
		"the server is weak": {func(c *Config) {
			weak := &tls.Config{Certificates: c.TLSConfig.Certificates}
			c.TLSConfig.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { return weak, nil }
		}, func(c *tls.Config) { c.Certificates = nil }, failed},
		"not by TLS":           {func(c *Config) { c.Clients[0].TLS = false }, nil, refused},
		"nobody that is known": {func(c *Config) { c.Clients[0].Source = netip.MustParsePrefix("192.0.2.0/24") }, nil, refused},
	} {
		t.Run(name, func(t *testing.T) {
			s := secure(t, test.server)
			if test.client != nil {
				test.client(s.tls)
			}
			if conn, err := tls.Dial("tcp", s.at.String(), s.tls); err == nil {
				defer conn.Close()
				if n, err := conn.Read(make([]byte, 1)); err == nil {
					t.Errorf("it is served %d octets", n)
				}
			}
			eventually(t, func() bool { return test.counted(s.Stats().TLS) == 1 && s.Stats().TLS.Open == 0 })
			if got := s.Stats().TLS; got.Opened != 0 || got.Failed+got.Refused != 1 {
				t.Errorf("%+v", got)
			}
		})
	}
}

// TestGarbageInsteadOfTLS is over with the first octets.
func TestGarbageInsteadOfTLS(t *testing.T) {
	s := secure(t, nil)
	conn, err := net.Dial("tcp", s.at.String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	c := &connection{conn, t}
	c.put(bytes.Repeat([]byte("GET / HTTP/1.0\r\n"), 100))
	_, _ = io.Copy(io.Discard, conn)
	eventually(t, func() bool { return s.Stats().TLS.Failed == 1 })
}

// TestRFC6613Section2_6_4_WhatClosesAConnection has packets after which nobody knows where the next begins, or who sends them.
// Another connection of the same client lives on.
func TestRFC6613Section2_6_4_WhatClosesAConnection(t *testing.T) {
	s := secure(t, nil)
	other := s.dial()
	octets := func(p *radius.Packet) []byte {
		b, err := streamKey.AppendRequest(nil, p)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	changed := func(b []byte, at int, to byte) []byte { b[at] = to; return b }
	last := func(b []byte) []byte { b[len(b)-1]++; return b }
	for name, test := range map[string]struct {
		octets  []byte
		counted Outcome // none for what is no packet
	}{
		"a length of 19":       {changed(changed(octets(start(t, "1")), 2, 0), 3, 19), Accepted},
		"a length of 4097":     {changed(changed(octets(start(t, "1")), 2, 16), 3, 1), Accepted},
		"text":                 {[]byte("GET / HTTP/1.0\r\n\r\n"), Accepted},
		"attributes":           {changed(octets(pap(t, "alice", password)), 39, 1), Malformed},
		"a forged record":      {last(octets(start(t, "1"))), Forged},
		"a forged login":       {last(octets(pap(t, "alice", password))), Forged},
		"another secret":       {octetsOf(t, packet(t, radius.CodeStatusServer)), Forged},
		"an answer":            {octets(overTLS(packet(t, radius.CodeAccountingResponse))), WrongCode},
		"a code that is none":  {octets(overTLS(packet(t, radius.Code(99)))), WrongCode},
		"the second is broken": {last(append(octets(overTLS(packet(t, radius.CodeAccountingRequest))), octets(start(t, "1"))...)), Forged},
	} {
		t.Run(name, func(t *testing.T) {
			before, cut := s.Stats().Total[test.counted], s.Stats().TLS.Cut
			c := s.dial()
			c.put(test.octets)
			for c.receive() != nil {
			}
			eventually(t, func() bool { return s.Stats().TLS.Cut == cut+1 })
			if test.counted != Accepted && s.Stats().Total[test.counted] != before+1 {
				t.Errorf("%v", named(s.Stats().Total))
			}
			if reply := other.ask(pap(t, "alice", password)); reply.Code != radius.CodeAccessAccept {
				t.Errorf("another connection: %s", reply.Code)
			}
		})
	}
}

// TestRFC6614Section2_5_WhatIsNotForThisServer is declined, so that nobody waits.
func TestRFC6614Section2_5_WhatIsNotForThisServer(t *testing.T) {
	s := secure(t, func(c *Config) { c.Records, c.Accounting = nil, nil })
	c := s.dial()
	for code, want := range map[radius.Code]radius.Code{
		radius.CodeAccountingRequest: radius.CodeAccountingResponse, radius.CodeCoARequest: radius.CodeCoANAK, radius.CodeDisconnectRequest: radius.CodeDisconnectNAK,
	} {
		reply := c.ask(overTLS(packet(t, code, str(wire.TypeProxyState, "way back"))))
		if reply.Code != want || string(reply.Get(wire.TypeErrorCause)) != "\x00\x00\x01\x96" || string(reply.Get(wire.TypeProxyState)) != "way back" {
			t.Errorf("%s: %+v", code, reply)
		}
	}
	s.want(WrongCode, 3)
}

// TestAnswersInTheOrderInWhichTheyAreThere has a record that cannot be stored yet, and a login behind it.
func TestAnswersInTheOrderInWhichTheyAreThere(t *testing.T) {
	wait := make(chan struct{})
	s := secure(t, nil)
	s.records.wait = wait
	c := s.dial()
	record := c.send(start(t, "1"))
	if reply := c.ask(pap(t, "alice", password)); reply.Code != radius.CodeAccessAccept {
		t.Error(reply.Code)
	}
	close(wait)
	if reply := c.answer(record, c.receive()); reply.Code != radius.CodeAccountingResponse {
		t.Error(reply.Code)
	}
}

// TestMoreRequestsThanIdentifiers waits with reading until the answers are written, however slowly, and loses nothing.
func TestMoreRequestsThanIdentifiers(t *testing.T) {
	wait := make(chan struct{})
	s := secure(t, func(c *Config) { c.AtOnce = 10 }) // eight for one client
	s.records.wait = wait
	c := s.dial()
	const many = 3 * atOneStream
	go func() {
		for range many {
			b, _ := streamKey.AppendRequest(nil, start(t, "1"))
			if _, err := c.Write(b); err != nil {
				t.Error(err)
				return
			}
		}
	}()
	eventually(t, func() bool { return s.Stats().Answering == 8 })
	close(wait)
	for i := range many {
		if b := c.receive(); b == nil || b[0] != byte(radius.CodeAccountingResponse) {
			t.Fatalf("%d: %x", i, b)
		}
	}
	s.want(Recorded, many)
}

// TestWhoCannotBeServedInTimeIsToldNothing has no room for a request until its time is over.
func TestWhoCannotBeServedInTimeIsToldNothing(t *testing.T) {
	s := secure(t, func(c *Config) { c.AtOnce, c.Timeout = 1, 50*time.Millisecond })
	s.slots[forRecords] <- struct{}{}
	c := s.dial()
	c.send(start(t, "1"))
	eventually(t, func() bool { return s.Stats().Total[Busy] == 1 })
	<-s.slots[forRecords]
	if reply := c.ask(start(t, "1")); reply.Code != radius.CodeAccountingResponse {
		t.Error(reply.Code)
	}
}

// TestHowManyConnections are taken, from one source and in all.
func TestHowManyConnections(t *testing.T) {
	for name, limits := range map[string]TLSLimits{"from one source": {PerSource: 2}, "in all": {Connections: 2}} {
		t.Run(name, func(t *testing.T) {
			s := secure(t, func(c *Config) { c.TLSLimits = limits })
			one, two := s.dial(), s.dial()
			if conn, err := tls.Dial("tcp", s.at.String(), s.tls); err == nil {
				conn.Close()
				t.Error("a third one is let in")
			}
			if got := s.Stats().TLS; got.Refused != 1 || got.Open != 2 {
				t.Errorf("%+v", got)
			}
			one.Close()
			eventually(t, func() bool { return s.Stats().TLS.Open == 1 })
			for _, c := range []*connection{two, s.dial()} {
				if reply := c.ask(pap(t, "alice", password)); reply.Code != radius.CodeAccessAccept {
					t.Error(reply.Code)
				}
			}
		})
	}
}

// TestAReloadKeepsConnections of clients that may connect as before, and no others.
func TestAReloadKeepsConnections(t *testing.T) {
	s := secure(t, nil)
	c := s.dial()
	clients := slices.Clone(s.config.Clients)
	if err := s.Reload(clients, s.config.AAA, nil); err != nil {
		t.Fatal(err)
	}
	if reply := c.ask(pap(t, "alice", password)); reply.Code != radius.CodeAccessAccept {
		t.Error(reply.Code)
	}
	for name, change := range map[string]func(*Client){
		"another name": func(c *Client) { c.CertificateNames = []string{"another"} },
		"not by TLS":   func(c *Client) { c.TLS = false },
		"elsewhere":    func(c *Client) { c.Source = netip.MustParsePrefix("192.0.2.0/24") },
	} {
		if err := s.Reload(s.config.Clients, s.config.AAA, nil); err != nil {
			t.Fatal(err)
		}
		c, cut := s.dial(), s.Stats().TLS.Cut
		c.ask(pap(t, "alice", password))
		list := slices.Clone(s.config.Clients)
		change(&list[0])
		if err := s.Reload(list, s.config.AAA, nil); err != nil {
			t.Fatal(err)
		}
		if b := c.receive(); b != nil {
			t.Errorf("%s: %x", name, b)
		}
		eventually(t, func() bool { return s.Stats().TLS.Cut > cut })
	}
}

// TestAnotherAuthority counts for connections that come, and not for those that are there.
func TestAnotherAuthority(t *testing.T) {
	s := secure(t, nil)
	before := s.dial()
	_, server, client := certificates(t)
	if err := s.SetTLS(server); err != nil {
		t.Fatal(err)
	}
	if reply := before.ask(pap(t, "alice", password)); reply.Code != radius.CodeAccessAccept {
		t.Error(reply.Code)
	}
	if conn, err := tls.Dial("tcp", s.at.String(), s.tls); err == nil {
		conn.Close()
		t.Error("the server shows its old certificate")
	}
	s.tls = client
	if reply := s.dial().ask(pap(t, "alice", password)); reply.Code != radius.CodeAccessAccept {
		t.Error(reply.Code)
	}
	if err := s.SetTLS(&tls.Config{Certificates: server.Certificates}); err == nil {
		t.Error("without authorities everybody would get in")
	}
}

// TestASecretOfItsOwn is for clients that have another than RFC 6614 says.
func TestASecretOfItsOwn(t *testing.T) {
	s := secure(t, func(c *Config) { c.Clients[0].TLSSecret = aaa.NewSecret(clientSecret) })
	c := s.dial()
	request := octetsOf(t, login(t, "alice", password))
	c.put(request)
	if reply := replyTo(t, request, c.receive()); reply.Code != radius.CodeAccessAccept {
		t.Error(reply.Code)
	}
}

// TestOnlyByTLS is a client that has no secret for UDP.
func TestOnlyByTLS(t *testing.T) {
	s := secure(t, func(c *Config) { c.Clients[0].Secret = aaa.Secret{} })
	if reply := s.dial().ask(pap(t, "alice", password)); reply.Code != radius.CodeAccessAccept {
		t.Error(reply.Code)
	}
	box := newMailbox()
	b, err := wire.NewKey("").AppendRequest(nil, login(t, "alice", password))
	if err != nil {
		t.Fatal(err)
	}
	s.put(forAccess, b, netip.MustParseAddrPort("127.0.0.1:1024"), box)
	s.want(Stranger, 1)
	if len(box.all()) != 0 {
		t.Error("it is answered")
	}
}

func TestWhatTLSNeeds(t *testing.T) {
	_, server, _ := certificates(t)
	for name, config := range map[string]*tls.Config{
		"nothing": nil, "no certificate": {ClientCAs: server.ClientCAs}, "no authorities": {Certificates: server.Certificates},
	} {
		_, err := Listen(Config{AAA: newRig(t, nil).config.AAA, TLS: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")}, TLSConfig: config})
		if err == nil || !strings.Contains(err.Error(), "it listens for TLS, and") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestAnAddressInUse leaves no socket open.
func TestAnAddressInUse(t *testing.T) {
	s := secure(t, nil)
	c := s.config
	c.TLS = []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0"), s.at}
	if server, err := Listen(c); err == nil {
		t.Error("it listens twice", server.Close())
	}
}

// TestABrokenListenerEndsAll, as half a service is harder to see than none.
func TestABrokenListenerEndsAll(t *testing.T) {
	s := newRig(t, nil)
	_, server, _ := certificates(t)
	c := s.config
	c.TLS, c.TLSConfig = c.Listen, server
	broken, err := Listen(c)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error)
	go func() { ended <- broken.Run(context.Background()) }()
	broken.streams.listeners[0].Close()
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
}

// TestTheEndClosesConnections that are open, and waits for nobody.
func TestTheEndClosesConnections(t *testing.T) {
	s := newRig(t, nil)
	_, server, client := certificates(t)
	c := s.config
	c.Listen, c.TLS, c.TLSConfig = nil, c.Listen, server
	c.Clients = []Client{{Name: "loopback", Source: netip.MustParsePrefix("127.0.0.0/8"), TLS: true}}
	only, err := Listen(c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- only.Run(ctx) }()
	there := &secured{rig: s, at: only.Addresses()[0], tls: client}
	conn := there.dial()
	conn.ask(pap(t, "alice", password))
	stop()
	if b := conn.receive(); b != nil {
		t.Errorf("%x", b)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// slow runs a test in virtual time, with one connection over a pipe that takes nothing that is not read.
func slow(t *testing.T, test func(t *testing.T, s *secured, raw net.Conn)) {
	_, server, client := certificates(t)
	now := time.Now()
	clock := func() time.Time { return now } // certificates are of today, bubbles are not
	server.Time, client.Time = clock, clock
	synctest.Test(t, func(t *testing.T) {
		s := &secured{tls: client, rig: newRig(t, func(c *Config) {
			c.TLSConfig, c.Clients[0].TLS = server, true
		})}
		ours, theirs := net.Pipe()
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan struct{})
		go func() {
			s.serve(ctx, ours, nasAddress)
			close(ended)
		}()
		test(t, s, theirs)
		theirs.Close()
		synctest.Wait()
		select {
		case <-ended:
		default:
			t.Error("the connection is still served")
		}
		cancel()
	})
}

// closes waits for the other end to close the connection, and returns after how long it did.
func closes(c net.Conn) time.Duration {
	began := time.Now()
	_, _ = io.Copy(io.Discard, c)
	synctest.Wait()
	return time.Since(began).Round(time.Second)
}

func TestAHandshakeThatTakesTooLong(t *testing.T) {
	slow(t, func(t *testing.T, s *secured, raw net.Conn) {
		_, _ = raw.Write([]byte{22, 3, 1})
		if took := closes(raw); took != 10*time.Second || s.Stats().TLS.Failed != 1 {
			t.Errorf("%s %+v", took, s.Stats().TLS)
		}
	})
}

func TestAnIdleConnection(t *testing.T) {
	slow(t, func(t *testing.T, s *secured, raw net.Conn) {
		c := &connection{tls.Client(raw, s.tls), t}
		for range 3 { // whoever asks by Status-Server now and then is not idle
			c.ask(overTLS(packet(t, radius.CodeStatusServer)))
			time.Sleep(9 * time.Minute)
			synctest.Wait()
		}
		c.SetReadDeadline(time.Time{})
		if took := closes(c); took != time.Minute || s.Stats().TLS.Cut != 1 {
			t.Errorf("%s %+v", took, s.Stats().TLS)
		}
	})
}

func TestHalfAPacket(t *testing.T) {
	for _, octets := range []int{1, 3, 4, 19, 30} {
		slow(t, func(t *testing.T, s *secured, raw net.Conn) {
			c := &connection{tls.Client(raw, s.tls), t}
			request, _ := streamKey.AppendRequest(nil, pap(t, "alice", password))
			c.put(request)
			c.receive()
			c.put(request[:octets])
			c.SetReadDeadline(time.Time{})
			if took := closes(c); took != 10*time.Second || s.Stats().TLS.Cut != 1 {
				t.Errorf("%d octets: %s %+v", octets, took, s.Stats().TLS)
			}
		})
	}
}

// TestAPacketInPieces is whole when its last octet is there.
func TestAPacketInPieces(t *testing.T) {
	slow(t, func(t *testing.T, s *secured, raw net.Conn) {
		c := &connection{tls.Client(raw, s.tls), t}
		request, _ := streamKey.AppendRequest(nil, pap(t, "alice", password))
		for i := range request {
			c.put(request[i : i+1])
		}
		if reply := c.answer(request, c.receive()); reply.Code != radius.CodeAccessAccept {
			t.Error(reply.Code)
		}
	})
}

// TestWhoDoesNotReadIsCutOff costs its own connection only, and no goroutine waits for it.
func TestWhoDoesNotReadIsCutOff(t *testing.T) {
	slow(t, func(t *testing.T, s *secured, raw net.Conn) {
		conn := tls.Client(raw, s.tls)
		c := &connection{conn, t}
		c.ask(overTLS(packet(t, radius.CodeStatusServer)))
		began := time.Now()
		go func() { // and writes all the time
			for {
				b, _ := streamKey.AppendRequest(nil, overTLS(packet(t, radius.CodeStatusServer)))
				if _, err := c.Write(b); err != nil {
					return
				}
			}
		}()
		for s.Stats().TLS.Cut == 0 && time.Since(began) < time.Minute {
			time.Sleep(time.Second)
			synctest.Wait()
		}
		if took := time.Since(began); took > 11*time.Second {
			t.Errorf("it took %s", took)
		}
	})
}

// TestAReplyThatNobodyTakes is one, and the client sends nothing more.
func TestAReplyThatNobodyTakes(t *testing.T) {
	slow(t, func(t *testing.T, s *secured, raw net.Conn) {
		c := &connection{tls.Client(raw, s.tls), t}
		c.ask(overTLS(packet(t, radius.CodeStatusServer)))
		c.send(overTLS(packet(t, radius.CodeStatusServer)))
		time.Sleep(9 * time.Second)
		synctest.Wait()
		if got := s.Stats().TLS; got.Cut != 0 {
			t.Errorf("%+v", got)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if got := s.Stats().TLS; got.Cut != 1 {
			t.Errorf("%+v", got)
		}
	})
}

// TestMoreRepliesThanRequests cannot be, and cuts the connection if it is.
func TestMoreRepliesThanRequests(t *testing.T) {
	var why error
	c := newStream(nil, nil, nasAddress, func(err error) { why = err })
	for range atOneStream {
		c.Send(nil, nil, nasAddress)
	}
	if why != nil {
		t.Error(why)
	}
	if c.Send(nil, nil, nasAddress); !errors.Is(why, errUnread) {
		t.Error(why)
	}
}

// FuzzStream has anything come over a connection: nothing panics, and what is left over is closed.
func FuzzStream(f *testing.F) {
	for _, p := range []*radius.Packet{pap(f, "alice", password), start(f, "1"), overTLS(packet(f, radius.CodeStatusServer)), overTLS(packet(f, radius.CodeCoARequest))} {
		b, err := streamKey.AppendRequest(nil, p)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
		f.Add(append(slices.Clone(b), b...))
		f.Add(b[:len(b)-1])
	}
	f.Fuzz(func(t *testing.T, octets []byte) {
		r := newRig(t, func(c *Config) { c.Clients[0].TLS = true })
		ours, theirs := net.Pipe()
		ctx, cut := context.WithCancelCause(context.Background())
		c := newStream(r.Server, ours, nasAddress, cut)
		written := make(chan struct{})
		go func() {
			_, _ = theirs.Write(octets)
			theirs.Close()
			close(written)
		}()
		_ = c.read(ctx, ctx)
		ours.Close()
		<-written
		cut(nil)
		r.working.Wait()
	})
}
