package ppp

import (
	"bytes"
	"testing"
)

func FuzzParseFrame(f *testing.F) {
	f.Add([]byte{0xff, 0x03, 0xc0, 0x21, 1, 1, 0, 4})
	f.Add([]byte{0x21, 0x45})
	f.Add([]byte{0x80})
	f.Fuzz(func(t *testing.T, b []byte) {
		p, packet, err := ParseFrame(b)
		if err != nil {
			return
		}
		if !p.Valid() && p >= 0x100 {
			t.Fatalf("protocol %v", p)
		}
		for _, framing := range []Framing{{}, {PFC: true}, {ACFC: true}, {PFC: true, ACFC: true}} {
			again := append(AppendFrameHeader(nil, p, framing), packet...)
			// A packet whose first octets look like address and control is told
			// apart by nothing; it takes protocol 0xff, which nobody uses.
			if p == 0xff {
				continue
			}
			q, rest, err := ParseFrame(again)
			if q != p || !bytes.Equal(rest, packet) || err != nil {
				t.Fatalf("%v %+v: read back as %v, %v", p, framing, q, err)
			}
		}
	})
}

func FuzzParsePacket(f *testing.F) {
	f.Add([]byte{1, 1, 0, 10, 5, 6, 1, 2, 3, 4})
	f.Add([]byte{9, 1, 0, 8, 0, 0, 0, 0, 0xaa})
	f.Add([]byte{1, 1, 0, 3})
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := ParsePacket(b)
		if err != nil {
			return
		}
		wire := p.Append(nil)
		if !bytes.Equal(wire, b[:len(wire)]) {
			t.Fatalf("% x written as % x", b, wire)
		}
		_ = CodeName(LCP, p.Code)
	})
}

func FuzzOptions(f *testing.F) {
	f.Add([]byte{1, 4, 5, 0xdc, 5, 6, 1, 2, 3, 4, 7, 2, 8, 2})
	f.Add([]byte{3, 6, 10, 10, 1, 10, 129, 6, 0, 0, 0, 0})
	f.Add([]byte{3, 5, 0xc2, 0x23, 0x81, 1, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		list := Options(b)
		var again []byte
		for o := range list.All() {
			again = o.Append(again)
			o.MRU()
			o.Magic()
			o.ACCM()
			o.Authentication()
			o.Address()
			o.InterfaceID()
			if !list.Contains(o) {
				t.Fatalf("option %d is not in its own list", o.Type)
			}
		}
		if !bytes.Equal(again, b[:len(again)]) {
			t.Fatalf("% x written as % x", b, again)
		}
		if (list.Check() == nil) != (len(again) == len(b)) {
			t.Fatalf("% x: Check says %v, the walk went to %d", b, list.Check(), len(again))
		}
	})
}

// FuzzAuthenticationPackets covers PAP, CHAP and EAP: what can be read is
// written the same again.
func FuzzAuthenticationPackets(f *testing.F) {
	f.Add(PAPRequest{Name: []byte("u"), Password: []byte("p")}.Append(nil))
	f.Add(CHAPValue{Value: []byte("0123456789abcdef"), Name: []byte("n")}.Append(nil))
	f.Add(EAPPacket{Code: EAPRequest, Type: EAPIdentity}.Append(nil))
	f.Add(AppendPAPMessage(nil, "no"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if r, err := ParsePAPRequest(b); err == nil && !bytes.HasPrefix(b, r.Append(nil)) {
			t.Fatalf("PAP request % x", b)
		}
		if m, err := ParsePAPMessage(b); err == nil && len(b) > 0 && !bytes.HasPrefix(b, AppendPAPMessage(nil, string(m))) {
			t.Fatalf("PAP message % x", b)
		}
		if v, err := ParseCHAPValue(b); err == nil && !bytes.Equal(b, v.Append(nil)) {
			t.Fatalf("CHAP value % x", b)
		}
		e, err := ParseEAP(b)
		if err != nil {
			return
		}
		again, err := ParseEAP(e.Append(nil))
		if err != nil || again.Code != e.Code || again.Identifier != e.Identifier || again.Type != e.Type || !bytes.Equal(again.Data, e.Data) {
			t.Fatalf("EAP % x: %+v %v", b, again, err)
		}
	})
}
