package radiusserver

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"layeh.com/radius"

	"lnsgate/aaa"
	"lnsgate/aaa/aaatest"
	"lnsgate/aaa/radius/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	clientSecret = "a secret of some length"
	password     = "Admin@123"
)

var nasAddress = netip.MustParseAddrPort("192.0.2.9:1024")

// row is one attribute of a packet that a test makes.
type row struct {
	vendor wire.Vendor
	kind   byte
	value  []byte
}

func str(kind radius.Type, value string) row { return row{0, byte(kind), []byte(value)} }
func num(kind radius.Type, value uint32) row {
	return row{0, byte(kind), binary.BigEndian.AppendUint32(nil, value)}
}
func addr(kind radius.Type, value string) row {
	return row{0, byte(kind), netip.MustParseAddr(value).AsSlice()}
}
func ms(kind byte, value []byte) row { return row{wire.Microsoft, kind, value} }

var unsignedRequest = str(240, "this request is not to be signed")

// ids make each request of a test a new one.
var ids struct {
	sync.Mutex
	next int
}

// packet makes a request. An Access-Request has an authenticator like no other.
func packet(t testing.TB, code radius.Code, rows ...row) *radius.Packet {
	t.Helper()
	ids.Lock()
	ids.next++
	n := ids.next
	ids.Unlock()
	p := &radius.Packet{Code: code, Identifier: byte(n), Secret: []byte(clientSecret)}
	copy(p.Authenticator[:], fmt.Sprintf("authentic %06d", n))
	add(t, p, rows...)
	return p
}

func add(t testing.TB, p *radius.Packet, rows ...row) {
	t.Helper()
	for _, r := range rows {
		if r.vendor == 0 {
			p.Add(radius.Type(r.kind), r.value)
		} else if err := wire.AddVendor(p, r.vendor, r.kind, r.value); err != nil {
			t.Fatal(err)
		}
	}
}

// octetsOf encodes a request as a client does. One with unsignedRequest in it is not signed.
func octetsOf(t testing.TB, p *radius.Packet) []byte {
	t.Helper()
	if p.Get(radius.Type(unsignedRequest.kind)) != nil {
		p.Del(radius.Type(unsignedRequest.kind))
		b, err := p.Encode()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	b, err := wire.NewKey(clientSecret).AppendRequest(nil, p)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// proven adds the proof of a user to a request.
func proven(t testing.TB, p *radius.Packet, m aaa.Method, name, typed string) *radius.Packet {
	t.Helper()
	p.Add(wire.TypeUserName, []byte(name))
	proof := aaatest.NewProof(m, name, typed)
	switch m {
	case aaa.PAP:
		hidden, err := radius.NewUserPassword([]byte(typed), p.Secret, p.Authenticator[:])
		if err != nil {
			t.Fatal(err)
		}
		p.Add(wire.TypeUserPassword, hidden)
	case aaa.CHAP:
		p.Add(wire.TypeCHAPPassword, append([]byte{proof.Identifier}, proof.Response...))
		p.Add(wire.TypeCHAPChallenge, proof.Challenge)
	case aaa.MSCHAPv2:
		add(t, p, ms(wire.MSCHAPChallenge, proof.Challenge), ms(wire.MSCHAP2Response, append([]byte{proof.Identifier, 0}, proof.Response[:48]...)))
	case aaa.MSCHAPv1:
		t.Fatal("see mschapv1")
	}
	return p
}

// login makes a signed PAP request of a user.
func login(t testing.TB, name, typed string, rows ...row) *radius.Packet {
	t.Helper()
	return proven(t, packet(t, radius.CodeAccessRequest, rows...), aaa.PAP, name, typed)
}

// mailbox keeps what is sent.
type mailbox struct {
	mu   sync.Mutex
	sent [][]byte
	at   []time.Time
	came chan struct{}
}

func newMailbox() *mailbox { return &mailbox{came: make(chan struct{}, 1000)} }

func (m *mailbox) Send(octets, _ []byte, _ netip.AddrPort) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sent, m.at = append(m.sent, octets), append(m.at, time.Now())
	m.came <- struct{}{}
}

func (m *mailbox) all() [][]byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([][]byte(nil), m.sent...)
}

// rig is a server without sockets.
type rig struct {
	*Server
	t       testing.TB
	backend *aaatest.Fake
	records *records
}

// newRig makes a server that knows alice and whose no's come at once.
func newRig(t testing.TB, change func(*Config)) *rig {
	t.Helper()
	backend := aaatest.NewFake("local")
	backend.Set("alice", aaatest.Answer{Password: aaa.NewSecret(password), Grant: aaa.Grant{Account: "alice"}})
	gateway, err := aaa.NewGateway(aaa.Config{DefaultDomain: "default", Backends: []aaa.Backend{backend},
		Domains: []aaa.Domain{{Name: "default", Chain: []string{"local"}}, {Name: "sales", Chain: []string{"local"}, Methods: []aaa.Method{aaa.CHAP}}}})
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, backend: backend, records: &records{}}
	c := Config{AAA: gateway, Records: r.records, RejectDelay: -1, Listen: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")},
		Clients: []Client{{Name: "branch", Source: netip.MustParsePrefix("192.0.2.9/32"), Secret: aaa.NewSecret(clientSecret)}}}
	if change != nil {
		change(&c)
	}
	if r.Server, err = newServer(c); err != nil {
		t.Fatal(err)
	}
	return r
}

// put hands a datagram to the server, and waits until what it began is done.
func (r *rig) put(role role, octets []byte, from netip.AddrPort, to *mailbox) {
	r.take(context.Background(), datagram{role: role, listener: int(role), octets: octets, from: from, out: to}, time.Now())
	r.working.Wait()
}

// ask sends a request and returns the reply, checked and parsed; nil: there was none.
func (r *rig) ask(p *radius.Packet) *radius.Packet {
	r.t.Helper()
	role := forAccess
	if p.Code == radius.CodeAccountingRequest {
		role = forRecords
	}
	octets, box := octetsOf(r.t, p), newMailbox()
	r.put(role, octets, nasAddress, box)
	return r.read(octets, box)
}

// read checks the one reply in the mailbox.
func (r *rig) read(request []byte, box *mailbox) *radius.Packet {
	r.t.Helper()
	sent := box.all()
	if len(sent) == 0 {
		return nil
	}
	if len(sent) > 1 {
		r.t.Fatalf("there are %d replies", len(sent))
	}
	return replyTo(r.t, request, sent[0])
}

// replyTo checks that a reply answers the request, and parses it. Keys in it can be decrypted.
func replyTo(t testing.TB, request, reply []byte) *radius.Packet {
	t.Helper()
	key := wire.NewKey(clientSecret)
	v, err := key.VerifyReply(reply, [16]byte(request[4:20]))
	if err != nil {
		t.Fatalf("reply %x: %v", reply, err)
	}
	if reply[1] != request[1] {
		t.Fatalf("identifier %d, asked with %d", reply[1], request[1])
	}
	if v.Code() != radius.CodeAccountingResponse && (len(reply) < 38 || reply[20] != 80) {
		t.Fatalf("the Message-Authenticator is not in front: %x", reply)
	}
	p := key.Parse(v)
	copy(p.Authenticator[:], request[4:20])
	return p
}

// want complains unless the outcome was counted so often, and nothing else was since the last call.
func (r *rig) want(o Outcome, times uint64) {
	r.t.Helper()
	stats := r.Stats()
	if got := stats.Total[o]; got != times {
		r.t.Errorf("%s: %d times, want %d (all: %v)", o, got, times, named(stats.Total))
	}
}

func named(c Counts) map[string]uint64 {
	m := map[string]uint64{}
	for o, n := range c {
		if n > 0 {
			m[Outcome(o).String()] = n
		}
	}
	return m
}

// records takes records.
type records struct {
	mu        sync.Mutex
	taken     []aaa.Record
	restarts  []string
	withdrawn []string
	err       error
	wait      chan struct{}
}

var errFull = errors.New("the disk is full")

func (r *records) Account(ctx context.Context, record *aaa.Record) error {
	if r.wait != nil {
		select {
		case <-r.wait:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err == nil {
		r.taken = append(r.taken, *record)
	}
	return r.err
}

func (r *records) Restarted(_ context.Context, nas string, at time.Time) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err == nil {
		r.restarts = append(r.restarts, nas+" "+at.UTC().Format(time.RFC3339))
	}
	return r.err
}

func (r *records) Withdrawn(_ context.Context, session string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.withdrawn = append(r.withdrawn, session)
}

func (r *records) last() aaa.Record {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.taken) == 0 {
		return aaa.Record{}
	}
	return r.taken[len(r.taken)-1]
}

func (r *records) count() (taken, restarts int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.taken), len(r.restarts)
}
