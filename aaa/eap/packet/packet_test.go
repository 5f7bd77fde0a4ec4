package packet

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestRFC3748Section4_PacketFormat(t *testing.T) {
	for name, c := range map[string]struct {
		octets string
		want   Packet
		ok     bool
	}{
		"identity":                    {"\x02\x07\x00\x08\x01bob", Packet{Response, 7, Identity, []byte("bob")}, true},
		"padding is not part of it":   {"\x02\x07\x00\x08\x01bob\x00\x00", Packet{Response, 7, Identity, []byte("bob")}, true},
		"no data":                     {"\x01\x07\x00\x05\x01", Packet{Request, 7, Identity, []byte{}}, true},
		"success":                     {"\x03\x09\x00\x04", Packet{Code: Success, Identifier: 9}, true},
		"failure":                     {"\x04\x09\x00\x04", Packet{Code: Failure, Identifier: 9}, true},
		"success with data":           {"\x03\x09\x00\x05\x00", Packet{}, false},
		"request without a type":      {"\x01\x09\x00\x04", Packet{}, false},
		"a code that there is not":    {"\x05\x09\x00\x05\x01", Packet{}, false},
		"code zero":                   {"\x00\x09\x00\x05\x01", Packet{}, false},
		"longer than what there is":   {"\x02\x07\x00\x09\x01bob", Packet{}, false},
		"a length below the header's": {"\x02\x07\x00\x03\x01bob", Packet{}, false},
		"nothing":                     {"", Packet{}, false},
		"less than a header":          {"\x02\x07\x00", Packet{}, false},
	} {
		got, err := Parse([]byte(c.octets))
		if (err == nil) != c.ok || !cmp.Equal(got, c.want) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		if err != nil && !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRFC3748Section4_2_EndsCarryNoData(t *testing.T) {
	if got := End(Failure, 200); !bytes.Equal(got, []byte{4, 200, 0, 4}) {
		t.Errorf("% x", got)
	}
}

func TestRFC3748Section5_3_1_ANakListsWishes(t *testing.T) {
	for data, want := range map[string][]Type{"": nil, "\x00": nil, "\x19\x15": {PEAP, TTLS}, "\x00\x04": {MD5Challenge}} {
		if got := (Packet{Data: []byte(data)}).Wishes(); !slices.Equal(got, want) {
			t.Errorf("%q: %v", data, got)
		}
	}
}

func TestRFC3748Section5_4_MD5Challenge(t *testing.T) {
	octets := AppendMD5(nil, []byte("0123456789abcdef"), "lnsgate")
	if want := "\x100123456789abcdeflnsgate"; string(octets) != want {
		t.Fatalf("%q", octets)
	}
	value, name, err := ParseMD5(octets)
	if err != nil || string(value) != "0123456789abcdef" || name != "lnsgate" {
		t.Errorf("%q, %q, %v", value, name, err)
	}
	for n := range 17 { // what is cut off is missed, but for the name
		if _, _, err := ParseMD5(octets[:n]); !errors.Is(err, ErrMalformed) {
			t.Errorf("%d octets: %v", n, err)
		}
	}
}

func TestEAPMSCHAPv2Packets(t *testing.T) {
	for want, c := range map[string]CHAP{
		"\x01\x05\x00\x08\x02ab!":   {OpChallenge, 5, []byte("ab"), "!"},
		"\x02\x05\x00\x09\x02abme":  {OpResponse, 5, []byte("ab"), "me"},
		"\x03\x05\x00\x08S=12":      {OpSuccess, 5, nil, "S=12"},
		"\x04\x05\x00\x0dE=691 R=0": {OpFailure, 5, nil, "E=691 R=0"},
	} {
		octets := c.Append(nil)
		if string(octets) != want {
			t.Errorf("%+v: %q", c, octets)
		}
		got, err := ParseCHAP(octets)
		if err != nil || !cmp.Equal(got, c) {
			t.Errorf("%q: %+v, %v", octets, got, err)
		}
		for n := range octets {
			if got, err := ParseCHAP(octets[:n]); err == nil && (n == 0 || c.Op < OpSuccess || n > 3) {
				t.Errorf("%q: %+v", octets[:n], got)
			}
		}
	}
	if _, err := ParseCHAP([]byte("\x02\x05\x00\x09\x05abme")); !errors.Is(err, ErrMalformed) {
		t.Errorf("a value that is longer than the packet: %v", err)
	}
}

func TestRFC5216Section3_1_Fragments(t *testing.T) {
	for want, f := range map[string]Fragment{
		"\x20":                    {Start: true, Data: []byte{}},
		"\x00":                    {Data: []byte{}},
		"\xc0\x00\x00\x10\x00abc": {Sized: true, More: true, Total: 4096, Data: []byte("abc")},
		"\x41abc":                 {More: true, Version: 1, Data: []byte("abc")},
	} {
		octets := f.Append(nil)
		if string(octets) != want {
			t.Errorf("%+v: %q", f, octets)
		}
		if got, err := ParseFragment(octets); err != nil || !cmp.Equal(got, f) {
			t.Errorf("%q: %+v, %v", octets, got, err)
		}
	}
	for _, cut := range []string{"", "\x80", "\x80\x00\x00\x00"} {
		if _, err := ParseFragment([]byte(cut)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%q: %v", cut, err)
		}
	}
}

func TestMessagesThatDoNotFitTogether(t *testing.T) {
	text := func(n int) []byte { return bytes.Repeat([]byte{7}, n) }
	for name, list := range map[string][]Fragment{
		"longer than it says":        {{Sized: true, More: true, Total: 5, Data: text(3)}, {Data: text(3)}},
		"shorter than it says":       {{Sized: true, More: true, Total: 9, Data: text(3)}, {Data: text(3)}},
		"longer than any may say":    {{Sized: true, More: true, Total: LongestMessage + 1, Data: text(3)}},
		"other lengths":              {{Sized: true, More: true, Total: 9, Data: text(3)}, {Sized: true, Total: 8, Data: text(6)}},
		"nothing, and more of it":    {{More: true}},
		"alone and longer":           {{Sized: true, Total: 2, Data: text(3)}},
		"longer than any, said late": slices.Repeat([]Fragment{{More: true, Data: text(4000)}}, LongestMessage/4000+1),
	} {
		var r Reassembly
		var err error
		for _, f := range list {
			if err != nil {
				t.Errorf("%s: already at an earlier one", name)
			}
			_, err = r.Add(f)
		}
		if !errors.Is(err, ErrMalformed) || r.Open() {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What is cut up and put together is the same, and no fragment is too long.
func TestCutUpAndPutTogether(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		message := bytes.Repeat([]byte{1, 2, 3, 5, 8}, rapid.IntRange(0, 1500).Draw(t, "size"))
		room := rapid.IntRange(6, 1500).Draw(t, "room")
		out, in := NewOutgoing(message), Reassembly{}
		for first := true; ; first = false {
			f := out.Next(room)
			octets := f.Append(nil)
			if len(octets) > room || f.More != out.Waiting() || f.Sized != (first && f.More) {
				t.Fatalf("%d octets of %d: %+v", len(octets), room, f)
			}
			got, err := in.Add(f)
			if err != nil {
				t.Fatal(err)
			}
			if f.More {
				if got != nil || !in.Open() {
					t.Fatal("a message too soon")
				}
				continue
			}
			if !bytes.Equal(got, message) || got == nil {
				t.Fatal("another message")
			}
			return
		}
	})
}

func TestMSPEAPSection2_2_8_ResultTLV(t *testing.T) {
	octets := AppendResult(nil, ResultSuccess)
	if string(octets) != "\x80\x03\x00\x02\x00\x01" {
		t.Errorf("%q", octets)
	}
	for text, want := range map[string]uint16{string(octets): ResultSuccess, "\x80\x03\x00\x02\x00\x02": ResultFailure, "": 0,
		"\x00\x0c\x00\x01x" + string(octets): ResultSuccess, "\x00\x03\x00\x02\x00\x01": ResultSuccess} {
		if got, err := ParseResult([]byte(text)); got != want || err != nil {
			t.Errorf("%q: %d, %v", text, got, err)
		}
	}
	for _, text := range []string{"\x80", "\x80\x03\x00\x02\x00", "\x80\x03\x00\x03\x00\x01\x00", string(octets) + string(octets)} {
		if _, err := ParseResult([]byte(text)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestRFC5281Section10_1_AVPs(t *testing.T) {
	list := []AVP{{Code: 1, Mandatory: true, Data: []byte("alice")}, {Code: 11, Vendor: VendorMicrosoft, Mandatory: true, Data: []byte("12345678")}, {Code: 25, Data: []byte{}}}
	var octets []byte
	for _, a := range list {
		octets = a.Append(octets)
	}
	want := "\x00\x00\x00\x01\x40\x00\x00\x0dalice\x00\x00\x00" + "\x00\x00\x00\x0b\xc0\x00\x00\x14\x00\x00\x01\x3712345678" + "\x00\x00\x00\x19\x00\x00\x00\x08"
	if string(octets) != want {
		t.Fatalf("%q", octets)
	}
	if got, err := ParseAVPs(octets); err != nil || !cmp.Equal(got, list) {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := ParseAVPs(octets[:13]); err != nil || len(got) != 1 { // the last may be without padding
		t.Errorf("%+v, %v", got, err)
	}
	whole := []int{0, 13, 14, 15, 16, 36, 44}
	for n := range octets {
		if _, err := ParseAVPs(octets[:n]); (err == nil) != slices.Contains(whole, n) {
			t.Errorf("%d octets: %v", n, err)
		}
	}
	if _, err := ParseAVPs([]byte("\x00\x00\x00\x01\x80\x00\x00\x08" + strings.Repeat("x", 8))); !errors.Is(err, ErrMalformed) {
		t.Errorf("a vendor that does not fit: %v", err)
	}
}
