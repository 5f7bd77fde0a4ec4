package e2e

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"strings"
	"testing"

	"lnsgate/lns/l2tp"
	"lnsgate/lns/ppp"

	"github.com/google/go-cmp/cmp"
)

// Whoever guesses names learns nothing from the answers: a wrong password, an unknown name and a disabled account look
// alike on the wire. The administrator reads the difference in the log.
func TestRefusedLoginsLookAlike(t *testing.T) {
	config := strings.Replace(usual, `"Admin@123"}`, `"Admin@123"}
	  - {name: retired1, password: "Admin@123", disabled: true}`, 1)
	logins := []struct{ user, password, cause string }{
		{"l2tpuser", "Admin@124", "wrong password"},
		{"stranger", "Admin@123", "unknown user"},
		{"retired1", "Admin@123", "disabled"},
	}
	for _, method := range []string{"chap", "pap", "mschapv2"} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			s := w.serve(config)
			var first []string
			for _, l := range logins {
				wire := w.listen(w.client, "wan")
				c := w.dial(w.client, l.user, l.password, "--auth", method)
				end, code := c.gone()
				wire.stop()
				if code == 0 || end.OK || end.Step != "authentication" {
					t.Errorf("%s: dial ends with code %d, %+v", l.user, code, end)
				}
				if text := c.err.String(); !strings.Contains(text, "authentication") {
					t.Errorf("%s: dial does not say that authentication failed: %s", l.user, text)
				}
				s.says("session not opened", "user", l.user, "cause", l.cause)
				said := answers(t, wire)
				if first == nil {
					first = said
				} else if diff := cmp.Diff(first, said); diff != "" {
					t.Errorf("a stranger can tell %s from a wrong password:\n%s", l.user, diff)
				}
			}
			if n := s.counter("logins_rejected"); n != 3 {
				t.Errorf("%d logins counted as rejected, not 3", n)
			}
			if n := s.pools()[0].Leased; n != 0 {
				t.Errorf("%d addresses leased to rejected logins", n)
			}
		})
	}
}

// answers are the server's messages of a login as hexadecimal text, with all that is random made zero. Acknowledgements
// without content and repetitions depend on the moment and are left out.
func answers(t *testing.T, wire *capture) []string {
	t.Helper()
	var list []string
	for _, d := range wire.datagrams() {
		if d.sent {
			continue
		}
		h, payload, err := l2tp.ParseHeader(d.payload)
		if err != nil {
			t.Fatalf("%x: %v", d.payload, err)
		}
		body := bytes.Clone(payload)
		text := "data "
		if h.Control {
			text = "control "
			maskAVPs(body)
		} else {
			maskFrame(t, body)
		}
		text += hex.EncodeToString(body)
		if len(body) > 0 && (len(list) == 0 || list[len(list)-1] != text) {
			list = append(list, text)
		}
	}
	return list
}

// maskAVPs makes ids and challenges zero (RFC 2661 section 4.1: flags and length, vendor, type, value).
func maskAVPs(b []byte) {
	for len(b) >= 6 {
		length := min(max(int(binary.BigEndian.Uint16(b)&0x3ff), 6), len(b))
		switch binary.BigEndian.Uint16(b[4:]) {
		case 5, 9, 11, 13, 14: // tie breaker, tunnel, challenge, response, session
			clear(b[6:length])
		}
		b = b[length:]
	}
}

// maskFrame makes magic numbers and challenges zero.
func maskFrame(t *testing.T, b []byte) {
	t.Helper()
	protocol, packet, err := ppp.ParseFrame(b)
	if err != nil {
		t.Fatalf("%x: %v", b, err)
	}
	const challenge, failure, magicNumber = 1, 4, 5
	switch {
	case len(packet) < 5:
	case protocol == ppp.CHAP && packet[0] == challenge:
		clear(packet[1:2]) // the identifier may start anywhere
		clear(packet[min(5, len(packet)):min(5+int(packet[4]), len(packet))])
	case protocol == ppp.CHAP:
		clear(packet[1:2])
		if at := bytes.Index(packet, []byte(" C=")); at >= 0 && packet[0] == failure {
			clear(packet[at+3 : at+3+32]) // MS-CHAPv2: the challenge for another attempt
		}
	case protocol == ppp.LCP && packet[0] <= 4:
		for o := packet[4:]; len(o) >= 2 && o[1] >= 2; o = o[min(int(o[1]), len(o)):] {
			if o[0] == magicNumber {
				clear(o[2:min(int(o[1]), len(o))])
			}
		}
	}
}
