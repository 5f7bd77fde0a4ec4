package eap

import (
	"bytes"
	"strings"
	"testing"

	"lnsgate/aaa"
	"lnsgate/aaa/aaatest"
	"lnsgate/aaa/eap/packet"
)

// only offers one method.
func only(list ...Method) func(*Config) { return func(c *Config) { c.Methods = list } }

// md5 answers an MD5-Challenge.
func (p *peer) md5(typed string) {
	p.t.Helper()
	p.asked(packet.MD5Challenge)
	value, _, err := packet.ParseMD5(p.request.Data)
	must(p.t, err)
	p.answer(packet.MD5Challenge, packet.AppendMD5(nil, answererOf(typed).CHAP(p.request.Identifier, value), ""))
}

// chap reads the request as EAP-MSCHAPv2.
func (p *peer) chap() packet.CHAP {
	p.t.Helper()
	p.asked(packet.MSCHAPv2)
	c, err := packet.ParseCHAP(p.request.Data)
	must(p.t, err)
	return c
}

// mschapv2 answers a challenge of MS-CHAPv2, and returns who did.
func (p *peer) mschapv2(typed, name string) (believes func(string) bool) {
	p.t.Helper()
	c, a := p.chap(), answererOf(typed)
	p.answer(packet.MSCHAPv2, packet.CHAP{Op: packet.OpResponse, Identifier: c.Identifier, Value: a.MSCHAPv2(c.Value), Text: name}.Append(nil))
	return a.VerifyMSCHAPv2
}

func TestRFC3748Section5_4_MD5(t *testing.T) {
	r := newRig(t, only(MD5))
	p := r.begin("alice")
	p.md5(password)
	p.in()
	if p.decision.Account != "alice" || !p.decision.Keys.Receive.IsZero() || p.decision.Reply != "" || p.decision.Inner != "" || p.decision.UserName != "" {
		t.Errorf("%+v", p.decision)
	}
	if asked := r.aaa.asked(); len(asked) != 1 || asked[0].Proof.Method != aaa.CHAP || !asked[0].Proof.InEAP || asked[0].Backend != "" || asked[0].Proof.State != nil {
		t.Errorf("%+v", asked)
	}
	p = r.begin("alice")
	p.md5("wrong")
	p.out(aaa.WrongPassword)
}

func TestRFC3748Section4_1_EachRequestHasAnIdentifierOfItsOwn(t *testing.T) {
	r := newRig(t, only(MSCHAPv2, MD5))
	p := r.begin("alice")
	first := p.request.Identifier
	p.nak(byte(packet.MD5Challenge))
	second := p.request.Identifier
	if first == 41 || second == first {
		t.Errorf("%d, %d, %d", 41, first, second)
	}
}

func TestRFC3748Section4_1_AnotherIdentifierIsNoAnswer(t *testing.T) {
	r := newRig(t, only(MD5))
	p := r.begin("alice")
	request := p.raw
	for range mostOdd {
		p.send(packet.Packet{Code: packet.Response, Identifier: p.request.Identifier + 1, Type: packet.MD5Challenge, Data: []byte("\x00")}.Append(nil))
		if !bytes.Equal(p.raw, request) {
			t.Fatalf("% x instead of the same Request % x", p.raw, request)
		}
	}
	p.md5(password) // it is still waited for
	p.in()
	p = r.begin("alice")
	for range mostOdd + 1 {
		p.send([]byte{packet.Response, 0, 0, 5, 4})
	}
	p.out(aaa.MalformedProof)
}

// A Response that comes again is not judged again.
func TestRFC3748Section4_1_TheSameResponseGetsTheSameAnswer(t *testing.T) {
	r := newRig(t, only(MSCHAPv2))
	p := r.begin("alice")
	p.mschapv2(password, "alice")
	before := p.raw
	again := packet.Packet{Code: packet.Response, Identifier: p.request.Identifier - 1}
	for _, q := range r.aaa.asked() {
		again.Type, again.Data = packet.MSCHAPv2, packet.CHAP{Op: packet.OpResponse, Identifier: q.Proof.Identifier, Value: q.Proof.Response, Text: "alice"}.Append(nil)
	}
	p.send(again.Append(nil))
	if !bytes.Equal(p.raw, before) || len(r.aaa.asked()) != 1 {
		t.Errorf("% x instead of % x, %d questions", p.raw, before, len(r.aaa.asked()))
	}
	p.answer(packet.MSCHAPv2, []byte{byte(packet.OpSuccess)})
	p.in()
}

func TestRFC3748Section5_WhatIsNoAnswer(t *testing.T) {
	for name, octets := range map[string]string{
		"a Notification that nobody sent (5.2)":        "\x02\x2a\x00\x05\x02",
		"the identity once more (5.1)":                 "\x02\x2a\x00\x0a\x01alice",
		"another type":                                 "\x02\x2a\x00\x06\x15\x00",
		"an Expanded Nak, to no Expanded type (5.3.2)": "\x02\x2a\x00\x14\xfe\x00\x00\x00\x00\x00\x00\x03\xfe\x00\x00\x00\x00\x00\x00\x04",
		"a Request (4.1)":                              "\x01\x2a\x00\x05\x04",
		"a Success (4.2)":                              "\x03\x2a\x00\x04",
		"a code that there is not":                     "\x09\x2a\x00\x05\x04",
		"too short":                                    "\x02\x2a\x00",
		"shorter than it says":                         "\x02\x2a\x00\x10\x04\x00",
		"an empty MD5-Challenge":                       "\x02\x2a\x00\x05\x04",
	} {
		r := newRig(t, only(MD5))
		p := r.begin("alice")
		request := p.raw
		p.send([]byte(octets))
		if !bytes.Equal(p.raw, request) || len(r.aaa.asked()) != 0 {
			t.Errorf("%s: % x", name, p.raw)
		}
	}
}

func TestRFC3748Section5_3_1_Nak(t *testing.T) {
	r := newRig(t, nil)
	p := r.begin("alice")
	p.asked(packet.TLS)
	p.nak(99, byte(packet.MD5Challenge), byte(packet.MSCHAPv2)) // our order counts, not the peer's
	p.asked(packet.MSCHAPv2)
	p.nak(byte(packet.TLS), byte(packet.MD5Challenge)) // what was offered is not offered again
	p.asked(packet.MD5Challenge)
	p.nak(byte(packet.TLS), byte(packet.PEAP))
	p.asked(packet.PEAP)
	p.nak(byte(packet.TTLS))
	p.asked(packet.TTLS)
	p.nak(byte(packet.MD5Challenge))
	if no := p.out(aaa.MethodNotAllowed); no.Reason != aaa.EAPNoMethod || !strings.Contains(no.Detail, "instead of ttls it wants md5") {
		t.Error(no)
	}
	for _, wishes := range [][]byte{{}, {0}, {43, 254}} {
		p := r.begin("alice")
		p.nak(wishes...)
		p.out(aaa.MethodNotAllowed)
	}
}

func TestRFC3748Section5_3_1_NoNakOnceTheMethodGoesOn(t *testing.T) {
	r := newRig(t, only(MSCHAPv2, MD5))
	p := r.begin("alice")
	p.mschapv2(password, "alice")
	request := p.raw
	p.nak(byte(packet.MD5Challenge))
	if !bytes.Equal(p.raw, request) {
		t.Errorf("% x", p.raw)
	}
}

func TestEAPMSCHAPv2(t *testing.T) {
	r := newRig(t, only(MSCHAPv2))
	p := r.begin("alice")
	believes := p.mschapv2(password, "alice")
	if c := p.chap(); c.Op != packet.OpSuccess || !believes(c.Text) || !strings.HasSuffix(c.Text, " M=OK") {
		t.Fatalf("%+v", c)
	}
	p.answer(packet.MSCHAPv2, []byte{byte(packet.OpSuccess)})
	p.in()
	// The MSK is what the server receives with, what it sends with, and zeros.
	keys := p.decision.Keys
	if a, b := keys.Receive.Reveal(), keys.Send.Reveal(); len(a) != 32 || b != strings.Repeat("\x00", 32) || a[:16] == a[16:] {
		t.Errorf("%x, %x", a, b)
	}
}

// RFC 2759 section 6: the peer hears that it is wrong, and nothing of why, and answers before it is over.
func TestEAPMSCHAPv2Failure(t *testing.T) {
	for cause, answer := range map[aaa.Cause]error{aaa.UnknownUser: &aaa.Rejection{Cause: aaa.UnknownUser}, aaa.AccountDisabled: &aaa.Rejection{Cause: aaa.AccountDisabled, Reply: "E=647 R=1"}} {
		r := newRig(t, only(MSCHAPv2))
		r.fake.Set("alice", aaatest.Answer{Err: answer})
		p := r.begin("alice")
		p.mschapv2(password, "alice")
		if c := p.chap(); c.Op != packet.OpFailure || !strings.HasPrefix(c.Text, "E=691 R=0 C=") || !strings.HasSuffix(c.Text, " V=3 M=Authentication failed") || len(c.Text) != 12+32+28 {
			t.Fatalf("%+v (%d)", c, len(c.Text))
		}
		p.answer(packet.MSCHAPv2, []byte{byte(packet.OpFailure)})
		if no := p.out(cause); no.Reply != "" {
			t.Error(no.Reply)
		}
	}
}

func TestEAPMSCHAPv2OutOfOrder(t *testing.T) {
	r := newRig(t, only(MSCHAPv2))
	p := r.begin("alice")
	request := p.raw
	c := p.chap()
	for name, answer := range map[string]packet.CHAP{
		"success before all":    {Op: packet.OpSuccess, Identifier: c.Identifier},
		"failure before all":    {Op: packet.OpFailure, Identifier: c.Identifier},
		"a challenge":           {Op: packet.OpChallenge, Identifier: c.Identifier, Value: c.Value},
		"another identifier":    {Op: packet.OpResponse, Identifier: c.Identifier + 1, Value: make([]byte, 49)},
		"a value that is short": {Op: packet.OpResponse, Identifier: c.Identifier, Value: make([]byte, 48)},
	} {
		if p.answer(packet.MSCHAPv2, answer.Append(nil)); !bytes.Equal(p.raw, request) {
			t.Errorf("%s: % x", name, p.raw)
		}
	}
	p.mschapv2(password, "alice")
	p.answer(packet.MSCHAPv2, []byte{byte(packet.OpFailure)}) // it does not believe us
	p.out(aaa.MalformedProof)
}

// The name that was hashed is who it is.
func TestEAPMSCHAPv2WhoAnswers(t *testing.T) {
	for _, c := range []struct{ identity, name, want string }{
		{"alice", "alice", "alice"}, {"alice", "", "alice"}, {`SALES\alice`, "alice", `SALES\alice`}, {"alice", `SALES\alice`, "alice"},
		{"anonymous", "alice", "alice"}, {"alice@sales", "alice", "alice"},
	} {
		if got := whoAnswers(c.identity, c.name); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
	r := newRig(t, only(MSCHAPv2))
	p := r.begin("anonymous@dept.example")
	p.mschapv2(password, "alice")
	p.answer(packet.MSCHAPv2, []byte{byte(packet.OpSuccess)})
	p.in()
	if d := p.decision; d.Domain != "default" || d.Inner != "alice" || d.UserName != "alice" {
		t.Errorf("%+v", d)
	}
}

// What nobody could be asked about may be asked again.
func TestNobodyCouldBeAsked(t *testing.T) {
	for _, m := range []Method{MD5, MSCHAPv2} {
		r := newRig(t, only(m))
		r.fake.Set("alice", aaatest.Answer{Err: &aaa.Rejection{Cause: aaa.BackendUnavailable}})
		p := r.begin("alice")
		if m == MD5 {
			p.md5(password)
		} else {
			p.mschapv2(password, "alice")
		}
		if no := p.out(aaa.BackendUnavailable); !no.Retryable() {
			t.Errorf("%s: %v", m, no)
		}
	}
}
