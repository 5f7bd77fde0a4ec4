package radiusserver

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"layeh.com/radius"

	"lnsgate/aaa"
	"lnsgate/aaa/aaatest"
	"lnsgate/aaa/radius/wire"
)

func TestAStrangerGetsNothingAndCostsNothing(t *testing.T) {
	r := newRig(t, nil)
	octets, box := octetsOf(t, login(t, "alice", password)), newMailbox()
	d := datagram{octets: octets, from: netip.MustParseAddrPort("192.0.2.10:1024"), out: box}
	ctx, now := context.Background(), time.Now()
	if n := testing.AllocsPerRun(100, func() { r.take(ctx, d, now) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if len(box.all()) != 0 || len(r.backend.Calls()) != 0 {
		t.Error("it was answered, or somebody was asked")
	}
	r.want(Stranger, 101)
}

func TestTheLongestPrefixWins(t *testing.T) {
	prefixes := []string{"192.0.2.0/24", "192.0.2.9/32", "0.0.0.0/0", "192.0.0.0/16", "2001:db8::/32", "2001:db8::1/128"}
	var clients []Client
	for _, p := range prefixes {
		clients = append(clients, Client{Name: p, Source: netip.MustParsePrefix(p), Secret: aaa.NewSecret("x")})
	}
	table := newClientTable(clients, nil)
	for source, want := range map[string]string{
		"192.0.2.9": "192.0.2.9/32", "192.0.2.8": "192.0.2.0/24", "192.0.3.1": "192.0.0.0/16", "10.0.0.1": "0.0.0.0/0", "::ffff:192.0.2.9": "192.0.2.9/32",
		"2001:db8::1": "2001:db8::1/128", "2001:db8::2": "2001:db8::/32", "2001:db9::1": "", "fe80::1%eth0": "",
	} {
		got := ""
		if c := table.find(netip.MustParseAddr(source)); c != nil {
			got = c.Name
		}
		if got != want {
			t.Errorf("%s: %q, want %q", source, got, want)
		}
	}
}

func TestARequestCutAnywhereIsDropped(t *testing.T) {
	r := newRig(t, nil)
	for _, p := range []*radius.Packet{login(t, "alice", password), packet(t, radius.CodeAccountingRequest, str(44, "s"), num(40, 1)), packet(t, radius.CodeStatusServer)} {
		octets := octetsOf(t, p)
		for n := range octets {
			box := newMailbox()
			for _, role := range []role{forAccess, forRecords} {
				r.put(role, octets[:n], nasAddress, box)
			}
			if len(box.all()) != 0 {
				t.Errorf("%s of %d octets, cut to %d, was answered", p.Code, len(octets), n)
			}
		}
	}
	if got := r.Stats().Total; got[Accepted]+got[Recorded]+got[Status] != 0 || got[Malformed] == 0 {
		t.Errorf("%v", named(got))
	}
}

func TestRFC2865Section3_OctetsBeyondTheLengthArePadding(t *testing.T) {
	r := newRig(t, nil)
	octets, box := octetsOf(t, login(t, "alice", password)), newMailbox()
	r.put(forAccess, append(octets, "padding"...), nasAddress, box)
	if reply := r.read(octets, box); reply == nil || reply.Code != radius.CodeAccessAccept {
		t.Errorf("%v", reply)
	}
}

func TestWhatIsDroppedIsCountedByReason(t *testing.T) {
	unsignedPAP := func() []byte { return octetsOf(t, login(t, "alice", password, unsignedRequest)) }
	broken := func() []byte {
		b := octetsOf(t, login(t, "alice", password))
		b[25] ^= 1 // in the Message-Authenticator
		return b
	}
	for name, tc := range map[string]struct {
		policy Policy
		role   role
		octets []byte
		want   Outcome
	}{
		"a code of the other port":          {Auto, forRecords, octetsOf(t, login(t, "alice", password)), WrongCode},
		"accounting at the other port":      {Auto, forAccess, octetsOf(t, packet(t, radius.CodeAccountingRequest, str(44, "s"), num(40, 1))), WrongCode},
		"a reply":                           {Auto, forAccess, append([]byte{2}, unsignedPAP()[1:]...), WrongCode},
		"a Disconnect":                      {Auto, forAccess, octetsOf(t, packet(t, radius.CodeDisconnectRequest, str(44, "s"))), WrongCode},
		"a wrong Message-Authenticator":     {Off, forAccess, broken(), Forged},
		"accounting without a session":      {Auto, forRecords, octetsOf(t, packet(t, radius.CodeAccountingRequest, num(40, 1))), Malformed},
		"accounting without a status":       {Auto, forRecords, octetsOf(t, packet(t, radius.CodeAccountingRequest, str(44, "s"))), Malformed},
		"unsigned where it must be signed":  {Require, forAccess, unsignedPAP(), Unsigned},
		"unsigned EAP":                      {Off, forAccess, octetsOf(t, packet(t, radius.CodeAccessRequest, str(1, "alice"), str(79, "\x02\x01\x00\x05\x01"), unsignedRequest)), Unsigned},
		"an unsigned Status-Server":         {Off, forAccess, octetsOf(t, packet(t, radius.CodeStatusServer, unsignedRequest)), Unsigned},
		"unsigned through a proxy":          {Auto, forAccess, octetsOf(t, login(t, "alice", password, unsignedRequest, str(33, "p"))), UnsignedProxy},
		"unsigned through a proxy, if off":  {Off, forAccess, octetsOf(t, login(t, "alice", password, unsignedRequest, str(33, "p"))), UnsignedProxy},
		"neither signed nor with a proof":   {Off, forAccess, octetsOf(t, packet(t, radius.CodeAccessRequest, str(1, "alice"), unsignedRequest)), Unproven},
		"unsigned, with another's VSA only": {Off, forAccess, octetsOf(t, packet(t, radius.CodeAccessRequest, str(1, "alice"), row{wire.Cisco, 1, []byte("x=y")}, unsignedRequest)), Unproven},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, func(c *Config) { c.Clients[0].MessageAuthenticator = tc.policy })
			box := newMailbox()
			r.put(tc.role, tc.octets, nasAddress, box)
			if len(box.all()) != 0 || len(r.backend.Calls()) != 0 {
				t.Error("it was answered, or somebody was asked")
			}
			r.want(tc.want, 1)
			if got := r.Stats().Clients["branch"]; got[tc.want] != 1 {
				t.Errorf("of the client: %v", named(got))
			}
			if r.Stats().Remembered != 0 || len(r.answers.known) != 0 {
				t.Error("it is remembered")
			}
		})
	}
}

func TestForgedAccountingIsDropped(t *testing.T) {
	r := newRig(t, nil)
	octets, box := octetsOf(t, packet(t, radius.CodeAccountingRequest, str(44, "s"), num(40, 1))), newMailbox()
	for i := 4; i < len(octets); i++ {
		octets[i] ^= 0x80
		r.put(forRecords, octets, nasAddress, box)
		octets[i] ^= 0x80
	}
	if len(box.all()) != 0 || len(r.records.taken) != 0 {
		t.Errorf("%d answers, %d records", len(box.all()), len(r.records.taken))
	}
	r.put(forRecords, octets, nasAddress, box)
	r.want(Recorded, 1)
}

func TestAutoPinsWhoSigns(t *testing.T) {
	file := t.TempDir() + "/signing.json"
	build := func() *rig {
		return newRig(t, func(c *Config) {
			c.StateFile = file
			c.Clients[0].Source = netip.MustParsePrefix("192.0.2.0/24")
		})
	}
	r := build()
	if reply := r.ask(login(t, "alice", password, unsignedRequest)); reply == nil || reply.Code != radius.CodeAccessAccept {
		t.Fatalf("before: %v", reply)
	}
	r.ask(packet(t, radius.CodeAccessRequest, str(1, "alice"), str(79, "\x02\x01\x00\x0a\x01alice"))) // EAP is always signed and shows nothing
	r.ask(packet(t, radius.CodeStatusServer))
	if r.Stats().Signing != 0 {
		t.Error("EAP or Status-Server pinned")
	}
	r.ask(login(t, "alice", password))
	if reply := r.ask(login(t, "alice", password, unsignedRequest)); reply != nil {
		t.Error("an unsigned request was answered after a signed one")
	}
	r.want(Unsigned, 1)
	r = build() // after a restart
	if reply := r.ask(login(t, "alice", password, unsignedRequest)); reply != nil || r.Stats().Signing != 1 {
		t.Error("the pin was forgotten")
	}
	other, box := octetsOf(t, login(t, "alice", password, unsignedRequest)), newMailbox()
	r.put(forAccess, other, netip.MustParseAddrPort("192.0.2.77:1024"), box)
	if reply := r.read(other, box); reply == nil {
		t.Error("another NAS of the same network has to sign")
	}
}

func TestAFileOfPinsThatCannotBeReadIsAnError(t *testing.T) {
	path := t.TempDir() + "/signing.json"
	p, err := newPins(path)
	if err != nil {
		t.Fatal(err)
	}
	p.known[netip.MustParseAddr("192.0.2.1")] = true
	p.path = path + "/nowhere/file"
	if p.save() == nil {
		t.Error("it was saved in no folder")
	}
	p.path = path
	if err := p.save(); err != nil {
		t.Fatal(err)
	}
	if p, err := newPins(path); err != nil || !p.signs(netip.MustParseAddr("::ffff:192.0.2.1")) || p.add(netip.MustParseAddr("192.0.2.1")) {
		t.Errorf("%v", err)
	}
	for _, folder := range []string{t.TempDir()} {
		if _, err := newPins(folder); err == nil {
			t.Error("a folder was read")
		}
	}
}

func TestRFC2865Section5_33_ProxyStateComesBackInOrder(t *testing.T) {
	r := newRig(t, nil)
	for _, typed := range []string{password, "wrong"} {
		reply := r.ask(login(t, "alice", typed, str(33, "first"), str(33, "\x00second"), str(33, "first")))
		var got []string
		for _, state := range all(reply, typeProxyState) {
			got = append(got, string(state))
		}
		if !slices.Equal(got, []string{"first", "\x00second", "first"}) {
			t.Errorf("%s: %q", reply.Code, got)
		}
	}
	reply := r.ask(packet(t, radius.CodeAccountingRequest, str(33, "p"), num(40, 1), str(44, "s")))
	if len(all(reply, typeProxyState)) != 1 {
		t.Errorf("%v", reply.Attributes)
	}
}

func TestRFC5997Section3_StatusServer(t *testing.T) {
	r := newRig(t, nil)
	for role, want := range map[role]radius.Code{forAccess: radius.CodeAccessAccept, forRecords: radius.CodeAccountingResponse} {
		octets, box := octetsOf(t, packet(t, radius.CodeStatusServer)), newMailbox()
		r.put(role, octets, nasAddress, box)
		reply := r.read(octets, box)
		if reply == nil || reply.Code != want || reply.Get(typeMessageAuth) == nil {
			t.Errorf("%v: %v", role, reply)
		}
	}
	r.want(Status, 2)
}

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

func TestAnswersAreBoundedAndExpire(t *testing.T) {
	a := newAnswers(3, 10*time.Second)
	now := time.Unix(1000, 0)
	admit := func() bool { return true }
	ask := func(id byte, at time.Time) fate {
		e, _, f := a.begin(question{identifier: id}, [16]byte{id}, at, admit)
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
	if _, _, f := a.begin(question{identifier: 99}, [16]byte{}, now, func() bool { return false }); f != isBusy || a.known[question{identifier: 99}] != nil {
		t.Error("what was not admitted is kept")
	}
}

// A no takes as long whatever the reason, and holds no worker.
func TestRejectsAreDelayedAndLookTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(c *Config) { c.RejectDelay, c.AtOnce = 0, 1 })
		r.backend.Set("slow", aaatest.Answer{Err: &aaa.Rejection{Cause: aaa.AccountDisabled}, Wait: after(300 * time.Millisecond)}) // asked first
		r.backend.Set("disabled", aaatest.Answer{Err: &aaa.Rejection{Cause: aaa.AccountDisabled}})
		ctx, stop := context.WithCancel(context.Background())
		ended := make(chan struct{})
		go func() { r.delays.run(ctx); close(ended) }()
		lengths := map[int]bool{}
		for _, p := range []*radius.Packet{
			login(t, "slow", password), login(t, "alice", "wrong"), login(t, "nobody", password), login(t, "disabled", password), login(t, "bob@nowhere", password),
			login(t, "bad name", password), login(t, "bob@sales", password), login(t, "alice", password, num(typeServiceType, 6)), packet(t, radius.CodeAccessRequest, str(1, "alice")),
		} {
			octets, box, began := octetsOf(t, p), newMailbox(), time.Now()
			r.put(forAccess, octets, nasAddress, box)
			if r.Stats().Answering != 0 || r.Stats().Delayed != 1 {
				t.Errorf("%d are being answered, %d wait", r.Stats().Answering, r.Stats().Delayed)
			}
			r.put(forAccess, octets, nasAddress, box) // a duplicate inside of the delay
			<-box.came
			reply := r.read(octets, box)
			if reply.Code != radius.CodeAccessReject {
				t.Errorf("%s for %q", reply.Code, p.Get(1))
			}
			if took := box.at[0].Sub(began); took < time.Second || took > 1100*time.Millisecond {
				t.Errorf("%q was told no after %v", p.Get(1), took)
			}
			lengths[len(box.all()[0])] = true
		}
		if len(lengths) != 1 {
			t.Errorf("no's differ in length: %v", lengths)
		}
		r.want(Pending, 9)
		stop()
		<-ended
	})
}

func after(d time.Duration) <-chan struct{} {
	c := make(chan struct{})
	time.AfterFunc(d, func() { close(c) })
	return c
}

func TestDelaysComeInTheirOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDelays()
		ctx, stop := context.WithCancel(context.Background())
		ended := make(chan struct{})
		go func() { d.run(ctx); close(ended) }()
		var got []string
		began := time.Now()
		for _, seconds := range []int{3, 1, 4, 2, 1000} {
			synctest.Wait() // run has set its timer for those before
			d.add(began.Add(time.Duration(seconds)*time.Second), func() { got = append(got, fmt.Sprint(seconds, " after ", time.Since(began))) })
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if want := []string{"1 after 1s", "2 after 2s", "3 after 3s", "4 after 4s"}; !slices.Equal(got, want) || d.len() != 1 {
			t.Errorf("%q", got)
		}
		stop()
		<-ended
	})
}

func TestTheServerIsNoAmplifier(t *testing.T) {
	r := newRig(t, nil)
	long := strings.Repeat("go away ", 25)
	r.backend.SetOther(aaatest.Answer{Err: &aaa.Rejection{Cause: aaa.Refused, Reply: long}})
	v2 := proven(t, packet(t, radius.CodeAccessRequest, unsignedRequest), aaa.MSCHAPv2, "m", "x")
	for _, p := range []*radius.Packet{
		login(t, "m", "x", unsignedRequest), proven(t, packet(t, radius.CodeAccessRequest, unsignedRequest), aaa.CHAP, "m", "x"), v2,
		packet(t, radius.CodeAccessRequest, str(3, ""), unsignedRequest), packet(t, radius.CodeAccessRequest, str(3, "x"), unsignedRequest),
		packet(t, radius.CodeAccessRequest, str(2, ""), unsignedRequest), packet(t, radius.CodeAccessRequest, ms(1, nil), unsignedRequest),
	} {
		octets, box := octetsOf(t, p), newMailbox()
		r.put(forAccess, octets, nasAddress, box)
		for _, reply := range box.all() {
			if len(reply) > len(octets) {
				t.Errorf("%d octets of reply to %d octets of an unsigned request", len(reply), len(octets))
			}
		}
	}
	reply := r.ask(login(t, "mallory", "x"))
	if string(reply.Get(typeReplyMessage)) != long {
		t.Errorf("who signs is told %q", reply.Get(typeReplyMessage))
	}
}
