package l2tp

import (
	"bytes"
	"encoding/hex"
	"errors"
	"testing"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(string(bytes.ReplaceAll([]byte(s), []byte(" "), nil)))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestParseHeader(t *testing.T) {
	for _, c := range []struct {
		name, in string
		want     Header
		payload  string
		err      error
	}{
		{name: "empty", in: "", err: ErrTruncated},
		{name: "one octet", in: "c8", err: ErrTruncated},
		{name: "L2F", in: "0001 0000 0000", err: ErrVersion},
		{name: "L2TPv3", in: "c803 000c 00000000 0000 0000", err: ErrVersion},
		{name: "ZLB", in: "c802 000c 0001 0000 0002 0003", want: Header{Control: true, Length: true, Sequence: true, Tunnel: 1, Ns: 2, Nr: 3}},
		{name: "control with padding behind", in: "c802 000d 0001 0004 0002 0003 aa bb cc", payload: "aa",
			want: Header{Control: true, Length: true, Sequence: true, Tunnel: 1, Session: 4, Ns: 2, Nr: 3}},
		{name: "reserved bits are ignored", in: "fcf2 000c 0001 0000 0002 0003",
			want: Header{Control: true, Length: true, Sequence: true, Tunnel: 1, Ns: 2, Nr: 3}},
		{name: "control without L", in: "8802 0001 0000 0002 0003", err: ErrHeader},
		{name: "control without S", in: "c002 0008 0001 0000", err: ErrHeader},
		{name: "control with O", in: "ca02 000e 0001 0000 0002 0003 0000", err: ErrHeader},
		{name: "control with P", in: "c902 000c 0001 0000 0002 0003", err: ErrHeader},
		{name: "length too large", in: "c802 000d 0001 0000 0002 0003", err: ErrLength},
		{name: "length too small", in: "c802 000b 0001 0000 0002 0003", err: ErrLength},
		{name: "length 0", in: "4002 0000 0001 0000 ff", err: ErrLength},
		{name: "offset past the end", in: "0202 0001 0002 0002 ff", err: ErrOffset},
		{name: "offset to the end", in: "0202 0001 0002 0001 ff", want: Header{Offset: true, Tunnel: 1, Session: 2}},
		{name: "offset past the Length", in: "4202 000b 0001 0002 0002 ff ff ff", err: ErrOffset},
	} {
		t.Run(c.name, func(t *testing.T) {
			h, payload, err := ParseHeader(unhex(t, c.in))
			if !errors.Is(err, c.err) || h != c.want || !bytes.Equal(payload, unhex(t, c.payload)) {
				t.Errorf("got %+v %x %v", h, payload, err)
			}
		})
	}
	var v VersionError
	if _, _, err := ParseHeader(unhex(t, "c803 0000")); !errors.As(err, &v) || v != 3 {
		t.Errorf("version of L2TPv3: %v", err)
	}
}

// Every combination of the L, S, O and P bits, and the offset pad.
func TestQ57DataHeaderInEveryShape(t *testing.T) {
	payload := []byte{0xff, 0x03, 0x00, 0x21}
	for bits := range 16 {
		h := Header{Length: bits&1 != 0, Sequence: bits&2 != 0, Offset: bits&4 != 0, Priority: bits&8 != 0, Tunnel: 5, Session: 6}
		if h.Sequence {
			h.Ns, h.Nr = 7, 8
		}
		b := append(AppendDataHeader(nil, h, len(payload)), payload...)
		got, rest, err := ParseHeader(b)
		if err != nil || got != h || !bytes.Equal(rest, payload) {
			t.Errorf("bits %04b: %+v %x %v", bits, got, rest, err)
		}
		for cut := range len(b) - len(payload) {
			if _, _, err := ParseHeader(b[:cut]); err == nil {
				t.Errorf("bits %04b: cut at %d is accepted", bits, cut)
			}
		}
		if IsControl(b) {
			t.Errorf("bits %04b: taken for control", bits)
		}
	}
	got, rest, err := ParseHeader(unhex(t, "4a02 0013 0005 0006 0007 0008 0003 aabbcc 0021 99"))
	if err != nil || !got.Offset || !bytes.Equal(rest, []byte{0, 0x21}) {
		t.Errorf("offset pad: %+v %x %v", got, rest, err)
	}
}

// Some clients drop a control datagram whose size is not its Length, and all of them want these exact flags.
func TestQ06Q39ControlHeaderHasNoPadding(t *testing.T) {
	b := AppendControl(nil, 1, 2, 3, 4, []byte{5})
	if !bytes.Equal(b, unhex(t, "c802 000d 0001 0002 0003 0004 05")) {
		t.Errorf("got %x", b)
	}
	if !IsControl(b) || IsControl(b[:1]) || IsControl(nil) {
		t.Error("IsControl")
	}
}

func TestDataHeaderDoesNotAllocate(t *testing.T) {
	b := make([]byte, 0, 64)
	h := Header{Length: true, Sequence: true, Tunnel: 1, Session: 2}
	if n := testing.AllocsPerRun(100, func() {
		d := AppendDataHeader(b, h, 0)
		if _, _, err := ParseHeader(d); err != nil {
			t.Error(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzParseHeader(f *testing.F) {
	f.Add(unhex(f, "c802 000d 0001 0002 0003 0004 05"))
	f.Add(unhex(f, "4a02 0013 0005 0006 0007 0008 0003 aabbcc 0021 99"))
	f.Add(unhex(f, "0002 0001 0002 ff03 c021"))
	f.Add(unhex(f, "c803 000c 0000 0000"))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, payload, err := ParseHeader(b)
		if err != nil {
			return
		}
		if len(payload) > len(b) || IsControl(b) != h.Control {
			t.Fatalf("%x: %+v %x", b, h, payload)
		}
		var again []byte
		if h.Control {
			again = AppendControl(nil, h.Tunnel, h.Session, h.Ns, h.Nr, payload)
		} else {
			again = append(AppendDataHeader(nil, h, len(payload)), payload...)
		}
		h2, p2, err := ParseHeader(again)
		if err != nil || h2 != h || !bytes.Equal(p2, payload) {
			t.Fatalf("%+v %x became %+v %x %v", h, payload, h2, p2, err)
		}
	})
}
