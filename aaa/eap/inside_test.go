package eap

import (
	"crypto/tls"
	"strings"
	"testing"

	"lnsgate/aaa"
	"lnsgate/aaa/aaatest"
	"lnsgate/aaa/eap/packet"
)

// peap begins PEAP and says inside who it is. It returns what is asked then.
func (r *rig) peap(identity string) (*device, string) {
	r.t.Helper()
	d := r.begin("anonymous").connect(packet.PEAP, nil)
	if first := d.say(nil); first != "\x01" {
		r.t.Fatalf("%q", first)
	}
	return d, d.say(append([]byte{byte(packet.Identity)}, identity...))
}

// chapInside answers an EAP-MSCHAPv2 challenge without a header.
func chapInside(t *testing.T, request, typed string) []byte {
	t.Helper()
	c, err := packet.ParseCHAP([]byte(request[1:]))
	must(t, err)
	if request[0] != byte(packet.MSCHAPv2) || c.Op != packet.OpChallenge {
		t.Fatalf("%q", request)
	}
	return packet.CHAP{Op: packet.OpResponse, Identifier: c.Identifier, Value: answererOf(typed).MSCHAPv2(c.Value), Text: "alice"}.Append([]byte{byte(packet.MSCHAPv2)})
}

func result(code byte, value uint16) []byte {
	return packet.Packet{Code: code, Identifier: 9, Type: packet.Extensions, Data: packet.AppendResult(nil, value)}.Append(nil)
}

func TestPEAPv0(t *testing.T) {
	r := newRig(t, only(PEAP))
	d, request := r.peap("alice")
	success := d.say(chapInside(t, request, password))
	if len(success) < 2 || success[:2] != "\x1a\x03" {
		t.Fatalf("%q", success)
	}
	end, err := packet.Parse([]byte(d.say([]byte{byte(packet.MSCHAPv2), byte(packet.OpSuccess)})))
	if got, e := packet.ParseResult(end.Data); err != nil || e != nil || end.Code != packet.Request || end.Type != packet.Extensions || got != packet.ResultSuccess {
		t.Fatalf("%+v, %v, %v", end, err, e)
	}
	d.say(result(packet.Response, packet.ResultSuccess))
	d.sameKeys(labelTLS, nil)
	if d.decision.Inner != "alice" || d.decision.UserName != "alice" || d.decision.Account != "alice" {
		t.Errorf("%+v", d.decision)
	}
}

func TestPEAPv0WrongPassword(t *testing.T) {
	r := newRig(t, only(PEAP))
	d, request := r.peap("alice")
	if failure := d.say(chapInside(t, request, "sesame")); failure[:2] != "\x1a\x04" {
		t.Fatalf("%q", failure)
	}
	end, _ := packet.Parse([]byte(d.say([]byte{byte(packet.MSCHAPv2), byte(packet.OpFailure)})))
	if got, err := packet.ParseResult(end.Data); err != nil || got != packet.ResultFailure {
		t.Fatalf("%+v", end)
	}
	d.say(result(packet.Response, packet.ResultSuccess)) // whatever it says
	d.out(aaa.WrongPassword)
}

// A peer that does not agree is not let in.
func TestPEAPv0BothSidesAgree(t *testing.T) {
	for name, answer := range map[string][]byte{
		"no":             result(packet.Response, packet.ResultFailure),
		"nothing":        {},
		"no result":      packet.Packet{Code: packet.Response, Identifier: 9, Type: packet.Extensions}.Append(nil),
		"a cut result":   packet.Packet{Code: packet.Response, Identifier: 9, Type: packet.Extensions, Data: []byte{0x80, 3, 0, 2, 0}}.Append(nil),
		"something else": {byte(packet.MSCHAPv2), 3},
		"a Request":      result(packet.Request, packet.ResultSuccess),
		"a Nak":          packet.Packet{Code: packet.Response, Identifier: 9, Type: packet.Nak, Data: []byte{0}}.Append(nil),
	} {
		r := newRig(t, only(PEAP))
		d, request := r.peap("alice")
		d.say(chapInside(t, request, password))
		d.say([]byte{byte(packet.MSCHAPv2), byte(packet.OpSuccess)})
		if len(answer) == 0 {
			answer = nil
		}
		d.say(answer)
		if no := d.out(aaa.MalformedProof); no.Detail != "peap: the peer does not agree that it is let in" {
			t.Errorf("%s: %v", name, no)
		}
	}
}

// There are peers that write headers inside.
func TestPEAPv0WithHeaders(t *testing.T) {
	r := newRig(t, only(PEAP))
	d := r.begin("anonymous").connect(packet.PEAP, nil)
	d.say(nil)
	request := d.say(packet.Packet{Code: packet.Response, Identifier: 7, Type: packet.Identity, Data: []byte("alice")}.Append(nil))
	if d.say(packet.Packet{Code: packet.Response, Identifier: 8, Type: packet.Nak, Data: []byte{byte(packet.GTC)}}.Append(nil)); request[0] != byte(packet.MSCHAPv2) {
		t.Fatalf("%q", request)
	}
	d.say(append([]byte{byte(packet.GTC)}, password...))
	d.say(result(packet.Response, packet.ResultSuccess))
	d.in()
	if asked := r.aaa.asked(); len(asked) != 1 || asked[0].Proof.Method != aaa.PAP || !asked[0].Proof.InEAP {
		t.Errorf("%+v", asked)
	}
}

func TestPEAPv0WhatIsNoIdentity(t *testing.T) {
	for name, plain := range map[string]string{"a Nak": "\x03\x06", "a type of zero": "\x00", "MS-CHAPv2": "\x1a\x02\x01"} {
		r := newRig(t, only(PEAP))
		d := r.begin("anonymous").connect(packet.PEAP, nil)
		d.say(nil)
		d.say([]byte(plain))
		if d.out(aaa.MalformedProof); len(r.aaa.asked()) != 0 {
			t.Error(name)
		}
	}
}

// Only version 0 is offered; a peer may not raise it.
func TestVersionsOfPEAPAndTTLS(t *testing.T) {
	for _, m := range []Method{PEAP, TTLS} {
		r := newRig(t, only(m))
		p := r.begin("alice")
		f, err := packet.ParseFragment(p.request.Data)
		if err != nil || !f.Start || f.Version != 0 || len(p.request.Data) != 1 {
			t.Errorf("%s: %+v, %v", m, f, err)
		}
		p.answer(p.request.Type, fragment(packet.Fragment{Version: 1, Data: []byte("\x16\x03\x01")}))
		p.out(aaa.MalformedProof)
	}
}

// PEAP and TTLS are spoken in TLS 1.2, whatever else the peer has.
func TestTunnelsAreTLS12(t *testing.T) {
	for m, kind := range map[Method]packet.Type{PEAP: packet.PEAP, TTLS: packet.TTLS} {
		d := newRig(t, only(m)).begin("alice").connect(kind, nil)
		if v := d.tls.conn.ConnectionState().Version; v != tls.VersionTLS12 {
			t.Errorf("%s: %x", m, v)
		}
	}
}

func TestPEAPNobodyCouldBeAsked(t *testing.T) {
	r := newRig(t, only(PEAP))
	r.fake.Set("alice", aaatest.Answer{Err: &aaa.Rejection{Cause: aaa.BackendUnavailable}})
	d, request := r.peap("alice")
	d.say(chapInside(t, request, password))
	d.out(aaa.BackendUnavailable)
}

// avps are what a peer says inside of TTLS.
func avps(list ...packet.AVP) (b []byte) {
	for _, a := range list {
		a.Mandatory = a.Code < 250
		b = a.Append(b)
	}
	return b
}

func avp(code uint32, data string) packet.AVP { return packet.AVP{Code: code, Data: []byte(data)} }
func ms(code uint32, data []byte) packet.AVP {
	return packet.AVP{Code: code, Vendor: packet.VendorMicrosoft, Data: data}
}

func (r *rig) ttls() *device {
	r.t.Helper()
	return r.begin("anonymous").connect(packet.TTLS, nil)
}

func TestRFC5281Section11_2_5_PAP(t *testing.T) {
	r := newRig(t, only(TTLS))
	d := r.ttls()
	d.say(avps(avp(avpUserName, "alice"), avp(avpUserPassword, password+"\x00\x00\x00\x00\x00\x00\x00"), avp(999, "of no importance")))
	d.sameKeys(labelTTLS, nil)
	d = r.ttls()
	d.say(avps(avp(avpUserName, "alice"), avp(avpUserPassword, "sesame")))
	if no := d.out(aaa.WrongPassword); !strings.Contains(no.Detail, `"alice"`) { // outside it is anonymous
		t.Errorf("the administrator does not learn who: %q", no.Detail)
	}
}

func TestRFC5281Section11_2_4_MSCHAPv2(t *testing.T) {
	r := newRig(t, only(TTLS))
	d := r.ttls()
	challenge, err := d.tls.export(labelChallenge, nil, 17)
	must(t, err)
	a := answererOf(password)
	value := a.MSCHAPv2(challenge[:16])
	list, err := packet.ParseAVPs([]byte(d.say(avps(avp(avpUserName, "alice"), ms(avpMSCHAPChallenge, challenge[:16]),
		ms(avpMSCHAP2Response, append([]byte{challenge[16], 0}, value[:48]...))))))
	if err != nil || len(list) != 1 || list[0].Code != avpMSCHAP2Success || list[0].Vendor != packet.VendorMicrosoft || list[0].Data[0] != challenge[16] ||
		!a.VerifyMSCHAPv2(string(list[0].Data[1:])) {
		t.Fatalf("%+v, %v", list, err)
	}
	d.say(nil)
	d.sameKeys(labelTTLS, nil)
}

// A challenge is of one tunnel: what was heard elsewhere proves nothing.
func TestRFC5281Section11_1_TheChallengeOfAnotherTunnel(t *testing.T) {
	r := newRig(t, only(TTLS))
	for name, own := range map[string]func([]byte) (challenge []byte, id byte){
		"another challenge":  func(c []byte) ([]byte, byte) { return make([]byte, 16), c[16] },
		"another identifier": func(c []byte) ([]byte, byte) { return c[:16], c[16] + 1 },
		"a cut challenge":    func(c []byte) ([]byte, byte) { return c[:15], c[16] },
	} {
		d := r.ttls()
		c, err := d.tls.export(labelChallenge, nil, 17)
		must(t, err)
		challenge, id := own(c)
		response := answererOf(password).CHAP(id, challenge)
		d.say(avps(avp(avpUserName, "alice"), packet.AVP{Code: avpCHAPChallenge, Data: challenge}, packet.AVP{Code: avpCHAPPassword, Data: append([]byte{id}, response...)}))
		if no := d.out(aaa.MalformedProof); len(r.aaa.asked()) != 0 {
			t.Errorf("%s: %v", name, no)
		}
	}
}

func TestRFC5281Section10_1_WhatIsRefusedInside(t *testing.T) {
	pap := avps(avp(avpUserName, "alice"), avp(avpUserPassword, password))
	for name, plain := range map[string][]byte{
		"an unknown AVP that must be known":   avps(avp(avpUserName, "alice"), avp(avpUserPassword, password), avp(200, "?")),
		"an unknown vendor's":                 append(packet.AVP{Code: 1, Vendor: 9, Mandatory: true}.Append(nil), pap...),
		"two passwords":                       avps(avp(avpUserName, "alice"), avp(avpUserPassword, password), avp(avpUserPassword, password)),
		"two names":                           avps(avp(avpUserName, "alice"), avp(avpUserName, "bob"), avp(avpUserPassword, password)),
		"two proofs":                          avps(avp(avpUserName, "alice"), avp(avpUserPassword, password), avp(avpCHAPPassword, "12345678901234567")),
		"no name":                             avps(avp(avpUserPassword, password)),
		"no proof":                            avps(avp(avpUserName, "alice")),
		"a short CHAP response":               avps(avp(avpUserName, "alice"), avp(avpCHAPPassword, "1234567890123456")),
		"a short MS-CHAP response":            avps(avp(avpUserName, "alice"), ms(avpMSCHAPResponse, make([]byte, 49))),
		"a short MS-CHAPv2 response":          avps(avp(avpUserName, "alice"), ms(avpMSCHAP2Response, make([]byte, 51))),
		"no AVPs":                             pap[:len(pap)-9],
		"EAP that is none":                    avps(avp(avpEAPMessage, "\x02\x00\x00\x09\x01")),
		"EAP that is not the peer's identity": avps(avp(avpEAPMessage, "\x02\x00\x00\x06\x03\x04")),
	} {
		r := newRig(t, only(TTLS))
		d := r.ttls()
		d.say(plain)
		if no := d.out(aaa.MalformedProof); len(r.aaa.asked()) != 0 {
			t.Errorf("%s: %v", name, no)
		}
	}
}

// RFC 5281 section 11.2.1: EAP inside has its headers, and may come in parts.
func TestRFC5281Section11_2_1_EAP(t *testing.T) {
	r := newRig(t, only(TTLS))
	d := r.ttls()
	identity := string(packet.Packet{Code: packet.Response, Type: packet.Identity, Data: []byte("alice")}.Append(nil))
	ask := func(plain []byte) packet.Packet {
		list, err := packet.ParseAVPs([]byte(d.say(plain)))
		if err != nil || len(list) != 1 || list[0].Code != avpEAPMessage || !list[0].Mandatory {
			t.Fatalf("%+v, %v, %v", list, err, d.err)
		}
		p, err := packet.Parse(list[0].Data)
		must(t, err)
		return p
	}
	p := ask(avps(avp(avpEAPMessage, identity[:4]), avp(avpEAPMessage, identity[4:])))
	nak := packet.Packet{Code: packet.Response, Identifier: p.Identifier, Type: packet.Nak, Data: []byte{byte(packet.MD5Challenge)}}
	p = ask(avps(avp(avpEAPMessage, string(nak.Append(nil)))))
	value, _, err := packet.ParseMD5(p.Data)
	must(t, err)
	response := packet.Packet{Code: packet.Response, Identifier: p.Identifier, Type: p.Type, Data: packet.AppendMD5(nil, answererOf(password).CHAP(p.Identifier, value), "")}
	d.say(avps(avp(avpEAPMessage, string(response.Append(nil)))))
	d.sameKeys(labelTTLS, nil)
}

// Nobody proves the name outside: it must not choose the domain, and with it pool, filter and limits, of an account that has none.
func TestTheNameOutsideChoosesNoDomain(t *testing.T) {
	for _, outside := range []string{"anonymous@dept.example", "@dept.example", `DEPT.EXAMPLE\anonymous`, "alice@dept.example"} {
		for _, own := range []aaa.Request{{}, {DefaultDomain: "other"}, {ForcedDomain: "other"}} { // of the NAS they count as ever
			own.Name = outside
			if got := inside(&own, "alice"); got.DefaultDomain != own.DefaultDomain || got.ForcedDomain != own.ForcedDomain || got.Name != "alice" {
				t.Errorf("%s: %+v", outside, got)
			}
		}
		r := newRig(t, only(TTLS))
		d := r.begin(outside).connect(packet.TTLS, nil)
		d.say(avps(avp(avpUserName, "alice"), avp(avpUserPassword, password)))
		if d.in(); d.decision.Domain != "default" {
			t.Errorf("%s: alice is in domain %s", outside, d.decision.Domain)
		}
	}
}
