package authenticate

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"lnsgate/aaa"
	"lnsgate/lns/ppp"
)

func TestShownTextsAreOneCleanLine(t *testing.T) {
	for text, want := range map[string]string{
		"":                                 "",
		"Welcome back":                     "Welcome back",
		"Line one\r\nline two\r\n":         "Line one  line two",
		"Grüß Gott, 你好":                    "Grüß Gott, 你好",
		"bell\a, escape\x1b[31m, nul\x00.": "bell?, escape?[31m, nul?.",
		"not UTF-8 \xff\xfe":               "not UTF-8 ??",
		"C-style end\x00\x00":              "C-style end",
		strings.Repeat("x", 1000):          strings.Repeat("x", 255),
		strings.Repeat("ü", 200):           strings.Repeat("ü", 127),
	} {
		if got := shown(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func FuzzShown(f *testing.F) {
	f.Add("Welcome")
	f.Add("\xff\x00\n")
	f.Add("\v")
	f.Fuzz(func(t *testing.T, text string) {
		got := shown(text)
		if len(got) > maxText || !utf8.ValidString(got) || strings.ContainsFunc(got, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("%q: %q", text, got)
		}
		if again := shown(got); again != got {
			t.Errorf("%q: %q, then %q", text, got, again)
		}
	})
}

// verdictText is what a peer reads in the verdict.
func verdictText(t *testing.T, m aaa.Method, out Out) string {
	t.Helper()
	p := only(t, out)
	if m != aaa.PAP {
		return string(p.Data)
	}
	text, err := ppp.ParsePAPMessage(p.Data)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestTheServersWordsReachThePerson(t *testing.T) {
	const failure = "E=648 R=0 C=00112233445566778899AABBCCDDEEFF V=3 M=Your password has expired"
	own := "E=691 R=0 C=" + "30313233343536373839616263646566" + " V=3 M="
	for _, tc := range []struct {
		method aaa.Method
		result Result
		want   string
	}{
		{aaa.PAP, Result{OK: true, Message: "3 days left"}, "3 days left"},
		{aaa.PAP, Result{OK: true}, SuccessText},
		{aaa.PAP, Result{Message: "account locked"}, "account locked"},
		{aaa.PAP, Result{}, FailureText},
		{aaa.CHAP, Result{OK: true, Message: "3 days\nleft"}, "3 days left"},
		{aaa.CHAP, Result{Message: "account locked"}, "account locked"},
		{aaa.CHAP, Result{}, FailureText},
		{aaa.MSCHAPv2, Result{OK: true, Reply: testReply + " M=Hello from the server"}, testReply + " M=Hello from the server"},
		{aaa.MSCHAPv2, Result{OK: true, Reply: testReply, Message: "3 days left"}, testReply + " M=3 days left"},
		{aaa.MSCHAPv2, Result{OK: true, Reply: testReply}, testReply + " M=" + SuccessText},
		{aaa.MSCHAPv2, Result{Reply: failure}, failure},
		{aaa.MSCHAPv2, Result{Reply: "E=691 R=0"}, "E=691 R=0"},
		{aaa.MSCHAPv2, Result{Reply: "\x01E=691 R=0 V=3"}, own + FailureText}, // the identifier was not taken off
		{aaa.MSCHAPv2, Result{Reply: "no"}, own + FailureText},
		{aaa.MSCHAPv2, Result{Message: "account locked"}, own + "account locked"},
		{aaa.MSCHAPv2, Result{Reply: "E=691 R=1 C=00112233445566778899AABBCCDDEEFF V=3 M=R=1"},
			"E=691 R=1 C=00112233445566778899AABBCCDDEEFF V=3 M=R=1"},
	} {
		a := newAuthenticator(t, tc.method)
		a.start()
		a.receive(answer(tc.method, 42))
		out := a.resolve(tc.result)
		if got := verdictText(t, tc.method, out); got != tc.want || out.Done.Message != tc.want {
			t.Errorf("%s %+v: %q, want %q", tc.method, tc.result, got, tc.want)
		}
	}
}

// A person who types at a telephone and a link that loses the answer both make peers repeat themselves while a check runs.
func TestRepeatsDuringACheckCauseNoSecondOne(t *testing.T) {
	for _, m := range methods {
		a := newAuthenticator(t, m)
		a.start()
		if out := a.receive(answer(m, 42)); out.Ask == nil {
			t.Fatal(m)
		}
		for i := range 20 {
			id := uint8(42)
			if m == aaa.PAP {
				id += uint8(i)
			}
			nothing(t, m.String(), a.receive(answer(m, id)))
		}
		only(t, a.resolve(Result{OK: true, Reply: testReply}))
	}
}
