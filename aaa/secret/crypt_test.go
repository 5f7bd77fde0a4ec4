package secret

import (
	"errors"
	"os/exec"
	"strings"
	"testing"

	"lnsgate/aaa"
)

// The inputs are those of Ulrich Drepper's specification of sha256-crypt and sha512-crypt, what comes of them is from
// crypt(3) of Debian 12, and so are the rest.
var cryptTexts = []struct{ text, password string }{
	{`$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5`, `Hello world!`},
	{`$5$rounds=10000$saltstringsaltst$3xv.VbSHBb41AL9AvLeujZkZRBAwqFMz2.opqey6IcA`, `Hello world!`},
	{`$5$rounds=5000$toolongsaltstrin$Un/5jzAHMgOGZ5.mWJpuVolil07guHPvOW8mGRcvxa5`, `This is just a test`},
	{`$5$rounds=1400$anotherlongsalts$Rx.j8H.h8HjEDGomFU8bDkXm3XIUnzyxf12oP84Bnq1`, `a very much longer text to encrypt.  This one even stretches over morethan one line.`},
	{`$5$rounds=77777$short$JiO1O3ZpDAxGJeaDIuqCoEFysAe1mZNJRs3pw0KQRd/`, `we have a short salt string but not a short password`},
	{`$5$rounds=123456$asaltof16chars..$gP3VQ/6X7UUEW3HkBn2w1/Ptq2jxPyzV/cZKmF/wJvD`, `a short string`},
	{`$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1`, `Hello world!`},
	{`$6$rounds=10000$saltstringsaltst$OW1/O6BYHV6BcXZu8QVeXbDWra3Oeqh0sbHbbMCVNSnCM/UrjmM0Dp8vOuZeHBy/YTBmSK6H9qs/y3RnOaw5v.`, `Hello world!`},
	{`$6$rounds=5000$toolongsaltstrin$lQ8jolhgVRVhY4b5pZKaysCLi0QBxGoNeKQzQ3glMhwllF7oGDZxUhx1yxdYcz/e1JSbq3y6JMxxl8audkUEm0`, `This is just a test`},
	{`$6$rounds=1400$anotherlongsalts$POfYwTEok97VWcjxIiSOjiykti.o/pQs.wPvMxQ6Fm7I6IoYN3CmLs66x9t0oSwbtEW7o7UmJEiDwGqd8p4ur1`, `a very much longer text to encrypt.  This one even stretches over morethan one line.`},
	{`$6$rounds=77777$short$WuQyW2YR.hBNpjjRhpYD/ifIw05xdfeEyQoMxIXbkvr0gge1a1x3yRULJ5CCaUeOxFmtlcGZelFl5CxtgfiAc0`, `we have a short salt string but not a short password`},
	{`$6$rounds=123456$asaltof16chars..$BtCwjqMJGx5hrJhZywWvt0RLE8uZ4oPwcelCjmw2kSYu.Ec6ycULevoBK25fs2xXgMNrCzIMVcgEJAstJeonj1`, `a short string`},
	{`$6$rounds=1000$xy$6/ygxqV.n.XfQcSJqcLl0WJRaqqjHTlcxwMoT5HyzXyR6g759FtjBe1ySs4qtTE625Ye3OFyG1xPQJhAeLbTB1`, `Grüße`},
	{`$6$rounds=1234$longpassword$j734tnZHgWJr3TZ7bN4QXWxtgWaSqpQuXH/zjLqaVu4tUCATZyGOIOvMOug5buPjk6ynE5ixGGFh32k7Oxf5y/`, strings.Repeat("g", 200)},
	{`$5$rounds=1001$longpassword$OW5iqraFG8ltD/J5FLB9S9JpNhwFaqrWBLabOWkQ.O3`, strings.Repeat("g", 200)},
	{`$6$$i4E0AZmQBmd1HZRWzuPsBXzyuqM/i3W7xjIw9M4wSBK4PtSgGiTmKchDvSN1vJQtZMPNCb9peE7d1rMFg9v8h0`, `p`},
	{`$1$abcdefgh$eKehL.s8tG6zTf8hBtmEF.`, `geheim`},
	{`$1$x$hiN0EG1U2OVhvWQBid7j81`, `p`},
	{`$1$longpass$HEhh4b41OTxNFm.P91A1Z1`, strings.Repeat("g", 255)},
}

func TestCryptTextsOfOtherSystemsAreChecked(t *testing.T) {
	for _, test := range cryptTexts {
		expectCrypt(t, test.text, test.password)
	}
}

func expectCrypt(t *testing.T, text, password string) {
	t.Helper()
	c := Hashed(text)
	if c.Validate() != nil || !c.Slow() || !strings.HasSuffix(c.String(), "-crypt hash") {
		t.Errorf("%s: %v, slow %v, %s", text, c.Validate(), c.Slow(), c)
	}
	if _, err := c.Check("u", prove(aaa.PAP, "u", password)); err != nil {
		t.Errorf("%s: %v", text, err)
	}
	for _, wrong := range []string{"", password + "!", password[1:], password + "\x00"} {
		if _, err := c.Check("u", prove(aaa.PAP, "u", wrong)); causeOf(err) != aaa.WrongPassword {
			t.Errorf("%s: %q gives %v", text, wrong, err)
		}
	}
	for _, m := range []aaa.Method{aaa.CHAP, aaa.MSCHAPv2} {
		if _, err := c.Check("u", prove(m, "u", password)); causeOf(err) != aaa.NoCredentialForMethod || !strings.Contains(err.Error(), "one-way; use pap") {
			t.Errorf("%s by %s: %v", text, m, err)
		}
	}
	if decoy := c.Decoy(); !decoy.IsZero() || !decoy.Slow() {
		t.Errorf("%s: the decoy is %v", text, decoy)
	}
}

// What the tools of this machine make is what is checked, whatever their salt.
func TestCryptTextsOfOpenSSLAreChecked(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Log("there is no openssl here; the texts of crypt(3) are checked above")
		return
	}
	for _, kind := range []string{"-1", "-5", "-6"} {
		for _, password := range []string{"x", "Admin@123", "Grüße aus Köln", strings.Repeat("0123456789abcdef", 9)} {
			cmd := exec.Command(openssl, "passwd", kind, "-stdin")
			cmd.Stdin = strings.NewReader(password)
			out, err := cmd.Output()
			if err != nil {
				t.Fatal(kind, err)
			}
			expectCrypt(t, strings.TrimSpace(string(out)), password)
		}
	}
}

// Nobody may have us spend seconds on one login by what stands in a row.
func TestCryptTextsThatCannotBeUsed(t *testing.T) {
	good := cryptTexts[7].text // $6$rounds=10000$...
	for text, want := range map[string]string{
		strings.Replace(good, "10000", "999999999", 1):                    `rounds=999999999; 1000 to 1000000 are allowed`,
		strings.Replace(good, "10000", "1000001", 1):                      `1000 to 1000000 are allowed`,
		strings.Replace(good, "10000", "999", 1):                          `1000 to 1000000 are allowed`,
		strings.Replace(good, "10000", "-5", 1):                           `rounds that are no number`,
		strings.Replace(good, "10000", "", 1):                             `rounds that are no number`,
		strings.Replace(good, "10000", strings.Repeat("9", 99), 1):        `rounds that are no number`,
		strings.Replace(good, "saltstringsaltst", "saltstringsaltstr", 1): "salt or sum of no use",
		good[:len(good)-1]:       "salt or sum of no use",
		good + ".":               "salt or sum of no use",
		good[:len(good)-1] + "!": "salt or sum of no use",
		"$1$rounds=1000$x$hiN0EG1U2OVhvWQBid7j81": "md5-crypt with a salt or sum",
		"$6$": "salt or sum of no use", "$5$x": "salt or sum of no use",
		"$y$j9T$abc$def": "neither argon2id, bcrypt, $6$, $5$ nor $1$",
		"rl0uE0MTM8aYc":  "neither argon2id, bcrypt, $6$, $5$ nor $1$",
	} {
		c := Hashed(text)
		if err := c.Validate(); !errors.Is(err, ErrHash) || !c.IsZero() || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}
