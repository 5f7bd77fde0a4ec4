package wire

import (
	"bytes"
	"testing"
)

func TestNamesStayDifferent(t *testing.T) {
	seen := map[string]string{}
	for octets, want := range map[string]string{
		"80000001": "80000001", "abc\x00": "abc", "0x12": "0x12", "0xff": "0xff", "é": "é",
		"\xff\x01": "0xff01", "\xff\x02": "0xff02", "a\x00b": "0x610062", "\xff\x00": "0xff00", "\xff": "0xff", "": "",
	} {
		text := NameText([]byte(octets))
		if text != want {
			t.Errorf("%q is %q, want %q", octets, text, want)
		}
		if other, there := seen[text]; there && octets != "0xff" && other != "0xff" { // who says that means harm to itself
			t.Errorf("%q and %q are both %q", octets, other, text)
		}
		seen[text] = octets
	}
}

func FuzzNameText(f *testing.F) {
	for _, seed := range []string{"80000001", "abc\x00", "\xff\x01", "a\x00b", "0xff", ""} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, octets []byte) {
		text := NameText(octets)
		if !isText(text) {
			t.Fatalf("%q is no text", text)
		}
		back := NameOctets(text)
		if NameText(back) != text {
			t.Fatalf("%q is the name of %q and %q", text, octets, back)
		}
		trimmed := bytes.TrimRight(octets, "\x00")
		if !isText(string(trimmed)) && !bytes.Equal(back, octets) {
			t.Fatalf("%q comes back as %q", octets, back)
		}
		if isText(string(trimmed)) && text != string(trimmed) {
			t.Fatalf("%q is changed to %q", octets, text)
		}
	})
}
