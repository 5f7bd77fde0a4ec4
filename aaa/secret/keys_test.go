package secret

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

func key(id string, fill byte) string {
	return KeyLine(id, [KeyOctets]byte(bytes.Repeat([]byte{fill}, KeyOctets))).Reveal()
}

func mustParseKeys(t *testing.T, text string) *Keys {
	t.Helper()
	k, err := ParseKeys([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestSealAndOpen(t *testing.T) {
	keys := mustParseKeys(t, "# ours\n"+key("k2", 2)+"\n  "+key("k1", 1))
	if keys.Current() != "k2" || !slices.Equal(keys.IDs(), []string{"k2", "k1"}) {
		t.Errorf("current %q of %q", keys.Current(), keys.IDs())
	}
	b := Binding{Account: 7, Kind: "sealed"}
	value, id := keys.Seal([]byte("Admin@123"), b, [NonceOctets]byte{9})
	if id != "k2" || bytes.Contains(value, []byte("Admin")) {
		t.Errorf("sealed by %q: %q", id, value)
	}
	if clear, err := keys.Open(value, b, id); err != nil || string(clear) != "Admin@123" {
		t.Errorf("%q, %v", clear, err)
	}
	// After a rotation the file has the keys in another order.
	if clear, err := mustParseKeys(t, key("k1", 1)+key("k2", 2)).Open(value, b, "k2"); err != nil || string(clear) != "Admin@123" {
		t.Errorf("%q, %v", clear, err)
	}
}

func TestASealedValueOpensOnlyWhereItBelongs(t *testing.T) {
	keys := mustParseKeys(t, key("k1", 1)+key("other", 1))
	b := Binding{Account: 7, Kind: "sealed"}
	value, _ := keys.Seal([]byte("pw"), b, [NonceOctets]byte{9})
	for what, open := range map[string]func() ([]byte, error){
		"another account":              func() ([]byte, error) { return keys.Open(value, Binding{8, "sealed"}, "k1") },
		"another kind":                 func() ([]byte, error) { return keys.Open(value, Binding{7, "nt"}, "k1") },
		"the same key by another name": func() ([]byte, error) { return keys.Open(value, b, "other") },
	} {
		if clear, err := open(); !errors.Is(err, ErrSeal) || clear != nil {
			t.Errorf("%s: %q, %v", what, clear, err)
		}
	}
	for i := range value {
		if _, err := keys.Open(value[:i], b, "k1"); !errors.Is(err, ErrSeal) {
			t.Errorf("cut to %d octets: %v", i, err)
		}
		changed := bytes.Clone(value)
		changed[i] ^= 1
		if _, err := keys.Open(changed, b, "k1"); !errors.Is(err, ErrSeal) {
			t.Errorf("octet %d changed: %v", i, err)
		}
	}
	if _, err := keys.Open(value, b, "k9"); !errors.Is(err, ErrUnknownKey) || !strings.Contains(err.Error(), "k9") {
		t.Error(err)
	}
	if _, err := (*Keys)(nil).Open(value, b, "k1"); !errors.Is(err, ErrUnknownKey) {
		t.Error(err)
	}
}

func TestParseKeysNamesTheLineAndNoKey(t *testing.T) {
	good := key("k1", 1)
	for _, test := range []struct{ text, want string }{
		{"", "no key"}, {"# nothing\n", "no key"},
		{good + good, "line 2: key \"k1\" is there twice"},
		{"\nk1", "line 2"}, {good + "k2 c2VjcmV0", "line 2: key \"k2\""}, {"k/1 " + good[3:], "line 1"},
		{key("zero", 0), "zeros"}, {strings.Replace(good, "AQEB", "A!EB", 1), "line 1"},
	} {
		_, err := ParseKeys([]byte(test.text))
		if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "AQEB") || strings.Contains(err.Error(), "c2Vj") {
			t.Errorf("%q: %v", test.text, err)
		}
	}
}

func TestKeysPrintAsStars(t *testing.T) {
	keys := mustParseKeys(t, key("k1", 0x5a))
	for _, v := range []any{keys, struct{ K *Keys }{keys}, KeyLine("k1", [KeyOctets]byte{0x5a})} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%x", "%s"} {
			if out := fmt.Sprintf(verb, v); strings.Contains(out, "5a5a") || strings.Contains(out, "90 90") || strings.Contains(out, "Wlpa") {
				t.Errorf("%s: %s", verb, out)
			}
		}
	}
}

func FuzzParseKeys(f *testing.F) {
	f.Add([]byte(key("k1", 1)))
	f.Add([]byte("k1 AAAA\n#"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if k, err := ParseKeys(text); (err == nil) != (k != nil) || err == nil && k.Current() == "" {
			t.Errorf("%q: %v, %v", text, k, err)
		}
	})
}
