package radiusserver

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"layeh.com/radius"
	"layeh.com/radius/rfc2759"
	"layeh.com/radius/vendors/microsoft"

	"lnsgate/aaa"
	"lnsgate/aaa/aaatest"
	"lnsgate/aaa/radius/dialect"
	"lnsgate/aaa/radius/wire"
	"lnsgate/aaa/secret"
)

// mschapv1 adds an MS-CHAPv1 response to a request.
func mschapv1(t testing.TB, p *radius.Packet, name, typed string) *radius.Packet {
	p.Add(wire.TypeUserName, []byte(name))
	hash, err := secret.NTHashOf(aaa.NewSecret(typed))
	if err != nil {
		t.Fatal(err)
	}
	challenge := []byte("eight oc")
	response := append(make([]byte, 26), rfc2759.ChallengeResponse(challenge, hash[:])...)
	response[0], response[1] = 7, 1
	add(t, p, ms(wire.MSCHAPChallenge, challenge), ms(wire.MSCHAPResponse, response))
	return p
}

func TestEachMethod(t *testing.T) {
	r := newRig(t, nil)
	fresh := func() *radius.Packet { return packet(t, radius.CodeAccessRequest) }
	for name, ask := range map[string]func(typed string) *radius.Packet{
		"PAP":  func(typed string) *radius.Packet { return proven(t, fresh(), aaa.PAP, "alice", typed) },
		"CHAP": func(typed string) *radius.Packet { return proven(t, fresh(), aaa.CHAP, "alice", typed) },
		"CHAP with the authenticator as challenge": func(typed string) *radius.Packet {
			p := fresh()
			p.Add(wire.TypeUserName, []byte("alice"))
			response := secret.NewAnswerer("alice", aaa.NewSecret(typed), [16]byte{}).CHAP(9, p.Authenticator[:])
			p.Add(wire.TypeCHAPPassword, append([]byte{9}, response...))
			return p
		},
		"MS-CHAPv1": func(typed string) *radius.Packet { return mschapv1(t, fresh(), "alice", typed) },
		"MS-CHAPv2": func(typed string) *radius.Packet { return proven(t, fresh(), aaa.MSCHAPv2, "alice", typed) },
	} {
		if reply := r.ask(ask(password)); reply == nil || reply.Code != radius.CodeAccessAccept {
			t.Errorf("%s: %v", name, reply)
		}
		if reply := r.ask(ask("wrong")); reply == nil || reply.Code != radius.CodeAccessReject {
			t.Errorf("%s, wrong: %v", name, reply)
		}
	}
	r.want(Accepted, 5)
	r.want(Rejected, 5)
}

func TestRFC2548Section2_3_MSCHAPv2SuccessAndKeys(t *testing.T) {
	r := newRig(t, nil)
	reply := r.ask(proven(t, packet(t, radius.CodeAccessRequest), aaa.MSCHAPv2, "alice", password))
	success, _ := wire.LookupVendor(reply, wire.Microsoft, wire.MSCHAP2Success)
	answerer := secret.NewAnswerer("alice", aaa.NewSecret(password), [16]byte{0: 0x21, 5: 0x40, 15: 0x5e})
	answerer.MSCHAPv2(aaatest.Challenge())
	if len(success) != 43 || success[0] != 7 || !answerer.VerifyMSCHAPv2(string(success[1:])) {
		t.Errorf("MS-CHAP2-Success %q", success)
	}
	want := secret.Clear(aaa.NewSecret(password)).LinkKeys(aaatest.NewProof(aaa.MSCHAPv2, "alice", password))
	send, receive := microsoft.MSMPPESendKey_Get(reply, reply), microsoft.MSMPPERecvKey_Get(reply, reply)
	if string(send) != want.Send.Reveal() || string(receive) != want.Receive.Reveal() || len(send) != 16 {
		t.Errorf("keys %x %x", send, receive)
	}
	a, _ := wire.LookupVendor(reply, wire.Microsoft, wire.MSMPPESendKey)
	b, _ := wire.LookupVendor(reply, wire.Microsoft, wire.MSMPPERecvKey)
	if a[0]&b[0]&0x80 == 0 || bytes.Equal(a[:2], b[:2]) {
		t.Errorf("salts %x %x", a[:2], b[:2])
	}
	if microsoft.MSMPPEEncryptionPolicy_Get(reply) != 1 || microsoft.MSMPPEEncryptionTypes_Get(reply) != 6 {
		t.Error("policy or types of encryption")
	}

	reply = r.ask(proven(t, packet(t, radius.CodeAccessRequest), aaa.MSCHAPv2, "alice", "wrong"))
	failure, _ := wire.LookupVendor(reply, wire.Microsoft, wire.MSCHAPError)
	if len(failure) == 0 || failure[0] != 7 || !strings.HasPrefix(string(failure[1:]), "E=691 R=0 C=") || !strings.Contains(string(failure), " V=3 M=") {
		t.Errorf("MS-CHAP-Error %q", failure)
	}
}

func TestRFC2548Section2_4_1_KeysOfMSCHAPv1(t *testing.T) {
	r := newRig(t, nil)
	p := mschapv1(t, packet(t, radius.CodeAccessRequest), "alice", password)
	reply := r.ask(p)
	hidden, _ := wire.LookupVendor(reply, wire.Microsoft, wire.MSCHAPMPPEKeys)
	if len(hidden) != 32 {
		t.Fatalf("MS-CHAP-MPPE-Keys of %d octets", len(hidden))
	}
	// What comes back begins with zeroes, which the library takes for the end of a password. So hide zeroes and compare.
	zeroes, err := radius.NewUserPassword(make([]byte, 32), []byte(clientSecret), p.Authenticator[:])
	if err != nil {
		t.Fatal(err)
	}
	hash, _ := secret.NTHashOf(aaa.NewSecret(password))
	hashHash := rfc2759.NTPasswordHash(hash[:])
	var got [16]byte
	for i := range got {
		got[i] = hidden[i] ^ zeroes[i]
	}
	if !bytes.Equal(got[:8], make([]byte, 8)) || !bytes.Equal(got[8:], hashHash[:8]) {
		t.Errorf("%x, want zeroes and then %x", got, hashHash[:8])
	}
}

func TestAProofThatIsNoneIsRejected(t *testing.T) {
	r := newRig(t, nil)
	for name, rows := range map[string][]row{
		"nothing":                   {},
		"two proofs":                {str(2, "0123456789abcdef"), str(3, "01234567890123456")},
		"User-Password too short":   {str(2, "0123456789abcde")},
		"User-Password not of 16":   {str(2, "0123456789abcdef0")},
		"CHAP-Password too short":   {str(3, "0123456789abcdef")},
		"CHAP-Password too long":    {str(3, "0123456789abcdef01")},
		"CHAP with empty challenge": {str(3, "0123456789abcdef0"), str(60, "")},
		"MS-CHAPv2 too short":       {ms(25, make([]byte, 49)), ms(11, make([]byte, 16))},
		"MS-CHAPv2 no challenge":    {ms(25, make([]byte, 50))},
		"MS-CHAPv1 of LAN Manager":  {ms(1, make([]byte, 50)), ms(11, make([]byte, 8))},
		"a change of password":      {ms(27, make([]byte, 68)), ms(11, make([]byte, 16))},
		"EAP of three octets":       {str(79, "\x02\x01\x00")},
	} {
		if reply := r.ask(packet(t, radius.CodeAccessRequest, append(rows, str(1, "alice"))...)); reply == nil || reply.Code != radius.CodeAccessReject {
			t.Errorf("%s: %v", name, reply)
		}
	}
	if reply := r.ask(packet(t, radius.CodeAccessRequest, str(2, "0123456789abcdef"))); reply == nil || reply.Code != radius.CodeAccessReject {
		t.Errorf("without a name: %v", reply)
	}
}

func TestRFC2865Section4_1_TwoProofsAreNone(t *testing.T) {
	r := newRig(t, nil)
	p := login(t, "alice", password)
	proof := aaatest.NewProof(aaa.CHAP, "alice", password)
	add(t, p, row{0, 3, append([]byte{proof.Identifier}, proof.Response...)}, row{0, 60, proof.Challenge})
	if reply := r.ask(p); reply.Code != radius.CodeAccessReject {
		t.Errorf("a right password beside a right response: %s", reply.Code)
	}
}

func TestRFC2865Section5_6_ServicesThatAreNotOurs(t *testing.T) {
	r := newRig(t, nil)
	for service, want := range map[uint32]radius.Code{
		1: radius.CodeAccessReject, 2: radius.CodeAccessAccept, 3: radius.CodeAccessReject, 5: radius.CodeAccessReject, 6: radius.CodeAccessReject,
		7: radius.CodeAccessReject, 8: radius.CodeAccessAccept, 10: radius.CodeAccessAccept, 17: radius.CodeAccessReject, 99: radius.CodeAccessReject,
	} {
		reply := r.ask(login(t, "alice", password, num(6, service), num(7, 1)))
		if reply.Code != want {
			t.Errorf("service %d: %s", service, reply.Code)
		}
		if service != 2 && reply.Get(wire.TypeServiceType) != nil || service == 2 && (len(reply.Get(wire.TypeServiceType)) != 4 || len(reply.Get(wire.TypeFramedProtocol)) != 4) {
			t.Errorf("service %d: the reply has %x", service, reply.Get(wire.TypeServiceType))
		}
	}
}

// TestALoginAtAPortal is asked about as WISPr has it (Best Current Practices, attributes), and MikroTik and CoovaChilli do. A login to the
// equipment has none of what they send.
func TestALoginAtAPortal(t *testing.T) {
	r := newRig(t, nil)
	for name, tc := range map[string]struct {
		also row
		want radius.Code
	}{
		"the user's address":    {addr(8, "192.168.88.10"), radius.CodeAccessAccept},
		"where to log off":      {row{wire.WISPr, 3, []byte("http://192.168.88.1/logout")}, radius.CodeAccessAccept},
		"an address that is no": {str(8, "no"), radius.CodeAccessReject},
		"another vendor":        {row{wire.Cisco, 1, []byte("shell:priv-lvl=15")}, radius.CodeAccessReject},
	} {
		for service, want := range map[uint32]radius.Code{1: tc.want, 6: radius.CodeAccessReject, 7: radius.CodeAccessReject} {
			if reply := r.ask(login(t, "alice", password, num(6, service), tc.also)); reply.Code != want {
				t.Errorf("%s, service %d: %s", name, service, reply.Code)
			}
		}
	}
}

func TestTheRequestThatIsAsked(t *testing.T) {
	asked := &asker{decision: aaa.Decision{Domain: "default"}}
	r := newRig(t, func(c *Config) {
		c.AAA = asked
		c.Clients[0].ForcedDomain, c.Clients[0].DefaultDomain = "forced", "usual"
	})
	r.ask(login(t, `CORP\alice`, password, str(31, "0443"), str(30, "0800"), str(32, "ap-7"), num(12, 1400), addr(4, "198.51.100.1"), str(44, "id1")))
	q := asked.last
	if q.Name != `CORP\alice` || q.Proof.Method != aaa.PAP || q.Proof.Password.Reveal() != password || q.CallingNumber != "0443" || q.CalledNumber != "0800" ||
		q.TunnelName != "ap-7" || q.MTU != 1400 || q.Peer != nasAddress || q.Group != "branch" || q.ForcedDomain != "forced" || q.DefaultDomain != "usual" ||
		q.Attempt != q.Session || !strings.HasPrefix(q.Session, "branch/") || len(q.Session) != len("branch/")+24 {
		t.Errorf("%+v", q)
	}
	first := q.Session
	r.ask(login(t, "alice", password))
	if asked.last.Session == first {
		t.Error("two logins of one session")
	}
}

// asker answers everybody the same.
type asker struct {
	last     *aaa.Request
	decision aaa.Decision
	err      error
	turns    []func(*aaa.Request) (aaa.Decision, error)
}

func (a *asker) Authenticate(_ context.Context, r *aaa.Request) (aaa.Decision, error) {
	a.last = r
	if len(a.turns) > 0 {
		turn := a.turns[0]
		a.turns = a.turns[1:]
		return turn(r)
	}
	return a.decision, a.err
}

func (a *asker) Authorize(context.Context, *aaa.Request) (aaa.Decision, error) {
	return aaa.Decision{}, errors.New("not asked here")
}

func TestWhatIsGrantedIsSaidInTheWordsOfTheEquipment(t *testing.T) {
	asked := &asker{decision: aaa.Decision{Account: "alice", Domain: "default", RateUp: 1e6, RateDown: 2e6, Pools: []string{"staff"}, SessionTimeout: time.Hour,
		Class: [][]byte{[]byte("upstream")}, Message: "welcome"}}
	for equipment, want := range map[dialect.Equipment]row{
		dialect.Mikrotik: {wire.Mikrotik, wire.MikrotikRateLimit, []byte("1M/2M")},
		dialect.WISPr:    {wire.WISPr, wire.WISPrBandwidthMaxUp, []byte("\x00\x0f\x42\x40")},
		dialect.Huawei:   {wire.Huawei, wire.HuaweiFramedPool, []byte("staff")},
		dialect.Cisco:    {wire.Cisco, wire.CiscoAVPair, []byte("ip:addr-pool=staff")},
	} {
		r := newRig(t, func(c *Config) { c.AAA, c.Clients[0].Equipment = asked, equipment })
		reply := r.ask(login(t, "alice", password))
		if got, _ := wire.LookupVendor(reply, want.vendor, want.kind); !bytes.Equal(got, want.value) {
			t.Errorf("%s: %q", equipment, got)
		}
		classes := wire.All(reply, wire.TypeClass)
		if len(classes) != 2 || string(classes[1]) != "upstream" {
			t.Errorf("%s: classes %q", equipment, classes)
		}
		m, ok := decodeMark(classes[0])
		if !ok || m.session != asked.last.Session || m.account != "alice" && m.account != "" || m.domain != "default" || m.method != aaa.PAP {
			t.Errorf("mark %+v", m)
		}
		if string(reply.Get(wire.TypeReplyMessage)) != "welcome" {
			t.Error("no message")
		}
	}
}

func TestWhatCannotBeSaidIsRefused(t *testing.T) {
	for name, d := range map[string]aaa.Decision{
		"a filter for accel-ppp":  {Filter: "guests"},
		"a pool that is too long": {Pools: []string{strings.Repeat("x", 300)}},
		"more than a packet":      {Message: strings.Repeat(strings.Repeat("x", 250)+"\n", 20)},
	} {
		asked := &asker{decision: d}
		r := newRig(t, func(c *Config) { c.AAA, c.Clients[0].Equipment = asked, dialect.Accel })
		if reply := r.ask(login(t, "alice", password)); reply == nil || reply.Code != radius.CodeAccessReject {
			t.Errorf("%s: %v", name, reply)
		}
		if got := r.records.withdrawn; len(got) != 1 || got[0] != asked.last.Session {
			t.Errorf("%s: withdrawn are %q", name, got)
		}
	}
}

// A NAS that was told yes asks anew, and what is granted now cannot be said: the session that it was told of stays.
func TestASessionThatWasToldOfIsNotWithdrawn(t *testing.T) {
	asked := &asker{decision: aaa.Decision{Account: "alice"}}
	r := newRig(t, func(c *Config) { c.AAA = asked })
	r.ask(login(t, "alice", password, str(44, "0001")))
	first := asked.last.Session
	asked.decision.Message = strings.Repeat(strings.Repeat("x", 250)+"\n", 20)
	for id, known := range map[string]bool{"0001": true, "0002": false} {
		if reply := r.ask(login(t, "alice", password, str(44, id))); reply.Code != radius.CodeAccessReject || (asked.last.Session == first) != known {
			t.Errorf("%s: %v for %q, the first is %q", id, reply.Code, asked.last.Session, first)
		}
		if got := slices.Contains(r.records.withdrawn, asked.last.Session); got == known {
			t.Errorf("%s: withdrawn are %q", id, r.records.withdrawn)
		}
	}
}

func TestSecretsAreNotLogged(t *testing.T) {
	var said bytes.Buffer
	r := newRig(t, func(c *Config) {
		c.Log = slog.New(slog.NewTextHandler(&said, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	for _, typed := range []string{password, "hunter2"} {
		r.ask(login(t, "alice", typed))
		r.ask(proven(t, packet(t, radius.CodeAccessRequest), aaa.MSCHAPv2, "alice", typed))
	}
	fmt.Fprintf(&said, "%+v %#v", r.config, r.config.Clients)
	if text := said.String(); strings.Contains(text, password) || strings.Contains(text, "hunter2") || strings.Contains(text, clientSecret) || !strings.Contains(text, "wrong password") {
		t.Errorf("%s", text)
	}
}

func TestAttemptsAreKept(t *testing.T) {
	kept := &attempts{}
	r := newRig(t, func(c *Config) { c.Attempts = kept })
	r.ask(login(t, "alice", password))
	r.ask(login(t, "alice@sales", "wrong"))
	if len(kept.all) != 2 || !kept.all[0].OK || kept.all[0].Account != "alice" || kept.all[0].Node != "branch" || kept.all[1].OK ||
		kept.all[1].Domain != "sales" || !strings.Contains(kept.all[1].Verdict, "not allowed") {
		t.Errorf("%+v", kept.all)
	}
}

type attempts struct{ all []aaa.Attempt }

func (a *attempts) Log(one aaa.Attempt) { a.all = append(a.all, one) }

// An EAP conversation of two turns, as the interface for EAP has it.
func TestRFC3579Section2_1_EAPConversation(t *testing.T) {
	lead := &asker{}
	success := []byte{3, 9, 0, 4}
	long := append([]byte{1, 8, 2, 88}, bytes.Repeat([]byte("x"), 596)...)
	lead.turns = []func(*aaa.Request) (aaa.Decision, error){
		func(*aaa.Request) (aaa.Decision, error) {
			return aaa.Decision{}, &aaa.Challenge{Packet: long, State: []byte("inner"), Backend: "eap", Timeout: 30 * time.Second}
		},
		func(q *aaa.Request) (aaa.Decision, error) {
			if string(q.Proof.State) != "inner" || q.Backend != "eap" || len(q.Proof.EAP) != 600 {
				t.Errorf("second turn: %+v", q)
			}
			return aaa.Decision{Packet: success, Message: "not beside EAP",
				Keys: aaa.Keys{Send: aaa.NewSecret(strings.Repeat("s", 32)), Receive: aaa.NewSecret(strings.Repeat("r", 32))}}, nil
		},
	}
	r := newRig(t, func(c *Config) { c.EAP = lead })
	identity := []row{str(1, "alice"), str(79, "\x02\x07\x00\x0a\x01alice")}
	reply := r.ask(packet(t, radius.CodeAccessRequest, identity...))
	if reply.Code != radius.CodeAccessChallenge || !bytes.Equal(eapOf(reply), long) || len(wire.All(reply, wire.TypeEAPMessage)) != 3 || len(reply.Get(wire.TypeState)) != 16 ||
		!bytes.Equal(reply.Get(wire.TypeSessionTimeout), []byte{0, 0, 0, 30}) {
		t.Fatalf("%v", reply)
	}
	session, state := lead.last.Session, reply.Get(wire.TypeState)
	answer := packet(t, radius.CodeAccessRequest, str(1, "alice"), row{0, 24, state})
	peers := append([]byte{2, 8, 2, 88}, bytes.Repeat([]byte("y"), 596)...)
	addEAP(answer, peers)
	reply = r.ask(answer)
	if reply.Code != radius.CodeAccessAccept || !bytes.Equal(eapOf(reply), success) || reply.Get(wire.TypeReplyMessage) != nil || lead.last.Session != session {
		t.Fatalf("%v", reply)
	}
	if string(microsoft.MSMPPESendKey_Get(reply, reply)) != strings.Repeat("s", 32) || string(microsoft.MSMPPERecvKey_Get(reply, reply)) != strings.Repeat("r", 32) {
		t.Error("keys")
	}
	// The State serves once.
	again := r.ask(packet(t, radius.CodeAccessRequest, str(1, "alice"), row{0, 24, state}, str(79, "\x02\x08\x00\x04")))
	if again.Code != radius.CodeAccessReject || hex.EncodeToString(eapOf(again)) != "04080004" {
		t.Errorf("%v", again)
	}
}

// A NAS that does not ask for the identity itself has the server do it; its User-Name may be missing, or be anything.
func TestRFC3579Section2_1_EAPStart(t *testing.T) {
	for name, rows := range map[string][]row{
		"nothing is known":  {str(31, "00-11-22-33-44-55")},
		"a number":          {str(1, "00-11-22-33-44-55")},
		"no empty name":     {str(1, "")},
		"a State of before": {str(1, "alice"), str(24, "no longer")},
		"two attributes":    {str(79, "")},
	} {
		lead := &asker{turns: []func(*aaa.Request) (aaa.Decision, error){func(q *aaa.Request) (aaa.Decision, error) {
			if q.Name != "alice" || len(q.Proof.State) > 0 || string(q.Proof.EAP[5:]) != "alice" {
				t.Errorf("%s: %+v", name, q)
			}
			return aaa.Decision{}, &aaa.Challenge{Packet: []byte{1, 8, 0, 6, 4, 0}, State: []byte("inner"), Backend: "eap"}
		}}}
		r := newRig(t, func(c *Config) { c.EAP = lead })
		start := packet(t, radius.CodeAccessRequest, append(rows, str(79, ""))...)
		octets, box := octetsOf(t, start), newMailbox()
		r.put(forAccess, octets, nasAddress, box)
		reply := r.read(octets, box)
		if reply == nil || reply.Code != radius.CodeAccessChallenge {
			t.Fatalf("%s: %v", name, reply)
		}
		asked := eapOf(reply)
		if len(asked) != 5 || asked[0] != 1 || asked[3] != 5 || asked[4] != 1 || lead.last != nil || r.conversations.len() != 0 {
			t.Errorf("%s: asked %x, somebody was asked: %v", name, asked, lead.last)
		}
		identity := append([]byte{2, asked[1], 0, 10, 1}, "alice"...)
		reply = r.ask(packet(t, radius.CodeAccessRequest, str(1, "alice"), row{0, 79, identity}))
		if reply == nil || reply.Code != radius.CodeAccessChallenge || len(reply.Get(wire.TypeState)) == 0 {
			t.Errorf("%s: the identity gets %v", name, reply)
		}
	}
	r := newRig(t, nil)
	for name, p := range map[string]*radius.Packet{
		"a password beside it": login(t, "alice", password, str(79, "")),
		"an administrator":     packet(t, radius.CodeAccessRequest, str(79, ""), num(wire.TypeServiceType, 6)),
	} {
		if reply := r.ask(p); reply == nil || reply.Code != radius.CodeAccessReject {
			t.Errorf("%s: %v", name, reply)
		}
	}
	if r.ask(packet(t, radius.CodeAccessRequest, str(79, ""), unsignedRequest)) != nil {
		t.Error("one that is not signed is answered")
	}
}

func TestAConversationIsNobodyElses(t *testing.T) {
	c := newConversations()
	now := time.Unix(1000, 0)
	open := func() []byte { return c.wait(&conversation{client: "branch", name: "alice"}, now) }
	for name, resume := range map[string]func(state []byte) *conversation{
		"another client": func(s []byte) *conversation { return c.resume(s, "other", "alice", now) },
		"another name":   func(s []byte) *conversation { return c.resume(s, "branch", "bob", now) },
		"too late":       func(s []byte) *conversation { return c.resume(s, "branch", "alice", now.Add(longestTurn)) },
		"another state":  func(s []byte) *conversation { return c.resume(s[1:], "branch", "alice", now) },
	} {
		if resume(open()) != nil {
			t.Errorf("%s goes on with it", name)
		}
	}
	s := open()
	if c.resume(s, "branch", "alice", now) == nil || c.resume(s, "branch", "alice", now) != nil {
		t.Error("it does not serve exactly once")
	}
	for range mostConversations + 10 {
		open()
	}
	if n := c.len(); n > mostConversations {
		t.Errorf("%d conversations", n)
	}
	c.wait(&conversation{}, now.Add(time.Hour))
	if n := c.len(); n != 1 {
		t.Errorf("%d conversations outlived their time", n-1)
	}
}

func TestReloadReplacesClientsAndWhoIsAsked(t *testing.T) {
	r := newRig(t, nil)
	r.ask(login(t, "alice", password))
	bad := []Client{{Name: "x", Source: netip.MustParsePrefix("192.0.2.9/32")}}
	if err := r.Reload(bad, r.config.AAA, nil); err == nil || !strings.Contains(err.Error(), "secret") {
		t.Errorf("%v", err)
	}
	clients := []Client{{Name: "branch", Source: netip.MustParsePrefix("192.0.2.9/32"), Secret: aaa.NewSecret(clientSecret)}}
	if err := r.Reload(clients, &asker{err: &aaa.Rejection{Cause: aaa.UnknownUser}}, nil); err != nil {
		t.Fatal(err)
	}
	if reply := r.ask(login(t, "alice", password)); reply.Code != radius.CodeAccessReject {
		t.Errorf("%s", reply.Code)
	}
	if got := r.Stats().Clients["branch"]; got[Accepted] != 1 || got[Rejected] != 1 {
		t.Errorf("counters of a client that stays: %v", named(got))
	}
}

func TestEveryFaultOfAConfigurationIsTold(t *testing.T) {
	_, err := Listen(Config{Accounting: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")}, Clients: []Client{
		{}, {Name: "a"}, {Name: "b", Source: netip.MustParsePrefix("10.0.0.0/8"), Secret: aaa.NewSecret("x")},
		{Name: "b", Source: netip.MustParsePrefix("10.1.0.0/8")}, {Name: "c", Source: netip.MustParsePrefix("10.2.0.0/8"), Secret: aaa.NewSecret("x")},
		{Name: "d", Source: netip.MustParsePrefix("11.0.0.0/8")},
	}})
	for _, want := range []string{"nobody to ask", "nobody takes them", "has no name", "has no source", `two clients named "b"`, `"b" and "c" have the same source 10.0.0.0/8`, `"d" has no secret`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in %v", want, err)
		}
	}
	if _, err := Listen(Config{AAA: &asker{}}); err == nil || !strings.Contains(err.Error(), "no address") {
		t.Errorf("%v", err)
	}
}
