package radiusserver

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"layeh.com/radius"

	"lnsgate/aaa"
	"lnsgate/aaa/aaatest"
)

func TestRFC5080Section2_2_2_Duplicates(t *testing.T) {
	r := newRig(t, nil)
	gate := make(chan struct{})
	r.backend.Set("alice", aaatest.Answer{Password: aaa.NewSecret(password), Wait: gate})
	ctx, box, octets := context.Background(), newMailbox(), octetsOf(t, login(t, "alice", password))
	d := datagram{octets: octets, from: nasAddress, out: box}
	r.take(ctx, d, time.Now())
	r.take(ctx, d, time.Now())
	r.want(Pending, 1)
	forged := append([]byte(nil), octets...)
	forged[len(forged)-1] ^= 1
	r.take(ctx, datagram{octets: forged, from: nasAddress, out: box}, time.Now())
	r.want(Forged, 1)
	close(gate)
	r.working.Wait()
	r.put(forAccess, octets, nasAddress, box)
	sent := box.all()
	if len(sent) != 2 || string(sent[0]) != string(sent[1]) || len(r.backend.Calls()) != 1 {
		t.Errorf("%d replies, asked %d times", len(sent), len(r.backend.Calls()))
	}
	r.want(Repeated, 1)
	// The same at another port, and to another listener, is another.
	r.put(forAccess, octets, netip.AddrPortFrom(nasAddress.Addr(), 9), box)
	r.take(ctx, datagram{octets: octets, from: nasAddress, out: box, listener: 7}, time.Now())
	r.working.Wait()
	if len(r.backend.Calls()) != 3 {
		t.Errorf("asked %d times", len(r.backend.Calls()))
	}
}

func TestANewerRequestWithTheSameIdentifierSupersedes(t *testing.T) {
	r := newRig(t, nil)
	gate := make(chan struct{})
	r.backend.Set("alice", aaatest.Answer{Password: aaa.NewSecret(password), Wait: gate})
	first, second := login(t, "alice", password), login(t, "alice", password)
	second.Identifier = first.Identifier
	one, two, box := octetsOf(t, first), octetsOf(t, second), newMailbox()
	for _, octets := range [][]byte{one, two} {
		r.take(context.Background(), datagram{octets: octets, from: nasAddress, out: box}, time.Now())
	}
	close(gate)
	r.working.Wait()
	if reply := r.read(two, box); reply == nil || reply.Code != radius.CodeAccessAccept {
		t.Errorf("%v", reply)
	}
	r.want(Superseded, 1)
	r.want(Accepted, 1)
}

func TestWhatNobodyCouldAnswerIsTriedAgain(t *testing.T) {
	r := newRig(t, nil)
	r.backend.Set("alice", aaatest.Answer{Err: context.DeadlineExceeded})
	octets, box := octetsOf(t, login(t, "alice", password)), newMailbox()
	r.put(forAccess, octets, nasAddress, box)
	if len(box.all()) != 0 {
		t.Error("it was answered")
	}
	r.want(Unanswered, 1)
	r.backend.Set("alice", aaatest.Answer{Password: aaa.NewSecret(password)})
	r.put(forAccess, octets, nasAddress, box)
	if reply := r.read(octets, box); reply == nil || reply.Code != radius.CodeAccessAccept {
		t.Errorf("%v", reply)
	}
}

func TestTooManyAtOnceAreDropped(t *testing.T) {
	r := newRig(t, func(c *Config) { c.AtOnce = 2 })
	gate := make(chan struct{})
	r.backend.Set("alice", aaatest.Answer{Password: aaa.NewSecret(password), Wait: gate})
	box := newMailbox()
	last := octetsOf(t, login(t, "alice", password))
	for _, octets := range [][]byte{octetsOf(t, login(t, "alice", password)), octetsOf(t, login(t, "alice", password)), last} {
		r.take(context.Background(), datagram{octets: octets, from: nasAddress, out: box}, time.Now())
	}
	r.want(Busy, 1)
	if r.Stats().Answering != 2 {
		t.Errorf("%d", r.Stats().Answering)
	}
	close(gate)
	r.working.Wait()
	box = newMailbox()
	r.put(forAccess, last, nasAddress, box)
	if len(box.all()) != 1 {
		t.Error("the one that was dropped cannot come again")
	}
}

// TestOneClientLeavesRoomForOthers when nobody answers its requests.
func TestOneClientLeavesRoomForOthers(t *testing.T) {
	clients := func(c *Config) {
		c.AtOnce = 8
		c.Clients = append(c.Clients, Client{Name: "other", Source: netip.MustParsePrefix("192.0.2.10/32"), Secret: aaa.NewSecret(clientSecret)})
	}
	r := newRig(t, clients)
	gate := make(chan struct{})
	r.backend.Set("alice", aaatest.Answer{Password: aaa.NewSecret(password), Wait: gate})
	box := newMailbox()
	ask := func(from netip.AddrPort) {
		r.take(context.Background(), datagram{octets: octetsOf(t, login(t, "alice", password)), from: from, out: box}, time.Now())
	}
	for range 10 {
		ask(nasAddress)
	}
	r.want(Busy, 4)
	var c Config
	clients(&c)
	c.Clients = append(c.Clients, Client{Name: "branch", Source: netip.MustParsePrefix("192.0.2.9/32"), Secret: aaa.NewSecret(clientSecret)})
	if err := r.Reload(c.Clients, r.service.Load().aaa, nil); err != nil { // what is under way still counts
		t.Fatal(err)
	}
	ask(nasAddress)
	r.want(Busy, 5)
	for range 3 {
		ask(netip.MustParseAddrPort("192.0.2.10:1024"))
	}
	r.want(Busy, 6)
	close(gate)
	r.working.Wait()
	r.want(Accepted, 8)
	if n := r.Stats().Answering; n != 0 {
		t.Errorf("%d slots are not given back", n)
	}
}

func TestAnswersAreBoundedAndExpire(t *testing.T) {
	a := newAnswers(3, 10*time.Second)
	now := time.Unix(1000, 0)
	admit := func() bool { return true }
	ask := func(id byte, at time.Time) fate {
		e, _, f := a.begin(question{identifier: id}, "branch", [16]byte{id}, at, admit)
		if f == isNew && !a.end(e, []byte{id}, at) {
			t.Error("it was superseded")
		}
		return f
	}
	for id := range byte(5) {
		ask(id, now)
	}
	if a.len() != 3 || len(a.known) != 3 {
		t.Errorf("%d of %d are kept", a.len(), len(a.known))
	}
	if ask(4, now.Add(9*time.Second)) != isAnswered || ask(0, now.Add(9*time.Second)) != isNew {
		t.Error("not the oldest was dropped")
	}
	if ask(4, now.Add(10*time.Second)) != isNew {
		t.Error("an answer outlived its time")
	}
	if _, _, f := a.begin(question{identifier: 99}, "branch", [16]byte{}, now, func() bool { return false }); f != isBusy || a.known[question{identifier: 99}] != nil {
		t.Error("what was not admitted is kept")
	}
}
