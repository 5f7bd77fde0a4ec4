package secret

import (
	"bytes"
	"encoding/hex"
	"testing"

	"layeh.com/radius/rfc2759"
	"pgregory.net/rapid"

	"lnsgate/aaa"
)

// The example of RFC 2759 section 9.2.
const (
	exampleName     = "User"
	examplePassword = "clientPass"
	exampleReply    = "S=407A5589115FD0D6209F510FE9C04566932CDA56"
)

var (
	exampleChallenge     = octets("5B5D7C7D7B3F2F3E3C2C602132262628")
	examplePeerChallenge = octets("21402324255E262A28295F2B3A337C7E")
	exampleNTResponse    = octets("82309ECD8D708B5EA08FAA3981CD83544233114A3D85D6DF")
	exampleHash          = octets("44EBBA8D5312B8D611474411F56989AE")
)

func octets(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

// exampleProof is the Response of the example as it stands in the packet.
func exampleProof() aaa.Proof {
	response := make([]byte, responseLength)
	copy(response, examplePeerChallenge)
	copy(response[ntResponseOffset:], exampleNTResponse)
	return aaa.Proof{Method: aaa.MSCHAPv2, Identifier: 1, Challenge: exampleChallenge, Response: response}
}

func TestRFC2759Section9_2_Example(t *testing.T) {
	hash := ntHash(examplePassword)
	if !bytes.Equal(hash[:], exampleHash) {
		t.Errorf("NT hash %X", hash)
	}
	for _, c := range []Credential{Clear(aaa.NewSecret(examplePassword)), NTHash([16]byte(exampleHash))} {
		reply, err := c.Check(exampleName, exampleProof())
		if err != nil || reply != exampleReply {
			t.Errorf("%s: %q, %v", c, reply, err)
		}
	}
	a := NewAnswerer(exampleName, aaa.NewSecret(examplePassword), [16]byte(examplePeerChallenge))
	if got := a.MSCHAPv2(exampleChallenge); !bytes.Equal(got, exampleProof().Response) {
		t.Errorf("response %X", got)
	}
	if !a.VerifyMSCHAPv2(exampleReply + " M=Welcome") {
		t.Error("the peer refuses the example's authenticator response")
	}
}

func TestRFC2759Section8_2_NameIsHashedWithoutDomainPrefix(t *testing.T) {
	c := Clear(aaa.NewSecret(examplePassword))
	for typed, match := range map[string]bool{
		"User": true, `CORP\User`: true, `A\B\User`: true,
		"user": false, "User@corp": false, `User\CORP`: false, "": false,
	} {
		_, err := c.Check(typed, exampleProof())
		if (err == nil) != match {
			t.Errorf("typed %q: %v", typed, err)
		}
	}
	// what a client that types these names sends.
	for typed, hashed := range map[string]string{
		`CORP\bob`: "bob", "bob@corp": "bob@corp", `CORP\bob@x`: "bob@x", "bob": "bob", `bob\`: "",
	} {
		if got := HashName(typed); got != hashed {
			t.Errorf("HashName(%q) = %q, want %q", typed, got, hashed)
		}
	}
}

func TestRFC1994Section4_1_ResponseIsMD5OfIdentifierSecretChallenge(t *testing.T) {
	// md5(01 "secret" 00..0f), worked out with md5sum.
	challenge := octets("000102030405060708090a0b0c0d0e0f")
	want := octets("740e86463bda3a4d7017d6e0fba0699d")
	if got := chapResponse(1, "secret", challenge); !bytes.Equal(got[:], want) {
		t.Errorf("response %x", got)
	}
}

// The library works from the password, we work from the stored hash: the two have to agree.
func TestMSCHAPv2AgreesWithTheLibraryForAnyPassword(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		password := rapid.StringN(1, 60, MaxUnits).Draw(t, "password")
		name := rapid.StringMatching(`[a-zA-Z0-9@.]{1,40}`).Draw(t, "name")
		challenge := rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "challenge")
		peer := rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "peer challenge")

		a := NewAnswerer(name, aaa.NewSecret(password), [16]byte(peer))
		response := a.MSCHAPv2(challenge)
		want, err := rfc2759.GenerateNTResponse(challenge, peer, []byte(name), []byte(password))
		if err != nil {
			t.Fatal(err)
		}
		if got := response[ntResponseOffset : ntResponseOffset+ntResponseLength]; !bytes.Equal(got, want) {
			t.Fatalf("NT response %X, library %X", got, want)
		}
		reply, err := Clear(aaa.NewSecret(password)).Check(name, aaa.Proof{Method: aaa.MSCHAPv2, Challenge: challenge, Response: response})
		if err != nil {
			t.Fatal(err)
		}
		wantReply, err := rfc2759.GenerateAuthenticatorResponse(challenge, peer, want, []byte(name), []byte(password))
		if err != nil || reply != wantReply {
			t.Fatalf("reply %s, library %s, %v", reply, wantReply, err)
		}
		if !a.VerifyMSCHAPv2(reply) {
			t.Fatal("the peer refuses the reply")
		}
	})
}
