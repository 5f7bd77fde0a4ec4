package l2tp

import (
	"crypto/md5"
	"testing"
)

func TestRFC2661Section4_4_2_ResultCodesInWords(t *testing.T) {
	for _, c := range []struct {
		r    ResultCode
		kind MessageType
		want string
	}{
		{ResultCode{Result: 1}, TypeStopCCN, "result 1 (general request to clear the control connection)"},
		{ResultCode{Result: 1}, TypeCDN, "result 1 (carrier lost)"},
		{ResultCode{Result: 2, Error: 8, Message: "attribute 99"}, TypeCDN,
			"result 2 (general error), error 8 (unknown AVP with the M bit set): attribute 99"},
		{ResultCode{Result: 5, Error: 0x100}, TypeStopCCN, "result 5 (protocol version not supported), error 256"},
		{ResultCode{Result: 99}, TypeCDN, "result 99"},
		{ResultCode{}, TypeCDN, "result 0"},
	} {
		if got := c.r.Words(c.kind); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
	if got := (ResultCode{2, 4, "full"}).String(); got != "result 2, error 4 (insufficient resources): full" {
		t.Errorf("%q", got)
	}
	for i := 1; i <= 7; i++ {
		if stopWords[i] == "" {
			t.Errorf("StopCCN result %d has no words", i)
		}
	}
	for i := 1; i <= 11; i++ {
		if cdnWords[i] == "" {
			t.Errorf("CDN result %d has no words", i)
		}
	}
	for i := range 9 {
		if errorWords[i] == "" {
			t.Errorf("error %d has no words", i)
		}
	}
}

func TestRFC2661Section5_1_1_ChallengeResponse(t *testing.T) {
	want := md5.Sum([]byte("\x02secretchallenge"))
	if got := ChallengeResponse(TypeSCCRP, []byte("secret"), []byte("challenge")); got != want {
		t.Errorf("%x", got)
	}
	for _, c := range []struct {
		kind              MessageType
		secret, challenge string
		response          []byte
		ok                bool
	}{
		{TypeSCCRP, "secret", "challenge", want[:], true},
		{TypeSCCCN, "secret", "challenge", want[:], false},
		{TypeSCCRP, "Secret", "challenge", want[:], false},
		{TypeSCCRP, "secret", "Challenge", want[:], false},
		{TypeSCCRP, "secret", "challenge", want[:15], false},
		{TypeSCCRP, "secret", "challenge", nil, false},
	} {
		if got := VerifyChallengeResponse(c.kind, []byte(c.secret), []byte(c.challenge), c.response); got != c.ok {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

func TestNames(t *testing.T) {
	for kind, want := range map[MessageType]string{1: "SCCRQ", 2: "SCCRP", 3: "SCCCN", 4: "StopCCN", 6: "HELLO", 7: "OCRQ",
		8: "OCRP", 9: "OCCN", 10: "ICRQ", 11: "ICRP", 12: "ICCN", 14: "CDN", 15: "WEN", 16: "SLI", 0: "ZLB", 5: "message type 5"} {
		if kind.String() != want {
			t.Errorf("%d is %q", uint16(kind), kind)
		}
		if kind.OfCall() != (kind >= 7 && kind <= 16) {
			t.Errorf("%v: OfCall", kind)
		}
	}
	for a, want := range map[Attribute]string{7: "Host Name (7)", 20: "attribute 20", 99: "attribute 99"} {
		if a.String() != want {
			t.Errorf("%q", a)
		}
	}
	for s, want := range map[Scope]string{ScopeIgnore: "ignore", ScopeSession: "session", ScopeTunnel: "tunnel"} {
		if s.String() != want {
			t.Errorf("%q", s)
		}
	}
	if VersionError(3).Error() != "l2tp: header version is 3, want 2" {
		t.Error(VersionError(3))
	}
}
