package authenticate

import (
	"strings"
	"testing"

	"lnsgate/aaa"
	"lnsgate/lns/ppp"
)

const challengeHex = "30313233343536373839616263646566"

// failure is the message a peer gets that is refused with a code.
func failure(t *testing.T, m aaa.Method, code int) string {
	a := newAuthenticator(t, m)
	a.start()
	a.receive(answer(m, 42))
	out := a.resolve(Result{MSCHAPError: code})
	p := only(t, out)
	if m != aaa.PAP {
		if string(p.Data) != out.Done.Message {
			t.Errorf("Done says %q, the peer was sent %q", out.Done.Message, p.Data)
		}
		return string(p.Data)
	}
	text, err := ppp.ParsePAPMessage(p.Data)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestRFC2759Section6_FailureMessage_Q35(t *testing.T) {
	for code, want := range map[int]string{
		0:   "E=691 R=0 C=" + challengeHex + " V=3 M=Authentication failed",
		691: "E=691 R=0 C=" + challengeHex + " V=3 M=Authentication failed",
		646: "E=646 R=0 C=" + challengeHex + " V=3 M=Logon is not allowed at this hour",
		647: "E=647 R=0 C=" + challengeHex + " V=3 M=The account is disabled",
		648: "E=648 R=0 C=" + challengeHex + " V=3 M=The password has expired",
		649: "E=649 R=0 C=" + challengeHex + " V=3 M=The account may not dial in",
		709: "E=709 R=0 C=" + challengeHex + " V=3 M=The password could not be changed",
		123: "E=123 R=0 C=" + challengeHex + " V=3 M=Authentication failed",
	} {
		if got := failure(t, aaa.MSCHAPv2, code); got != want {
			t.Errorf("code %d:\n%s, want\n%s", code, got, want)
		}
	}
}

// The text of PAP and CHAP must not tell one cause from another.
func TestTheFailureTextOfPAPAndCHAPIsNeutral(t *testing.T) {
	for _, m := range []aaa.Method{aaa.PAP, aaa.CHAP} {
		for _, code := range []int{0, 646, 647, 648, 649, 691, 709} {
			if got := failure(t, m, code); got != FailureText {
				t.Errorf("%s, %d: %q", m, code, got)
			}
		}
	}
}

func TestRFC2759Section5_SuccessMessage_Q36(t *testing.T) {
	for reply, want := range map[string]string{
		testReply:                             testReply + " M=Welcome",
		testReply + " ":                       testReply + " M=Welcome",
		testReply + "\x00":                    testReply + " M=Welcome",
		strings.ToLower(testReply):            "", // "s=" is no field
		"S=" + strings.ToLower(testReply[2:]): testReply + " M=Welcome",
		testReply + " M=Hello you":            testReply + " M=Hello you",
		testReply + "  M=two spaces":          "",
		testReply + "0":                       "",
		testReply[:41]:                        "",
		"S=" + strings.Repeat("G", 40):        "",
		"":                                    "",
	} {
		a := newAuthenticator(t, aaa.MSCHAPv2)
		a.start()
		a.receive(answer(aaa.MSCHAPv2, 42))
		out := a.resolve(Result{OK: true, Reply: reply})
		p := only(t, out)
		if want == "" {
			if out.Done.OK || out.Done.Reason != NoAuthenticatorResponse || p.Code != ppp.CHAPFailure {
				t.Errorf("%q: %+v, sends %s %q", reply, out.Done, ppp.CodeName(ppp.CHAP, p.Code), p.Data)
			}
			continue
		}
		if !out.Done.OK || p.Code != ppp.CHAPSuccess || string(p.Data) != want {
			t.Errorf("%q: %+v, sends %q", reply, out.Done, p.Data)
		}
	}
}

func TestParseErrorMessage(t *testing.T) {
	full := ErrorMessage{Code: 691, Retry: true, Challenge: [16]byte([]byte("0123456789abcdef")), Version: 3, Text: "no M=way out"}
	for message, want := range map[string]ErrorMessage{
		full.String():           full,
		"E=648 R=0 V=3":         {Code: 648, Version: 3},
		"E=691":                 {Code: 691},
		"E=691 C=zz M=":         {Code: 691},
		"E=691 R=0 C=1234 M=hi": {Code: 691, Text: "hi"},
	} {
		if got, ok := ParseErrorMessage(message); !ok || got != want {
			t.Errorf("%q: %+v, %v", message, got, ok)
		}
	}
	for _, message := range []string{"", "go away", "M=E=691", "E=", "E=x R=0", "R=1"} {
		if got, ok := ParseErrorMessage(message); ok || got != (ErrorMessage{}) {
			t.Errorf("%q: %+v, %v", message, got, ok)
		}
	}
	if w := (ErrorMessage{Code: 648}).Words(); w != "The password has expired" {
		t.Errorf("648 means %q", w)
	}
}

func FuzzParseErrorMessage(f *testing.F) {
	f.Add("E=691 R=0 C=" + challengeHex + " V=3 M=Authentication failed")
	f.Add("E=648 R=1")
	f.Add("M=")
	f.Fuzz(func(t *testing.T, message string) {
		m, ok := ParseErrorMessage(message)
		if !ok || m.Text == "" {
			return
		}
		if again, ok := ParseErrorMessage(m.String()); !ok || again != m {
			t.Fatalf("%q is %+v, written and read again %+v", message, m, again)
		}
	})
}

func TestEveryReasonHasWords(t *testing.T) {
	for r := ReasonNone; r <= Unusable; r++ {
		if r.String() == "" || strings.HasPrefix(r.String(), "reason ") {
			t.Errorf("reason %d has no words", r)
		}
	}
	if Reason(99).String() != "reason 99" {
		t.Error("an unknown number is not shown")
	}
}
