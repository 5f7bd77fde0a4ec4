package secret

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"lnsgate/aaa"
)

func bcryptOf(t *testing.T, password string) string {
	t.Helper()
	text, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// cheap is argon2id with little work, made by the reference program: password "password", salt "somesalt".
const cheap = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"

func TestHashedChecksPAPOnly(t *testing.T) {
	for form, test := range map[string]struct{ text, password string }{
		"argon2id, reference vector": {cheap, "password"},
		"argon2id, ours":             {HashArgon2id(aaa.NewSecret("Grüße"), [16]byte{1}), "Grüße"},
		"bcrypt":                     {bcryptOf(t, "Admin@123"), "Admin@123"},
		"bcrypt of another program":  {strings.Replace(bcryptOf(t, "x"), "$2a$", "$2y$", 1), "x"},
		"bcrypt, longest":            {bcryptOf(t, strings.Repeat("y", 72)), strings.Repeat("y", 72)},
	} {
		c := Hashed(test.text)
		if c.Validate() != nil || c.IsZero() || !c.Slow() {
			t.Errorf("%s: %v, zero %v, slow %v", form, c.Validate(), c.IsZero(), c.Slow())
		}
		if _, err := c.Check("u", prove(aaa.PAP, "u", test.password)); err != nil {
			t.Errorf("%s: %v", form, err)
		}
		for _, wrong := range []string{"", test.password + "!", test.password[1:], strings.Repeat("z", 200)} {
			if _, err := c.Check("u", prove(aaa.PAP, "u", wrong)); causeOf(err) != aaa.WrongPassword {
				t.Errorf("%s: %q gives %v", form, wrong, err)
			}
		}
		for _, m := range []aaa.Method{aaa.CHAP, aaa.MSCHAPv2, aaa.EAP} {
			if _, err := c.Check("u", prove(m, "u", test.password)); causeOf(err) != aaa.NoCredentialForMethod {
				t.Errorf("%s by %s: %v", form, m, err)
			}
		}
		decoy := c.Decoy()
		if _, err := decoy.Check("u", prove(aaa.PAP, "u", test.password)); causeOf(err) != aaa.WrongPassword || !decoy.Slow() || !decoy.IsZero() {
			t.Errorf("%s: the decoy says %v", form, err)
		}
		if out := fmt.Sprintf("%v %+v %#v", c, c, struct{ hidden Credential }{c}); strings.Contains(out, test.text[20:]) {
			t.Errorf("%s prints %s", form, out)
		}
	}
}

// bcrypt looks at 72 octets only; whoever shows these and more has not shown the password.
func TestBcryptDoesNotLetALongerPasswordIn(t *testing.T) {
	long := strings.Repeat("y", 72)
	if _, err := Hashed(bcryptOf(t, long)).Check("u", prove(aaa.PAP, "u", long+"tail")); causeOf(err) != aaa.WrongPassword {
		t.Error(err)
	}
}

// The MS-CHAPv2 answer for a hash of zeros must not open an account that has none.
func TestAHashedCredentialHasNoNTHash(t *testing.T) {
	p := prove(aaa.MSCHAPv2, "u", "x")
	copy(p.Response[ntResponseOffset:], ntResponse("u", p.Challenge, p.Response[:challengeLength], [16]byte{}))
	for _, c := range []Credential{Hashed(cheap), Hashed(cheap).Decoy(), {}} {
		if match, _ := c.checkMSCHAPv2("u", p); match {
			t.Errorf("%s matches", c)
		}
	}
}

func TestAHashThatCannotBeUsedNeverMatches(t *testing.T) {
	for _, text := range []string{
		"", "x", "$1$abc$def", "$2a$", "$2a$16$" + strings.Repeat("a", 53), "$2a$xx$" + strings.Repeat("a", 53), bcryptOf(t, "x")[:59],
		"$argon2id$", "$argon2i$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
		strings.Replace(cheap, "v=19", "v=16", 1), strings.Replace(cheap, "t=2", "t=0", 1), strings.Replace(cheap, "t=2", "t=17", 1),
		strings.Replace(cheap, "m=256", "m=999999999", 1), strings.Replace(cheap, "m=256", "m=7", 1), strings.Replace(cheap, "p=1", "p=0", 1),
		strings.Replace(cheap, "p=1", "p=256", 1), strings.Replace(cheap, ",p=1", "", 1), strings.Replace(cheap, "c29tZXNhbHQ", "c29", 1),
		strings.Replace(cheap, "c29tZXNhbHQ", "!", 1), cheap[:len(cheap)-30], cheap + "$x",
	} {
		c := Hashed(text)
		if !errors.Is(c.Validate(), ErrHash) || !c.IsZero() {
			t.Errorf("%q: %v", text, c.Validate())
		}
		if _, err := c.Check("u", prove(aaa.PAP, "u", "x")); causeOf(err) != aaa.WrongPassword {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func FuzzHashed(f *testing.F) {
	for _, text := range []string{cheap, "$2a$04$" + strings.Repeat("a", 53), "", "$argon2id$v=19$m=8,t=1,p=1$$",
		"$1$x$hiN0EG1U2OVhvWQBid7j81", "$6$rounds=1000$xy$", "$5$rounds=999999999$x$" + strings.Repeat(".", 43)} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if c := Hashed(text); (c.Validate() == nil) == c.IsZero() {
			t.Errorf("%q: %v but zero is %v", text, c.Validate(), c.IsZero())
		}
	})
}

func TestNTHashOfMakesWhatNTHashChecks(t *testing.T) {
	hash, err := NTHashOf(aaa.NewSecret("Grüße"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := NTHash(hash).Check("u", prove(aaa.MSCHAPv2, "u", "Grüße")); err != nil {
		t.Error(err)
	}
	if _, err := NTHashOf(aaa.Secret{}); !errors.Is(err, ErrEmpty) {
		t.Error(err)
	}
}
