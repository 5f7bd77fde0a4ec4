package secret

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"lnsgate/aaa"
)

var zeroChallenge [16]byte

// prove makes the proof of a peer that types name and password.
func prove(m aaa.Method, name, password string) aaa.Proof {
	a := NewAnswerer(name, aaa.NewSecret(password), zeroChallenge)
	p := aaa.Proof{Method: m, Identifier: 9, Challenge: bytes.Repeat([]byte{3}, 16)}
	switch m {
	case aaa.PAP:
		p.Password = a.PAP()
	case aaa.CHAP:
		p.Response = a.CHAP(p.Identifier, p.Challenge)
	case aaa.MSCHAPv2:
		p.Response = a.MSCHAPv2(p.Challenge)
	}
	return p
}

func causeOf(err error) aaa.Cause {
	var r *aaa.Rejection
	if errors.As(err, &r) {
		return r.Cause
	}
	return aaa.CauseNone
}

func TestCheckForEveryStoredFormAndMethod(t *testing.T) {
	const password = "Admin@123"
	forms := map[string]Credential{
		"clear": Clear(aaa.NewSecret(password)), "hash": NTHash(ntHash(password)), "dummy": {}, "empty": Clear(aaa.Secret{}),
	}
	want := map[string]map[aaa.Method]aaa.Cause{
		"clear": {aaa.PAP: aaa.CauseNone, aaa.CHAP: aaa.CauseNone, aaa.MSCHAPv2: aaa.CauseNone},
		"hash":  {aaa.PAP: aaa.CauseNone, aaa.CHAP: aaa.NoCredentialForMethod, aaa.MSCHAPv2: aaa.CauseNone},
		"dummy": {aaa.PAP: aaa.WrongPassword, aaa.CHAP: aaa.WrongPassword, aaa.MSCHAPv2: aaa.WrongPassword},
		"empty": {aaa.PAP: aaa.WrongPassword, aaa.CHAP: aaa.WrongPassword, aaa.MSCHAPv2: aaa.WrongPassword},
	}
	for form, c := range forms {
		for m, cause := range want[form] {
			reply, err := c.Check("user", prove(m, "user", password))
			if causeOf(err) != cause || (err == nil) != (cause == aaa.CauseNone) {
				t.Errorf("%s by %s: %v, want %s", form, m, err, cause)
			}
			if (reply != "") != (err == nil && m == aaa.MSCHAPv2) {
				t.Errorf("%s by %s: reply %q", form, m, reply)
			}
			wrong := prove(m, "user", password+"!")
			if _, err := c.Check("user", wrong); err == nil {
				t.Errorf("%s by %s: a wrong password was accepted", form, m)
			}
		}
		for _, m := range []aaa.Method{aaa.MethodNone, aaa.EAP, 77} {
			if _, err := c.Check("user", aaa.Proof{Method: m}); causeOf(err) != aaa.NoCredentialForMethod {
				t.Errorf("%s by %s: %v", form, m, err)
			}
		}
	}
}

// The hash of the empty password must not bring in what an empty password does not.
func TestTheHashOfTheEmptyPasswordMatchesNothing(t *testing.T) {
	c := NTHash([16]byte{0x31, 0xd6, 0xcf, 0xe0, 0xd1, 0x6a, 0xe9, 0x31, 0xb7, 0x3c, 0x59, 0xd7, 0xe0, 0xc0, 0x89, 0xc0})
	if !errors.Is(c.Validate(), ErrEmpty) || !c.IsZero() {
		t.Errorf("Validate %v, IsZero %v", c.Validate(), c.IsZero())
	}
	if _, err := c.Check("u", prove(aaa.PAP, "u", "")); causeOf(err) != aaa.WrongPassword {
		t.Errorf("PAP: %v", err)
	}
	p := aaa.Proof{Method: aaa.MSCHAPv2, Challenge: bytes.Repeat([]byte{3}, 16), Response: make([]byte, responseLength)}
	copy(p.Response[ntResponseOffset:], ntResponse("u", p.Challenge, p.Response[:challengeLength], ntHash("")))
	if _, err := c.Check("u", p); causeOf(err) != aaa.WrongPassword {
		t.Errorf("MS-CHAPv2: %v", err)
	}
}

// The dummy has no password and an all-zero hash. Neither may ever match.
func TestTheDummyMatchesNothing(t *testing.T) {
	var dummy Credential
	if _, err := dummy.Check("u", prove(aaa.PAP, "u", "")); causeOf(err) != aaa.WrongPassword {
		t.Errorf("empty PAP password: %v", err)
	}
	response := chapResponse(9, "", bytes.Repeat([]byte{3}, 16))
	p := aaa.Proof{Method: aaa.CHAP, Identifier: 9, Challenge: bytes.Repeat([]byte{3}, 16), Response: response[:]}
	if _, err := dummy.Check("u", p); causeOf(err) != aaa.WrongPassword {
		t.Errorf("CHAP over no password: %v", err)
	}
	ms := make([]byte, responseLength)
	copy(ms[ntResponseOffset:], ntResponse("u", p.Challenge, ms[:challengeLength], [16]byte{}))
	p = aaa.Proof{Method: aaa.MSCHAPv2, Challenge: p.Challenge, Response: ms}
	if _, err := dummy.Check("u", p); causeOf(err) != aaa.WrongPassword {
		t.Errorf("MS-CHAPv2 over the zero hash: %v", err)
	}
}

func TestEveryFlippedBitOfAResponseIsRejected(t *testing.T) {
	c := Clear(aaa.NewSecret("Admin@123"))
	for _, m := range []aaa.Method{aaa.CHAP, aaa.MSCHAPv2} {
		good := prove(m, "user", "Admin@123")
		for bit := range len(good.Response) * 8 {
			octet := bit / 8
			if m == aaa.MSCHAPv2 && (octet >= 16 && octet < 24 || octet == 48) {
				continue // reserved and flags are not part of the proof
			}
			bad := good
			bad.Response = bytes.Clone(good.Response)
			bad.Response[octet] ^= 1 << (bit % 8)
			if _, err := c.Check("user", bad); causeOf(err) != aaa.WrongPassword {
				t.Fatalf("%s with bit %d flipped: %v", m, bit, err)
			}
		}
		other := good
		other.Challenge = bytes.Repeat([]byte{4}, 16)
		if _, err := c.Check("user", other); causeOf(err) != aaa.WrongPassword {
			t.Errorf("%s with another challenge: %v", m, err)
		}
	}
	p := prove(aaa.CHAP, "user", "Admin@123")
	p.Identifier++
	if _, err := c.Check("user", p); causeOf(err) != aaa.WrongPassword {
		t.Errorf("CHAP with another identifier: %v", err)
	}
}

func TestProofsOfEveryWrongLengthAreMalformed(t *testing.T) {
	c := Clear(aaa.NewSecret("Admin@123"))
	for _, m := range []aaa.Method{aaa.CHAP, aaa.MSCHAPv2} {
		good := prove(m, "user", "Admin@123")
		for n := range 80 {
			p := good
			p.Response = make([]byte, n)
			copy(p.Response, good.Response)
			_, err := c.Check("user", p)
			if right := n == len(good.Response); right != (err == nil) || !right && causeOf(err) != aaa.MalformedProof {
				t.Errorf("%s with %d octets: %v", m, n, err)
			}
		}
	}
	p := prove(aaa.MSCHAPv2, "user", "Admin@123")
	for _, n := range []int{0, 8, 15, 17} {
		p.Challenge = make([]byte, n)
		if _, err := c.Check("user", p); causeOf(err) != aaa.MalformedProof {
			t.Errorf("challenge of %d octets: %v", n, err)
		}
	}
}

func TestPasswordsOutsideTheBoundsAreSaidToBe(t *testing.T) {
	for _, test := range []struct {
		what, password string
		want           error
	}{
		{"empty", "", ErrEmpty},
		{"one letter", "x", nil},
		{"256 units", strings.Repeat("x", 256), nil},
		{"257 units", strings.Repeat("x", 257), ErrTooLong},
		{"256 units of three octets", strings.Repeat("€", 256), nil},
		{"128 surrogate pairs", strings.Repeat("😀", 128), nil},
		{"129 surrogate pairs", strings.Repeat("😀", 129), ErrTooLong},
		{"a megabyte", strings.Repeat("x", 1<<20), ErrTooLong},
		{"Latin-1", "Gr\xfc\xdfe", ErrNotText},
	} {
		c := Clear(aaa.NewSecret(test.password))
		if err := c.Validate(); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", test.what, err, test.want)
		}
		if c.IsZero() != (test.want != nil) {
			t.Errorf("%s: IsZero is %v", test.what, c.IsZero())
		}
		if _, err := c.Check("u", prove(aaa.PAP, "u", test.password)); test.want != nil && causeOf(err) != aaa.WrongPassword {
			t.Errorf("%s: it matches: %v", test.what, err)
		}
	}
	long := Clear(aaa.NewSecret(strings.Repeat("x", 256)))
	if _, err := long.Check("u", prove(aaa.PAP, "u", strings.Repeat("x", 255))); causeOf(err) != aaa.NoCredentialForMethod {
		t.Errorf("a password PAP cannot carry: %v", err)
	}
}

func TestACredentialPrintsNoSecret(t *testing.T) {
	type holder struct{ Held, held Credential }
	for _, c := range []Credential{Clear(aaa.NewSecret("Admin@123")), NTHash(ntHash("Admin@123"))} {
		hash := ntHash("Admin@123")
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
			for _, v := range []any{c, &c, holder{Held: c}, []Credential{c}} {
				text := fmt.Sprintf(verb, v)
				if strings.Contains(text, "Admin") || strings.Contains(text, fmt.Sprintf("%x", hash)) ||
					strings.Contains(text, fmt.Sprint(hash[:4])[1:12]) {
					t.Errorf("%s prints %s", verb, text)
				}
			}
		}
		if text := fmt.Sprintf("%+v", holder{held: c}); strings.Contains(text, fmt.Sprint(hash[:4])[1:12]) {
			t.Errorf("an unexported field prints %s", text)
		}
	}
}

func TestAnswererCannotAnswerWithoutAUsablePasswordOrChallenge(t *testing.T) {
	a := NewAnswerer("u", aaa.NewSecret("pw"), zeroChallenge)
	if a.VerifyMSCHAPv2("S=" + strings.Repeat("0", 40)) {
		t.Error("it accepts a Success before it answered")
	}
	if a.MSCHAPv2(make([]byte, 15)) != nil {
		t.Error("it answers a challenge of 15 octets")
	}
	if NewAnswerer("u", aaa.NewSecret("\xff"), zeroChallenge).MSCHAPv2(make([]byte, 16)) != nil {
		t.Error("it answers with a password that is no text")
	}
}

func TestRFC2759Section5_PeerVerifiesTheAuthenticatorResponse(t *testing.T) {
	a := NewAnswerer("User", aaa.NewSecret("clientPass"), [16]byte(examplePeerChallenge))
	a.MSCHAPv2(exampleChallenge)
	for message, accepted := range map[string]bool{
		exampleReply: true, exampleReply + " M=hello": true, exampleReply + " ": true,
		exampleReply + "M=no space": true, exampleReply + "\x00": true, exampleReply[:41]: false, exampleReply[:41] + " M=hello": false, "": false, "M=hello": false,
		strings.ToLower(exampleReply): false, "S=" + strings.Repeat("0", 40): false, " " + exampleReply: false,
	} {
		if a.VerifyMSCHAPv2(message) != accepted {
			t.Errorf("%q: accepted is %v", message, !accepted)
		}
	}
}

func FuzzCheck(f *testing.F) {
	f.Add(uint8(aaa.CHAP), "user", []byte("0123456789abcdef"), []byte("0123456789abcdef"))
	f.Add(uint8(aaa.MSCHAPv2), `D\user`, make([]byte, 16), make([]byte, 49))
	f.Add(uint8(aaa.PAP), "", []byte{}, []byte("wrong"))
	stored := []Credential{{}, Clear(aaa.NewSecret("not guessed by chance")), NTHash([16]byte{1, 2, 3})}
	f.Fuzz(func(t *testing.T, method uint8, name string, challenge, response []byte) {
		p := aaa.Proof{
			Method: aaa.Method(method), Challenge: challenge, Response: response, Password: aaa.NewSecret(string(response)),
		}
		for _, c := range stored {
			if reply, err := c.Check(name, p); err == nil || reply != "" {
				t.Fatalf("%s accepts %+v", c, p)
			}
		}
	})
}

func BenchmarkCheck(b *testing.B) {
	for _, m := range []aaa.Method{aaa.PAP, aaa.CHAP, aaa.MSCHAPv2} {
		p := prove(m, "user", "Admin@123")
		for what, c := range map[string]Credential{"right": Clear(aaa.NewSecret("Admin@123")), "dummy": {}} {
			b.Run(m.String()+"/"+what, func(b *testing.B) {
				for b.Loop() {
					_, _ = c.Check("user", p)
				}
			})
		}
	}
}
