package authenticate

import (
	"bytes"
	"reflect"
	"testing"

	"lnsgate/aaa"
	"lnsgate/lns/ppp"
)

func TestAChallengeThatDoesNotFitEndsThePhaseAtOnce(t *testing.T) {
	for _, cfg := range []Config{
		{Protocol: aaa.CHAP}, {Protocol: aaa.CHAP, Challenge: make([]byte, 256)},
		{Protocol: aaa.MSCHAPv2, Challenge: make([]byte, 15)}, {Protocol: aaa.MSCHAPv2, Challenge: make([]byte, 17)},
		{Protocol: aaa.MethodNone}, {Protocol: 99},
	} {
		a := authenticator{NewAuthenticator(cfg), t}
		if out := a.start(); !reflect.DeepEqual(out, Out{Done: &Done{Reason: Unusable}}) {
			t.Errorf("%+v: %+v", cfg, out)
		}
	}
}

func TestRFC2661Section4_4_5_AnAnswerTheLACCollectedIsAdopted(t *testing.T) {
	for _, test := range []struct {
		method    aaa.Method
		collected Collected
		ok        bool
	}{
		{aaa.CHAP, Collected{Name: "bob", Identifier: 7, Challenge: []byte("any length"), Response: make([]byte, 16)}, true},
		{aaa.CHAP, Collected{Name: "bob", Identifier: 7, Challenge: []byte("any length"), Response: make([]byte, 15)}, false},
		{aaa.CHAP, Collected{Name: "bob", Identifier: 7, Response: make([]byte, 16)}, false},
		{aaa.CHAP, Collected{Identifier: 7, Challenge: testChallenge, Response: make([]byte, 16)}, false},
		{aaa.MSCHAPv2, Collected{Name: "bob", Identifier: 7, Challenge: testChallenge, Response: make([]byte, 49)}, true},
		{aaa.MSCHAPv2, Collected{Name: "bob", Identifier: 7, Challenge: []byte("short"), Response: make([]byte, 49)}, false},
		{aaa.PAP, Collected{Name: "bob", Identifier: 7, Response: []byte("pw")}, true},
		{aaa.EAP, Collected{Name: "bob", Identifier: 7, Challenge: testChallenge, Response: make([]byte, 16)}, false},
	} {
		a := newAuthenticator(t, test.method)
		var out Out
		if ok := a.Adopt(test.collected, t0, &out); ok != test.ok || (out.Ask != nil) != ok || len(out.Frames) != 0 {
			t.Errorf("%s %+v: %v, %+v", test.method, test.collected, ok, out)
			continue
		}
		if !test.ok {
			if test.method != aaa.EAP && describe(a.start()) == "done" {
				t.Errorf("%s: Start fails after a refused Adopt", test.method)
			}
			continue
		}
		if test.method != aaa.PAP && (out.Ask.Proof.Identifier != 7 || !bytes.Equal(out.Ask.Proof.Challenge, test.collected.Challenge)) {
			t.Errorf("%s: asks %+v", test.method, out.Ask)
		}
		if p := only(t, a.resolve(Result{OK: true, Reply: testReply})); p.Identifier != 7 {
			t.Errorf("%s: the verdict carries identifier %d", test.method, p.Identifier)
		}
		if out := a.receive(answer(test.method, 7)); describe(out) != "frame" {
			t.Errorf("%s: a repeat gets %+v", test.method, out)
		}
	}
}

func FuzzAuthenticator(f *testing.F) {
	for i, m := range methods {
		f.Add(uint8(i), answer(m, 42).Packet, answer(m, 42).Packet, true)
		f.Add(uint8(i), answer(m, 42).Packet[:9], []byte{}, false)
	}
	f.Fuzz(func(t *testing.T, which uint8, first, second []byte, ok bool) {
		m := methods[int(which)%len(methods)]
		a := newAuthenticator(t, m)
		outs := []Out{
			a.start(), a.receive(ppp.Frame{Protocol: protocolOf(m), Packet: first}), a.receive(ppp.Frame{Protocol: protocolOf(m), Packet: second}),
			a.resolve(Result{OK: ok, Reply: testReply}), a.receive(ppp.Frame{Protocol: protocolOf(m), Packet: second}), a.advance(at(100)),
		}
		asks, dones := 0, 0
		for _, out := range outs {
			asks += bit(out.Ask != nil)
			dones += bit(out.Done != nil)
			if out.Done != nil && out.Done.OK && (asks != 1 || !ok) {
				t.Fatal("it let someone in without asking")
			}
			for _, f := range out.Frames {
				if _, err := ppp.ParsePacket(f.Packet); err != nil {
					t.Fatalf("it sends %x: %v", f.Packet, err)
				}
			}
		}
		if asks > 1 || dones != 1 {
			t.Fatalf("%d Asks, %d Dones", asks, dones)
		}
	})
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}
