package radiusserver

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"testing"
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
	table := newClientTable(clients, nil, 1)
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
		for _, state := range wire.All(reply, wire.TypeProxyState) {
			got = append(got, string(state))
		}
		if !slices.Equal(got, []string{"first", "\x00second", "first"}) {
			t.Errorf("%s: %q", reply.Code, got)
		}
	}
	reply := r.ask(packet(t, radius.CodeAccountingRequest, str(33, "p"), num(40, 1), str(44, "s")))
	if len(wire.All(reply, wire.TypeProxyState)) != 1 {
		t.Errorf("%v", reply.Attributes)
	}
}

func TestRFC5997Section3_StatusServer(t *testing.T) {
	r := newRig(t, nil)
	for role, want := range map[role]radius.Code{forAccess: radius.CodeAccessAccept, forRecords: radius.CodeAccountingResponse} {
		octets, box := octetsOf(t, packet(t, radius.CodeStatusServer)), newMailbox()
		r.put(role, octets, nasAddress, box)
		reply := r.read(octets, box)
		if reply == nil || reply.Code != want || reply.Get(wire.TypeMessageAuth) == nil {
			t.Errorf("%v: %v", role, reply)
		}
	}
	r.want(Status, 2)
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
	if string(reply.Get(wire.TypeReplyMessage)) != long {
		t.Errorf("who signs is told %q", reply.Get(wire.TypeReplyMessage))
	}
}
