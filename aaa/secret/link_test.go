package secret

import (
	"fmt"
	"strings"
	"testing"

	"lnsgate/aaa"
)

// exampleProofV1 is the example of RFC 2433 appendix B as it stands in a packet.
func exampleProofV1() aaa.Proof {
	response := make([]byte, responseLength)
	copy(response[ntResponseOffset:], octets("4E9D3C8F9CFD385D5BF4D3246791956CA4C351AB409A3D61"))
	response[responseLength-1] = useNTResponse
	return aaa.Proof{Method: aaa.MSCHAPv1, Challenge: octets("102DB5DF085D3041"), Response: response}
}

func TestRFC2433AppendixB_Example(t *testing.T) {
	hash := [16]byte(octets("FC156AF7EDCD6C0EDDE3337D427F4EAC"))
	for _, c := range []Credential{Clear(aaa.NewSecret("MyPw")), NTHash(hash)} {
		if reply, err := c.Check("anybody", exampleProofV1()); err != nil || reply != "" {
			t.Errorf("%s: %q, %v", c, reply, err)
		}
	}
	for _, c := range []Credential{Clear(aaa.NewSecret("mypw")), {}, Clear(aaa.NewSecret("MyPw")).Decoy()} {
		if _, err := c.Check("anybody", exampleProofV1()); causeOf(err) != aaa.WrongPassword {
			t.Errorf("%s: %v", c, err)
		}
	}
	if _, err := Hashed(HashArgon2id(aaa.NewSecret("MyPw"), [16]byte{})).Check("anybody", exampleProofV1()); causeOf(err) != aaa.NoCredentialForMethod {
		t.Errorf("one-way hash: %v", err)
	}
}

func TestRFC2433Section4_TheAnswererMakesWhatIsChecked(t *testing.T) {
	a := NewAnswerer("anybody", aaa.NewSecret("MyPw"), [16]byte{})
	if got, want := a.MSCHAPv1(exampleProofV1().Challenge), exampleProofV1().Response; string(got) != string(want) {
		t.Errorf("%X, want %X", got, want)
	}
	if a.MSCHAPv1(make([]byte, 16)) != nil || NewAnswerer("anybody", aaa.Secret{}, [16]byte{}).MSCHAPv1(make([]byte, 8)) != nil {
		t.Error("an answer to what cannot be answered")
	}
}

func TestRFC2433Section4_OnlyTheNTResponseIsChecked(t *testing.T) {
	p := exampleProofV1()
	p.Response[responseLength-1] = 0
	_, err := Clear(aaa.NewSecret("MyPw")).Check("anybody", p)
	if causeOf(err) != aaa.MalformedProof || !strings.Contains(err.Error(), "LAN Manager") {
		t.Errorf("%v", err)
	}
	p = exampleProofV1()
	for n := range 17 {
		p.Challenge = make([]byte, n)
		if _, err := Clear(aaa.NewSecret("MyPw")).Check("anybody", p); n != challengeLengthV1 && causeOf(err) != aaa.MalformedProof {
			t.Errorf("challenge of %d octets: %v", n, err)
		}
	}
}

func TestRFC3079Section3_5_KeysOfMSCHAPv2(t *testing.T) {
	for _, c := range []Credential{Clear(aaa.NewSecret(examplePassword)), NTHash([16]byte(exampleHash))} {
		keys := c.LinkKeys(exampleProof())
		if keys.Send.Reveal() != string(octets("8B7CDC149B993A1BA118CB153F56DCCB")) || keys.Receive.Reveal() != string(octets("D5F0E9521E3EA9589645E86051C82226")) || !keys.NT.IsZero() {
			t.Errorf("%s: send %X, receive %X", c, keys.Send.Reveal(), keys.Receive.Reveal())
		}
		if text := fmt.Sprintf("%v %+v %#v", keys, &keys, keys); strings.Contains(text, "8b7c") || !strings.Contains(text, "****") {
			t.Errorf("keys print as %s", text)
		}
	}
}

func TestKeysOfOtherMethods(t *testing.T) {
	c := Clear(aaa.NewSecret("MyPw"))
	// The hash of the hash, as RFC 2433 and RFC 3079 have it in their examples.
	if got := c.LinkKeys(exampleProofV1()); len(got.NT.Reveal()) != 16 || got.NT.Equal(aaa.NewSecret(string(octets("FC156AF7EDCD6C0EDDE3337D427F4EAC")))) {
		t.Errorf("MS-CHAPv1: %X", got.NT.Reveal())
	}
	for name, keys := range map[string]aaa.Keys{
		"PAP":       c.LinkKeys(prove(aaa.PAP, "u", "MyPw")),
		"CHAP":      c.LinkKeys(prove(aaa.CHAP, "u", "MyPw")),
		"none":      c.LinkKeys(aaa.Proof{}),
		"malformed": c.LinkKeys(aaa.Proof{Method: aaa.MSCHAPv2}),
		"dummy":     Credential{}.LinkKeys(exampleProofV1()),
		"one-way":   Hashed(HashArgon2id(aaa.NewSecret("MyPw"), [16]byte{})).LinkKeys(exampleProofV1()),
	} {
		if !keys.Send.IsZero() || !keys.Receive.IsZero() || !keys.NT.IsZero() {
			t.Errorf("%s has keys", name)
		}
	}
}
