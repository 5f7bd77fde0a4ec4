package ppp

import (
	"bytes"
	"net/netip"
	"testing"
)

// one is the only option of a list.
func one(t *testing.T, list []byte) Option {
	t.Helper()
	if err := Options(list).Check(); err != nil {
		t.Fatalf("% x: %v", list, err)
	}
	for o := range Options(list).All() {
		if !bytes.Equal(o.Append(nil), list) {
			t.Errorf("% x written again as % x", list, o.Append(nil))
		}
		return o
	}
	t.Fatal("no option")
	return Option{}
}

func TestRFC1661Section6_1_MRU(t *testing.T) {
	o := one(t, AppendMRU(nil, 1460))
	if mru, ok := o.MRU(); !ok || mru != 1460 || o.Type != LCPMRU {
		t.Errorf("%d %v", mru, ok)
	}
	for n := range 5 {
		if _, ok := (Option{Value: make([]byte, n)}).MRU(); ok != (n == 2) {
			t.Errorf("%d octets: %v", n, ok)
		}
	}
}

func TestRFC1661Section6_4_Magic(t *testing.T) {
	o := one(t, AppendMagic(nil, 0xdeadbeef))
	if magic, ok := o.Magic(); !ok || magic != 0xdeadbeef || o.Type != LCPMagic {
		t.Errorf("%x %v", magic, ok)
	}
	if accm, ok := (Option{Value: []byte{0, 10, 0, 0}}).ACCM(); !ok || accm != 0x000a0000 {
		t.Errorf("%x %v", accm, ok)
	}
	for n := range 7 {
		if _, ok := (Option{Value: make([]byte, n)}).Magic(); ok != (n == 4) {
			t.Errorf("%d octets: %v", n, ok)
		}
	}
}

func TestRFC1661Section6_2_Authentication(t *testing.T) {
	for _, c := range []struct {
		p         Protocol
		algorithm uint8
		wire      []byte
	}{
		{PAP, 0, []byte{3, 4, 0xc0, 0x23}},
		{EAP, 0, []byte{3, 4, 0xc2, 0x27}},
		{CHAP, AlgorithmMD5, []byte{3, 5, 0xc2, 0x23, 5}},
		{CHAP, AlgorithmMSCHAPv2, []byte{3, 5, 0xc2, 0x23, 0x81}},
	} {
		wire := AppendAuthentication(nil, c.p, c.algorithm)
		if !bytes.Equal(wire, c.wire) {
			t.Errorf("% x, want % x", wire, c.wire)
		}
		if p, algorithm, ok := one(t, wire).Authentication(); !ok || p != c.p || algorithm != c.algorithm {
			t.Errorf("% x: %v %d %v", wire, p, algorithm, ok)
		}
	}
	for _, v := range [][]byte{nil, {0xc0}, {0xc2, 0x23}, {0xc2, 0x23, 5, 6}} {
		if _, _, ok := (Option{Type: LCPAuthentication, Value: v}).Authentication(); ok {
			t.Errorf("% x was taken", v)
		}
	}
}

func TestRFC1332Section3_3_Address(t *testing.T) {
	a := netip.MustParseAddr("10.10.1.10")
	for _, kind := range []uint8{IPCPAddress, IPCPDNS1, IPCPDNS2, IPCPNBNS1, IPCPNBNS2} {
		o := one(t, AppendAddress(nil, kind, a))
		if got, ok := o.Address(); !ok || got != a || o.Type != kind {
			t.Errorf("option %d: %v %v", kind, got, ok)
		}
	}
	for _, none := range []netip.Addr{{}, netip.MustParseAddr("2001:db8::1")} {
		if got, _ := one(t, AppendAddress(nil, IPCPAddress, none)).Address(); got != netip.IPv4Unspecified() {
			t.Errorf("%v is written as %v", none, got)
		}
	}
	if got, _ := one(t, AppendAddress(nil, IPCPAddress, netip.AddrFrom16(a.As16()))).Address(); got != a {
		t.Errorf("an IPv4 address in IPv6 form is written as %v", got)
	}
	if _, ok := (Option{Value: make([]byte, 3)}).Address(); ok {
		t.Error("three octets are an address")
	}
}

func TestRFC5072Section4_1_InterfaceID(t *testing.T) {
	id := [8]byte{1, 2, 3, 4, 5, 6, 7, 8}
	if got, ok := one(t, AppendInterfaceID(nil, id)).InterfaceID(); !ok || got != id {
		t.Errorf("% x %v", got, ok)
	}
	if _, ok := (Option{Value: make([]byte, 7)}).InterfaceID(); ok {
		t.Error("seven octets are an identifier")
	}
}

func TestRFC1334Section2_2_1_PAPRequest(t *testing.T) {
	wire := PAPRequest{Name: []byte("l2tpuser"), Password: []byte("Admin@123")}.Append(nil)
	if want := "\x08l2tpuser\x09Admin@123"; string(wire) != want {
		t.Fatalf("%q", wire)
	}
	r, err := ParsePAPRequest(append(wire, 0, 0))
	if err != nil || string(r.Name) != "l2tpuser" || string(r.Password) != "Admin@123" {
		t.Errorf("%q %q %v", r.Name, r.Password, err)
	}
	for n := range len(wire) {
		if _, err := ParsePAPRequest(wire[:n]); err != ErrTruncated {
			t.Errorf("cut at %d: %v", n, err)
		}
	}
	if r, err := ParsePAPRequest([]byte{0, 0}); err != nil || len(r.Name)+len(r.Password) != 0 {
		t.Errorf("empty name and password: %v", err)
	}
	long := PAPRequest{Name: make([]byte, 300), Password: make([]byte, 300)}.Append(nil)
	if r, err := ParsePAPRequest(long); err != nil || len(r.Name) != 255 || len(r.Password) != 255 {
		t.Errorf("long fields: %v", err)
	}
}

func TestRFC1334Section2_2_2_PAPMessage(t *testing.T) {
	wire := AppendPAPMessage(nil, "Welcome")
	if m, err := ParsePAPMessage(wire); err != nil || string(m) != "Welcome" {
		t.Errorf("%q %v", m, err)
	}
	if m, err := ParsePAPMessage(nil); err != nil || len(m) != 0 {
		t.Errorf("no data at all: %q %v", m, err)
	}
	for n := 1; n < len(wire); n++ {
		if _, err := ParsePAPMessage(wire[:n]); err != ErrTruncated {
			t.Errorf("cut at %d: %v", n, err)
		}
	}
	if n := len(AppendPAPMessage(nil, string(make([]byte, 300)))); n != 256 {
		t.Errorf("a long message takes %d octets", n)
	}
}

func TestRFC1994Section4_1_CHAPValue(t *testing.T) {
	wire := CHAPValue{Value: []byte("0123456789abcdef"), Name: []byte("LNS")}.Append(nil)
	v, err := ParseCHAPValue(wire)
	if err != nil || string(v.Value) != "0123456789abcdef" || string(v.Name) != "LNS" {
		t.Errorf("%q %q %v", v.Value, v.Name, err)
	}
	for n := range 17 {
		if _, err := ParseCHAPValue(wire[:n]); err != ErrTruncated {
			t.Errorf("cut at %d: %v", n, err)
		}
	}
	if v, err := ParseCHAPValue([]byte{0}); err != nil || len(v.Value)+len(v.Name) != 0 {
		t.Errorf("empty value: %v", err)
	}
}

func TestRFC3748Section4_EAP(t *testing.T) {
	p := EAPPacket{Code: EAPResponse, Identifier: 4, Type: EAPIdentity, Data: []byte("l2tpuser")}
	wire := p.Append(nil)
	if got, err := ParseEAP(append(wire, 0)); err != nil || got.Code != p.Code || got.Identifier != 4 || got.Type != EAPIdentity || string(got.Data) != "l2tpuser" {
		t.Errorf("%+v %v", got, err)
	}
	for n := range len(wire) {
		if _, err := ParseEAP(wire[:n]); err == nil {
			t.Errorf("cut at %d was taken", n)
		}
	}
	success := EAPPacket{Code: EAPSuccess, Identifier: 4, Type: 9, Data: []byte("x")}.Append(nil)
	if !bytes.Equal(success, []byte{3, 4, 0, 4}) {
		t.Errorf("% x", success)
	}
	if got, err := ParseEAP(success); err != nil || got.Type != 0 || len(got.Data) != 0 {
		t.Errorf("%+v %v", got, err)
	}
	if _, err := ParseEAP([]byte{1, 1, 0, 4}); err != ErrTruncated {
		t.Errorf("a Request without a type: %v", err)
	}
	if n := len(EAPPacket{Code: EAPRequest, Data: make([]byte, 70000)}.Append(nil)); n != 0xffff {
		t.Errorf("%d octets", n)
	}
}
