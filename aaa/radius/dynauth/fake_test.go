package dynauth

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"maps"
	"net/netip"
	"sync"
	"testing"
	"time"

	"layeh.com/radius"

	"lnsgate/aaa"
	"lnsgate/aaa/radius/wire"
)

const secret = "a secret of the tests"

var (
	client = netip.MustParseAddrPort("192.0.2.9:4000")
	noon   = time.Unix(1_700_000_000, 0)
)

// sessions is a node with some live sessions. It keeps what was done to them.
type sessions struct {
	mu           sync.Mutex
	live         map[string]aaa.Match // what each session is
	refuse       error                // of Change
	changed      map[string]aaa.Change
	disconnected map[string]string
	calls        int
	hold         chan struct{} // Find waits for it
}

func newSessions() *sessions {
	return &sessions{
		changed: map[string]aaa.Change{}, disconnected: map[string]string{},
		live: map[string]aaa.Match{
			"s1": {Session: "s1", UserName: "alice", Address: netip.MustParseAddr("10.1.0.1"), LocalTunnel: 1, LocalSession: 11, CallingNumber: "0441", CalledNumber: "0800", CUI: []byte("c1")},
			"s2": {Session: "s2", UserName: "alice", Address: netip.MustParseAddr("10.1.0.2"), LocalTunnel: 1, LocalSession: 12, CallingNumber: "0442", CalledNumber: "0800", CUI: []byte("c1")},
			"s3": {Session: "s3", UserName: "bob", Address: netip.MustParseAddr("10.1.0.3"), LocalTunnel: 2, LocalSession: 11, CallingNumber: "0443", CalledNumber: "0800"},
		},
	}
}

func fits(m, of aaa.Match) bool {
	return (m.Session == "" || m.Session == of.Session) && (m.UserName == "" || m.UserName == of.UserName) &&
		(!m.Address.IsValid() || m.Address == of.Address) && (m.LocalTunnel == 0 || m.LocalTunnel == of.LocalTunnel) &&
		(m.LocalSession == 0 || m.LocalSession == of.LocalSession) && (m.CallingNumber == "" || m.CallingNumber == of.CallingNumber) &&
		(m.CalledNumber == "" || m.CalledNumber == of.CalledNumber) && (m.CUI == nil || string(m.CUI) == string(of.CUI))
}

func (s *sessions) Find(ctx context.Context, m aaa.Match) (found []aaa.Live) {
	if s.hold != nil {
		select {
		case <-s.hold:
		case <-ctx.Done():
			return nil
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	for name, of := range s.live {
		if fits(m, of) {
			found = append(found, aaa.Live{Session: name})
		}
	}
	return found
}

func (s *sessions) Change(_ context.Context, names []string, c aaa.Change) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refuse != nil {
		return s.refuse
	}
	for _, name := range names {
		s.changed[name] = c
	}
	return nil
}

func (s *sessions) Disconnect(_ context.Context, name, reason string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, there := s.live[name]
	delete(s.live, name)
	s.disconnected[name] = reason
	return there
}

func (s *sessions) allChanged() map[string]aaa.Change {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.changed)
}

func (s *sessions) reason(name string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.disconnected[name]
}

// row is an attribute.
type row struct {
	kind  byte
	value []byte
}

func text(kind byte, v string) row { return row{kind, []byte(v)} }
func num(kind byte, v uint32) row  { return row{kind, binary.BigEndian.AppendUint32(nil, v)} }
func addr(kind byte, v string) row { return row{kind, netip.MustParseAddr(v).AsSlice()} }

func vsa(vendor wire.Vendor, kind byte, value []byte) row {
	p := &radius.Packet{}
	if err := wire.AddVendor(p, vendor, kind, value); err != nil {
		panic(err)
	}
	return row{typeVendorSpecific, p.Attributes[0].Attribute}
}

// datagram makes a signed request.
func datagram(t testing.TB, code radius.Code, key string, rows ...row) []byte {
	t.Helper()
	p := &radius.Packet{Code: code, Identifier: 7}
	for _, r := range rows {
		p.Add(radius.Type(r.kind), r.value)
	}
	b, err := wire.NewKey(key).AppendRequest(nil, p)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// newServer makes one without a socket.
func newServer(all *sessions, change func(*Config)) *Server {
	c := Config{
		Clients:     []Client{{Source: netip.MustParsePrefix("192.0.2.0/24"), Secret: aaa.NewSecret(secret)}},
		Identifiers: []string{"lns1", "lns-one"}, Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")},
	}
	c.Sessions = all
	if change != nil {
		change(&c)
	}
	c = c.withDefaults()
	s := &Server{
		config: c, slots: make(chan struct{}, c.AtOnce),
		answers: answers{most: mostAnswers},
	}
	s.setClients(c.Clients)
	s.SetIdentity(c.Identifiers, c.Addresses)
	return s
}

// send gives one datagram to the server and returns the answer, nil for none.
func send(t testing.TB, s *Server, b []byte, from netip.AddrPort, now time.Time) *radius.Packet {
	t.Helper()
	var reply []byte
	s.take(t.Context(), b, from, now, func(r []byte) { reply = r })
	s.working.Wait()
	if reply == nil {
		return nil
	}
	var authenticator [16]byte
	copy(authenticator[:], b[4:])
	key := wire.NewKey(secret)
	verified, err := key.VerifyReply(reply, authenticator)
	if err != nil {
		t.Fatalf("the reply is not authentic: %v", err)
	}
	p := key.Parse(verified)
	if p.Identifier != b[1] {
		t.Fatalf("identifier %d", p.Identifier)
	}
	return p
}

// causeOf is the Error-Cause of a NAK, 0 of an ACK.
func causeOf(t testing.TB, p *radius.Packet) Cause {
	t.Helper()
	if p == nil {
		t.Fatal("no answer")
	}
	value := p.Get(typeErrorCause)
	switch p.Code {
	case radius.CodeDisconnectACK, radius.CodeCoAACK:
		if value != nil {
			t.Errorf("an ACK with an Error-Cause")
		}
		return 0
	case radius.CodeDisconnectNAK, radius.CodeCoANAK:
		if len(value) == 4 {
			return Cause(binary.BigEndian.Uint32(value))
		}
	}
	t.Fatalf("%v with Error-Cause %x", p.Code, value)
	return 0
}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return b
}
