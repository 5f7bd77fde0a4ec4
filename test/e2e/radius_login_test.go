package e2e

import (
	"strings"
	"testing"

	"lnsgate/test/radtest"
)

const radiusPeople = `alice@sales.example Cleartext-Password := "Alice@123"
	Reply-Message = "welcome"
carol Cleartext-Password := "Carol@123"
dave@sales.example Cleartext-Password := "Dave@1234"
long@sales.example Cleartext-Password := "Ein längeres Kennwort mit ümläuten, das in mehr als vier Blöcke von 16 Oktetten geht"
mallory@sales.example Cleartext-Password := "Mallory@1", Auth-Type := Reject
	Reply-Message = "call the help desk"
`

// FreeRADIUS checks what people prove by any of the three methods, and its words reach them.
func TestRADIUSChecksPasswords(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	radius := radtest.Start(t, radtest.Options{Users: radiusPeople, Namespace: w.lns})
	s := w.serve(askingRADIUS(salesByRADIUS, radiusGroup("hq", radius)))
	for _, method := range []string{"pap", "chap", "mschapv2"} {
		c := w.dial(w.client, alice, alicePassword, "--auth", method)
		if up := c.up(); up.Method != method || !strings.Contains(up.Message, "welcome") {
			t.Errorf("%s: up by %s with the words %q", method, up.Method, up.Message)
		}
		if session := s.session(alice); session.Backend != "hq" || session.Domain != "sales.example" {
			t.Errorf("%s: %+v", method, session)
		}
		c.hangUp()
		s.empty()
		_, end := w.refused(s, alice, "Alice@124", "refused by the RADIUS server", "--auth", method)
		if end.Step != "authentication" {
			t.Errorf("%s: a wrong password ends the call in step %q", method, end.Step)
		}
	}
	for _, method := range []string{"pap", "chap", "mschapv2"} {
		c := w.dial(w.client, "long@sales.example", "Ein längeres Kennwort mit ümläuten, das in mehr als vier Blöcke von 16 Oktetten geht",
			"--auth", method, "--once")
		if end, code := c.gone(); code != 0 {
			t.Errorf("%s: a long password: %+v", method, end)
		}
	}
	server := radius.Auth().String()
	w.refused(s, alice, "Alice@124", "RADIUS server "+server+" says no")
	c, _ := w.refused(s, "mallory@sales.example", "Mallory@1", `says no: "call the help desk"`, "--auth", "pap")
	if said := c.step("PAP Authenticate-Nak").Detail; !strings.Contains(said, "call the help desk") {
		t.Errorf("the peer is told %s", said)
	}
	// FreeRADIUS allows another try; we never say R=1 of our own accord. The challenge is the server's as well.
	c, _ = w.refused(s, alice, "Alice@124", server, "--auth", "mschapv2")
	if said := c.step("CHAP Failure").Detail; !strings.Contains(said, "E=691 R=1 C=") || !strings.Contains(said, "V=3 M=") {
		t.Errorf("the peer is told %s", said)
	}
	s.stop()
}

// A group decides how its servers know people.
func TestRADIUSNamesPeopleAsTheGroupSays(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	radius := radtest.Start(t, radtest.Options{Users: radiusPeople, Namespace: w.lns})
	s := w.serve(askingRADIUS(`
	domains:
	  - {name: sales.example, authentication: [hq], accounting: [hq], pools: [pool1]}
	  - {name: short.example, authentication: [short], accounting: [short], pools: [pool1]}`,
		radiusGroup("hq", radius, "user_name: with_domain"), radiusGroup("short", radius, "user_name: without_domain")))
	for _, p := range []struct{ typed, password, known string }{
		{"carol@short.example", "Carol@123", "carol"},
		{"dave", "Dave@1234", "dave@sales.example"},
	} {
		for _, method := range []string{"pap", "chap"} {
			w.dial(w.client, p.typed, p.password, "--auth", method, "--once").gone()
		}
		eventually(t, "the server has records of two sessions of "+p.known, func() bool {
			return len(detailOf(radius, "Stop", p.known)) == 2
		})
	}
	w.refused(s, "carol", "Carol@123", "refused by the RADIUS server") // as carol@sales.example, whom nobody knows
	s.stop()
}

// detailOf finds the accounting requests of one kind and user in the detail file of the server: each is a list of lines.
func detailOf(s *radtest.Server, kind, user string) (found [][]string) {
	for _, one := range strings.Split(s.Detail(), "\n\n") {
		var lines []string
		for line := range strings.Lines(one) {
			lines = append(lines, strings.TrimSpace(line))
		}
		has := func(line string) bool {
			for _, l := range lines {
				if l == line {
					return true
				}
			}
			return false
		}
		if has("Acct-Status-Type = "+kind) && (user == "" || has(`User-Name = "`+user+`"`)) {
			found = append(found, lines)
		}
	}
	return found
}
