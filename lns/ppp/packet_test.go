package ppp

import (
	"bytes"
	"errors"
	"testing"
)

func TestRFC1661Section5_PacketIsCutToItsLength(t *testing.T) {
	b := []byte{1, 7, 0, 6, 'a', 'b', 'p', 'a', 'd'}
	p, err := ParsePacket(b)
	if err != nil || p.Code != ConfigureRequest || p.Identifier != 7 || string(p.Data) != "ab" {
		t.Fatalf("%+v %v", p, err)
	}
	if cap(p.Data) != 2 {
		t.Error("an append to the data would write into the padding")
	}
	if got := p.Append(nil); !bytes.Equal(got, b[:6]) {
		t.Errorf("written % x", got)
	}
}

func TestRFC1661Section5_WrongLengths(t *testing.T) {
	for _, c := range []struct {
		in  []byte
		err error
	}{
		{nil, ErrTruncated},
		{[]byte{1, 1, 0}, ErrTruncated},
		{[]byte{1, 1, 0, 3}, ErrLength},
		{[]byte{1, 1, 0, 0, 0}, ErrLength},
		{[]byte{1, 1, 0, 6, 0}, ErrLength},
		{[]byte{1, 1, 0xff, 0xff, 0}, ErrLength},
		{[]byte{1, 1, 0, 4}, nil},
	} {
		if _, err := ParsePacket(c.in); !errors.Is(err, c.err) {
			t.Errorf("% x: %v, want %v", c.in, err, c.err)
		}
	}
}

func TestPacketCutAtEveryOctet(t *testing.T) {
	whole := Packet{Code: EchoRequest, Identifier: 3, Data: []byte("0123456789")}.Append(nil)
	for n := range len(whole) {
		if _, err := ParsePacket(whole[:n]); err == nil {
			t.Errorf("%d of %d octets were taken", n, len(whole))
		}
	}
}

func TestPacketThatIsTooLong(t *testing.T) {
	b := Packet{Code: EchoReply, Data: make([]byte, 70000)}.Append(nil)
	p, err := ParsePacket(b)
	if err != nil || len(b) != 0xffff || len(p.Data) != 0xffff-HeaderSize {
		t.Errorf("%d octets, data %d, %v", len(b), len(p.Data), err)
	}
}

func TestCodeNames(t *testing.T) {
	for _, c := range []struct {
		p    Protocol
		code Code
		want string
	}{
		{LCP, ConfigureRequest, "Configure-Request"},
		{LCP, TimeRemaining, "Time-Remaining"},
		{IPCP, ConfigureNak, "Configure-Nak"},
		{PAP, 2, "Authenticate-Ack"},
		{CHAP, 2, "Response"},
		{CHAP, CHAPSuccess, "Success"},
		{EAP, EAPRequest, "Request"},
		{PAP, 9, "code 9"},
		{LCP, 0, "code 0"},
		{LCP, 200, "code 200"},
	} {
		if got := CodeName(c.p, c.code); got != c.want {
			t.Errorf("%v code %d: %q, want %q", c.p, uint8(c.code), got, c.want)
		}
	}
}

func TestRFC1661Section6_OptionList(t *testing.T) {
	list := Options(append(AppendMagic(AppendMRU(nil, 1400), 0x01020304), LCPPFC, 2))
	if err := list.Check(); err != nil {
		t.Fatal(err)
	}
	var types []uint8
	for o := range list.All() {
		types = append(types, o.Type)
	}
	if !bytes.Equal(types, []uint8{LCPMRU, LCPMagic, LCPPFC}) {
		t.Errorf("types %v", types)
	}
	for o := range list.All() {
		if o.Type != LCPMRU {
			t.Error("the walk went on after break")
		}
		break
	}
	if !list.Contains(Option{Type: LCPPFC}) || list.Contains(Option{Type: LCPACFC}) || list.Contains(Option{Type: LCPMRU, Value: []byte{0, 1}}) {
		t.Error("Contains is wrong")
	}
	ends := map[int]bool{0: true, 4: true, 10: true, 12: true}
	for n := range len(list) + 1 {
		if err := list[:n].Check(); (err == nil) != ends[n] {
			t.Errorf("cut at %d: %v", n, err)
		}
	}
}

func TestMalformedOptionLists(t *testing.T) {
	for _, list := range []Options{{1}, {1, 0}, {1, 1}, {1, 3}, {1, 2, 5}, {1, 2, 5, 6, 0}, {1, 255}} {
		if !errors.Is(list.Check(), ErrOption) {
			t.Errorf("% x was taken", []byte(list))
		}
		n := 0
		for range list.All() {
			n++
		}
		if n > 1 {
			t.Errorf("% x: %d options", []byte(list), n)
		}
	}
}

func TestOptionThatIsTooLong(t *testing.T) {
	b := Option{Type: 9, Value: make([]byte, 400)}.Append(nil)
	if len(b) != 255 || b[1] != 255 || Options(b).Check() != nil {
		t.Errorf("%d octets, length field %d", len(b), b[1])
	}
}
