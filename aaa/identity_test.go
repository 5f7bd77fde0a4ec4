package aaa

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestParseIdentity(t *testing.T) {
	for raw, want := range map[string]Identity{
		"l2tpuser":               {User: "l2tpuser"},
		"L2TPuser":               {User: "L2TPuser"},
		"bob@sales":              {User: "bob", Domain: "sales"},
		"Bob@SALES.Example":      {User: "Bob", Domain: "sales.example"},
		"bob@home@sales":         {User: "bob@home", Domain: "sales"},
		`CORP\bob`:               {User: "bob", Domain: "corp"},
		`CORP\bob@sales`:         {User: `CORP\bob`, Domain: "sales"},
		`A\B\bob`:                {User: "bob", Domain: `a\b`},
		"grüße@größe":            {User: "grüße", Domain: "größe"},
		"a.b.":                   {User: "a.b."},
		strings.Repeat("x", 253): {User: strings.Repeat("x", 253)},
	} {
		want.Raw = raw
		if got, err := ParseIdentity(raw); err != nil || got != want {
			t.Errorf("%q: %+v, %v; want %+v", raw, got, err, want)
		}
	}
}

func TestParseIdentityRefuses(t *testing.T) {
	for raw, reason := range map[string]string{
		"":                       "empty",
		"@":                      "empty",
		"@sales":                 "user before the domain is empty",
		"bob@":                   "domain is empty",
		`\bob`:                   "domain is empty",
		`CORP\`:                  "user before the domain is empty",
		"bob@.sales":             "dot",
		"bob@sales.":             "dot",
		"bob@sa..les":            "two dots",
		"b..ob":                  "two dots",
		"bob smith":              "white space",
		"bob@sa\u00a0les":        "white space",
		"bob\n":                  "control character",
		"bob\x00":                "control character",
		"bob\u0085":              "control character",
		"b\xff":                  "not UTF-8",
		strings.Repeat("x", 254): "254 octets",
	} {
		_, err := ParseIdentity(raw)
		var fault *NameError
		if !errors.As(err, &fault) || !strings.Contains(fault.Reason, reason) || fault.Name != raw {
			t.Errorf("%q: %v, want %q", raw, err, reason)
		}
	}
}

func FuzzParseIdentity(f *testing.F) {
	for _, s := range []string{"l2tpuser", "bob@sales", `CORP\bob`, "a@b@c", "bob@", "..", "\xff", "İ@İ"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		id, err := ParseIdentity(raw)
		if err != nil {
			if id != (Identity{}) {
				t.Fatalf("%+v beside %v", id, err)
			}
			return
		}
		if id.Raw != raw || id.User == "" || !utf8.ValidString(id.Domain) || FoldDomain(id.Domain) != id.Domain {
			t.Fatalf("%q gives %+v", raw, id)
		}
		if strings.ContainsAny(raw, "@\\") != (id.Domain != "") {
			t.Fatalf("%q gives the domain %q", raw, id.Domain)
		}
	})
}
