package wire

import (
	"bytes"
	"testing"
)

func TestNamesStayDifferent(t *testing.T) {
	for octets, want := range map[string]string{
		"80000001": "80000001", "abc\x00": "abc", "0xff": "0xff", "é": "é", "": "",
		"\xff\x01": "hex:ff01", "\xff\x02": "hex:ff02", "a\x00b": "hex:610062", "\xff\x00": "hex:ff00", "\xff": "hex:ff",
		"hex:ff": "hex:6865783a6666", "\x00": "hex:00", "\x00\x00\x00\x00": "hex:00000000", "A\x00\x00\x00": "hex:41000000",
	} {
		if text := NameText([]byte(octets)); text != want {
			t.Errorf("%q is %q, want %q", octets, text, want)
		}
	}
}

func FuzzNameText(f *testing.F) {
	for _, seed := range []string{"80000001", "abc\x00", "\xff\x01", "a\x00b", "0xFf", "hex:ff", ""} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, octets []byte) {
		text := NameText(octets)
		if !isText(text) {
			t.Fatalf("%q is no text", text)
		}
		if back := NameOctets(text); !bytes.Equal(back, octets) && !bytes.Equal(back, bytes.TrimSuffix(octets, []byte{0})) {
			t.Fatalf("%q comes back as %q", octets, back)
		}
	})
}
