package radius

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"

	"layeh.com/radius"

	"lnsgate/aaa"
	"lnsgate/aaa/radius/wire"
)

// nasQuery is a login of alice@sales at another NAS.
func nasQuery(t testing.TB, proof aaa.Proof) *aaa.Query {
	t.Helper()
	id, err := aaa.ParseIdentity("alice@sales")
	if err != nil {
		t.Fatal(err)
	}
	return &aaa.Query{Identity: id, Domain: "sales", Request: &aaa.Request{
		Session: "branch/0123", Name: "alice@sales", Proof: proof, Peer: netip.MustParseAddrPort("198.51.100.7:1645"), TunnelName: "ap-7",
		CallingNumber: "02-00-5E-00-53-01", CalledNumber: "02-00-5E-00-53-99:staff", MTU: 1400,
		NAS: &aaa.NAS{
			Name: "branch/ap-7", Client: "branch", Address: netip.MustParseAddr("198.51.100.7"), Identifier: "ap-7",
			Session: "81", Port: 17, PortID: "wlan1", PortType: 15,
		},
	}}
}

func mschapV1() aaa.Proof {
	return aaa.Proof{Method: aaa.MSCHAPv1, Identifier: 7, Challenge: []byte("8 octets"),
		Response: append(append(bytes.Repeat([]byte{'L'}, 24), bytes.Repeat([]byte{'N'}, 24)...), 1)}
}

func own(c *Config) { c.NAS = NAS{Identifier: "lns1", Address: netip.MustParseAddr("192.0.2.1")} }

func TestARequestOfAnotherNASIsThatOfThisNAS(t *testing.T) {
	want := map[radius.Type]string{
		wire.TypeNASIdentifier: "|ap-7", wire.TypeNASIPAddress: "|\xc6\x33\x64\x07", wire.TypeAcctSessionID: "|branch/0123", wire.TypeNASPort: "|" + num(17),
		wire.TypeNASPortID: "|wlan1", wire.TypeNASPortType: "|" + num(15), wire.TypeServiceType: "|" + num(2), wire.TypeFramedProtocol: "|" + num(1),
		wire.TypeCallingStationID: "|02-00-5E-00-53-01", wire.TypeCalledStationID: "|02-00-5E-00-53-99:staff", wire.TypeFramedMTU: "|" + num(1400),
		wire.TypeConnectInfo: "", wire.TypeTunnelType: "", wire.TypeTunnelClientEndpoint: "", wire.TypeTunnelClientAuthID: "", wire.TypeTunnelAssignmentID: "",
	}
	check := func(change func(*aaa.Request), differs map[radius.Type]string) {
		t.Helper()
		q := nasQuery(t, pap("secret"))
		if change != nil {
			change(q.Request)
		}
		got := texts(ask(t, q, own))
		for kind, text := range want {
			if other, there := differs[kind]; there {
				text = other
			}
			if got[kind] != text {
				t.Errorf("attribute %d is %q, not %q", kind, got[kind], text)
			}
		}
	}
	check(nil, nil)
	check(func(r *aaa.Request) { r.AuthenticateOnly = true }, map[radius.Type]string{wire.TypeServiceType: "|" + num(8), wire.TypeFramedProtocol: ""})
	check(func(r *aaa.Request) { r.NAS.PortType = 19 }, map[radius.Type]string{wire.TypeNASPortType: "|" + num(19), wire.TypeFramedProtocol: ""})
	check(func(r *aaa.Request) {
		r.NAS.Identifier, r.NAS.Port, r.NAS.PortID, r.NAS.PortType = "", 0, "", 0
		r.CallingNumber, r.CalledNumber, r.NAS.Address = "", "", netip.MustParseAddr("2001:db8::7")
	}, map[radius.Type]string{
		wire.TypeNASIdentifier: "|branch/ap-7", wire.TypeNASIPAddress: "", wire.TypeNASPort: "", wire.TypeNASPortID: "", wire.TypeNASPortType: "",
		wire.TypeCallingStationID: "", wire.TypeCalledStationID: "",
	})
}

// What is said of a session at its login is said of it in its records, or the server cannot put the two together.
func TestARecordOfAnotherNASIsOfTheSessionThatLoggedIn(t *testing.T) {
	q := nasQuery(t, pap("secret"))
	asked := texts(ask(t, q, own))
	group := answers(radius.CodeAccountingResponse, nil)
	r, err := NewRecorder(RecorderConfig{Group: group, NAS: NAS{Identifier: "lns1", Address: netip.MustParseAddr("192.0.2.1")}})
	if err != nil {
		t.Fatal(err)
	}
	record := aaa.Record{Kind: aaa.RecordStart, Session: q.Request.Session, Name: q.Request.Name, NAS: q.Request.NAS, Domain: "sales",
		CallingNumber: q.Request.CallingNumber, CalledNumber: q.Request.CalledNumber, Address: netip.MustParseAddr("10.1.2.3"),
		Class: [][]byte{[]byte("one"), []byte("two")}, Peer: q.Request.Peer, TunnelName: "ap-7"}
	if err := r.Write(t.Context(), []aaa.Record{record}); err != nil {
		t.Fatal(err)
	}
	told := texts(group.last())
	for _, kind := range []radius.Type{wire.TypeUserName, wire.TypeNASIdentifier, wire.TypeNASIPAddress, wire.TypeAcctSessionID, wire.TypeNASPort, wire.TypeNASPortID, wire.TypeNASPortType,
		wire.TypeServiceType, wire.TypeFramedProtocol, wire.TypeCallingStationID, wire.TypeCalledStationID, wire.TypeTunnelType, wire.TypeTunnelClientEndpoint} {
		if asked[kind] != told[kind] {
			t.Errorf("attribute %d is %q in the request and %q in the record", kind, asked[kind], told[kind])
		}
	}
	if told[wire.TypeClass] != "|one|two" || told[wire.TypeFramedIPAddress] != "|\x0a\x01\x02\x03" {
		t.Errorf("%v", told)
	}
}

func TestTheNameOfEAPIsThatOfItsRecords(t *testing.T) {
	for method, want := range map[aaa.Method]string{aaa.EAP: "alice@sales", aaa.PAP: "alice"} {
		if got := WithoutDomain.recordName(&aaa.Record{Name: "alice@sales", Method: method}); got != want {
			t.Errorf("%s: %q", method, got)
		}
	}
}

func TestRFC2548Section2_1_3_MSCHAPv1IsSent(t *testing.T) {
	p := ask(t, nasQuery(t, mschapV1()), nil)
	challenge, _ := wire.LookupVendor(p, wire.Microsoft, wire.MSCHAPChallenge)
	response, _ := wire.LookupVendor(p, wire.Microsoft, wire.MSCHAPResponse)
	if string(challenge) != "8 octets" || string(response) != "\x07\x01"+strings.Repeat("L", 24)+strings.Repeat("N", 24) {
		t.Errorf("%q %q", challenge, response)
	}
	if _, there := wire.LookupVendor(p, wire.Microsoft, wire.MSCHAP2Response); there {
		t.Error("it is version 2 as well")
	}
	for _, broken := range []func(*aaa.Proof){
		func(p *aaa.Proof) { p.Challenge = p.Challenge[:7] },
		func(p *aaa.Proof) { p.Response = p.Response[:48] },
		func(p *aaa.Proof) { p.Response = append(p.Response, 0) },
	} {
		proof := mschapV1()
		broken(&proof)
		_, err := newBackend(t, answers(radius.CodeAccessAccept, nil), nil).Authenticate(t.Context(), nasQuery(t, proof))
		rejection(t, err, aaa.MalformedProof)
	}
}

func TestMSCHAPv1FailureIsRelayed(t *testing.T) {
	failure := "E=648 R=0"
	b := newBackend(t, answers(radius.CodeAccessReject, func(p *radius.Packet) {
		vendor(p, wire.MSCHAPError, "\x07"+failure)
		p.Add(wire.TypeReplyMessage, []byte("no"))
	}), nil)
	_, err := b.Authenticate(t.Context(), nasQuery(t, mschapV1()))
	if r := rejection(t, err, aaa.Refused); r.Reply != failure {
		t.Errorf("%q", r.Reply)
	}
}

// ntKey has a zero in it, and begins behind eight others: nothing may take it for the end.
const ntKey = "\x00key with a \x00 in"

func hide(t testing.TB, p *radius.Packet, clear string) string {
	t.Helper()
	hidden, err := radius.NewUserPassword([]byte(clear), p.Secret, p.Authenticator[:])
	if err != nil {
		t.Fatal(err)
	}
	return string(hidden)
}

func salted(t testing.TB, p *radius.Packet, clear string) string {
	t.Helper()
	hidden, err := radius.NewTunnelPassword([]byte(clear), []byte{0x80, byte(len(clear))}, p.Secret, p.Authenticator[:])
	if err != nil {
		t.Fatal(err)
	}
	return string(hidden)
}

func TestRFC2548Section2_4_KeysPassThroughToTheNAS(t *testing.T) {
	group := answers(radius.CodeAccessAccept, func(p *radius.Packet) {
		vendor(p, wire.MSCHAPMPPEKeys, hide(t, p, strings.Repeat("l", 8)+ntKey+strings.Repeat("\x00", 8)))
		vendor(p, wire.MSMPPESendKey, salted(t, p, "sixteen to send."))
		vendor(p, wire.MSMPPERecvKey, salted(t, p, strings.Repeat("thirty-two octets", 2)[:32]))
		vendor(p, wire.MSMPPEEncryptionPolicy, "\x00\x00\x00\x02")
		vendor(p, wire.MSMPPEEncryptionTypes, "\x00\x00\x00\x04")
		vendor(p, wire.MSPrimaryDNSServer, "\x0a\x00\x00\x35")
	})
	b := newBackend(t, group, nil)
	g, err := b.Authenticate(t.Context(), nasQuery(t, mschapV1()))
	if err != nil {
		t.Fatal(err)
	}
	k := g.Keys
	if k.NT.Reveal() != ntKey || k.Send.Reveal() != "sixteen to send." || k.Receive.Reveal() != strings.Repeat("thirty-two octets", 2)[:32] || !k.Required || !k.Strong {
		t.Errorf("%q %q %q %+v", k.NT.Reveal(), k.Send.Reveal(), k.Receive.Reveal(), k)
	}
	if g.DNS[0] != netip.MustParseAddr("10.0.0.53") {
		t.Errorf("what stands beside the keys is lost: %+v", g)
	}
	_, err = b.Authenticate(t.Context(), query(t, "alice", pap("secret"))) // our own links have no MPPE
	rejection(t, err, aaa.Misconfigured)
}

// Several attributes of Microsoft may share one Vendor-Specific. That the policy is ours to pass on takes nothing from the others.
func TestAPolicyAmongOthersTakesNothingAway(t *testing.T) {
	group := answers(radius.CodeAccessAccept, func(p *radius.Packet) {
		p.Add(wire.TypeVendorSpecific, []byte("\x00\x00\x01\x37\x07\x06\x00\x00\x00\x02\x1c\x06\x0a\x00\x00\x35"))
	})
	g, err := newBackend(t, group, nil).Authenticate(t.Context(), nasQuery(t, pap("secret")))
	if err != nil || g.DNS[0] != netip.MustParseAddr("10.0.0.53") || !g.Keys.Required {
		t.Errorf("%v %+v", err, g)
	}
}

func TestKeysThatCannotBeReadAreANo(t *testing.T) {
	for name, add := range map[string]func(*radius.Packet){
		"NT too short": func(p *radius.Packet) { vendor(p, wire.MSCHAPMPPEKeys, hide(t, p, "short")) },
		"only send":    func(p *radius.Packet) { vendor(p, wire.MSMPPESendKey, salted(t, p, "sixteen to send.")) },
		"no salt":      func(p *radius.Packet) { vendor(p, wire.MSMPPESendKey, strings.Repeat("x", 18)) },
		"cut":          func(p *radius.Packet) { vendor(p, wire.MSMPPERecvKey, salted(t, p, "sixteen to send.")[:20]) },
		"empty":        func(p *radius.Packet) { vendor(p, wire.MSMPPERecvKey, salted(t, p, "")) },
	} {
		group := answers(radius.CodeAccessAccept, add)
		_, err := newBackend(t, group, nil).Authenticate(t.Context(), nasQuery(t, pap("secret")))
		if r := rejection(t, err, aaa.Misconfigured); !strings.Contains(r.Detail, "server one") {
			t.Errorf("%s: %s", name, r.Detail)
		}
		if _, err := newBackend(t, group, nil).Authenticate(t.Context(), query(t, "alice", pap("secret"))); err != nil {
			t.Errorf("%s: a login on our own link does not need keys: %v", name, err)
		}
	}
}

// The name that we have for the user stays between us and the server: the NAS goes on with what was typed.
func TestTheNASKeepsItsNameOfTheUser(t *testing.T) {
	group := answers(radius.CodeAccessAccept, nil)
	g, err := newBackend(t, group, func(c *Config) { c.Names = WithoutDomain }).Authenticate(t.Context(), nasQuery(t, pap("secret")))
	if err != nil || g.UserName != "" || string(group.last().Get(wire.TypeUserName)) != "alice" {
		t.Errorf("%v %q %q", err, g.UserName, group.last().Get(wire.TypeUserName))
	}
}
