package packet

import (
	"bytes"
	"reflect"
	"testing"
)

func FuzzParse(f *testing.F) {
	for _, s := range []string{"\x02\x07\x00\x08\x01bob", "\x03\x09\x00\x04", "\x02\x07\x00\x06\x03\x19", "\x01\x01\x00\x06\x0d\x20", "\x02\x01\x00\x0e\xfe\x00\x00\x00\x00\x00\x00\x03\x00\x00"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := Parse(b)
		if err != nil {
			return
		}
		octets := p.Append(nil)
		if !bytes.Equal(octets, b[:len(octets)]) {
			t.Errorf("%x became %x", b, octets)
		}
		p.Wishes()
	})
}

func FuzzParseCHAP(f *testing.F) {
	f.Add([]byte("\x01\x05\x00\x08\x02ab!"))
	f.Add([]byte("\x02\x05\x00\x09\x02abme"))
	f.Add([]byte("\x03"))
	f.Add([]byte("\x04\x05\x00\x0dE=691 R=0"))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := ParseCHAP(b)
		if err != nil {
			return
		}
		again, err := ParseCHAP(c.Append(nil))
		if err != nil || !reflect.DeepEqual(c, again) {
			t.Errorf("%+v became %+v, %v", c, again, err)
		}
	})
}

func FuzzParseMD5(f *testing.F) {
	f.Add([]byte("\x02ab!"))
	f.Add([]byte("\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		value, name, err := ParseMD5(b)
		if err == nil && !bytes.Equal(AppendMD5(nil, value, name), b) {
			t.Errorf("%x", b)
		}
	})
}

// FuzzReassembly cuts the input into fragments: each begins with its length.
func FuzzReassembly(f *testing.F) {
	f.Add([]byte("\x08\xc0\x00\x00\x00\x06abc\x04\x00def"))
	f.Add([]byte("\x04\x40abc\x04\x40def\x01\x00"))
	f.Add([]byte("\x01\x20"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var r Reassembly
		for len(b) > 0 {
			n := min(1+int(b[0]), len(b))
			fragment, err := ParseFragment(b[1:n])
			b = b[n:]
			if err != nil {
				continue
			}
			if again, err := ParseFragment(fragment.Append(nil)); err != nil || !reflect.DeepEqual(fragment, again) {
				t.Errorf("%+v became %+v, %v", fragment, again, err)
			}
			message, err := r.Add(fragment)
			if len(message) > LongestMessage || err != nil && r.Open() || message != nil && fragment.More {
				t.Errorf("%d octets, %v", len(message), err)
			}
		}
	})
}

func FuzzParseResult(f *testing.F) {
	f.Add([]byte("\x80\x03\x00\x02\x00\x01"))
	f.Add([]byte("\x00\x0c\x00\x01x\x80\x03\x00\x02\x00\x02"))
	f.Fuzz(func(t *testing.T, b []byte) {
		result, err := ParseResult(b)
		if err != nil && result != 0 {
			t.Errorf("%d, %v", result, err)
		}
		if err == nil && result != 0 {
			if again, err := ParseResult(AppendResult(nil, result)); again != result || err != nil {
				t.Errorf("%d, %v", again, err)
			}
		}
	})
}

func FuzzParseAVPs(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x01\x40\x00\x00\x0dalice\x00\x00\x00\x00\x00\x00\x02\x40\x00\x00\x18secret\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"))
	f.Add([]byte("\x00\x00\x00\x0b\xc0\x00\x00\x14\x00\x00\x01\x3712345678"))
	f.Fuzz(func(t *testing.T, b []byte) {
		list, err := ParseAVPs(b)
		if err != nil {
			return
		}
		var octets []byte
		for _, a := range list {
			octets = a.Append(octets)
		}
		again, err := ParseAVPs(octets)
		if err != nil || !reflect.DeepEqual(list, again) {
			t.Errorf("%+v became %+v, %v", list, again, err)
		}
	})
}
