package e2e

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"lnsgate/test/radtest"
)

// generous is what FreeRADIUS grants by each method: what concerns a NAS, and with it what no server of another house may say to one,
// such as who administers the box, where else to log in to, and the password of a tunnel.
const generous = `update reply {
		&Session-Timeout := 3600
		&Class := 0x726564
		&Mikrotik-Rate-Limit := "2M/10M"
		&Mikrotik-Group := "full"
		&Cisco-AVPair += "shell:priv-lvl=15"
		&Login-IP-Host := 192.0.2.66
		&Callback-Number := "0900"
		&NAS-IP-Address := 192.0.2.66
		&Tunnel-Private-Group-Id:1 := "17"
		&Tunnel-Password:1 := "sesame"
	}`

// peopleOfHQ are alice and three more: root is granted the equipment itself, away a tunnel to elsewhere, and what is
// granted to forger has a Proxy-State that nobody has sent.
const peopleOfHQ = `alice@sales.example Cleartext-Password := "secret"

root@sales.example Cleartext-Password := "secret"
	Service-Type = Administrative-User

away@sales.example Cleartext-Password := "secret"
	Tunnel-Type:1 = L2TP,
	Tunnel-Server-Endpoint:1 = "192.0.2.66"

forger@sales.example Cleartext-Password := "secret"
	Proxy-State = 0x6576696c
`

// passedOn is what a NAS of type mikrotik gets of it.
const passedOn = `Access-Accept
	Message-Authenticator =* ANY
	Class =* ANY
	Class == 0x726564
	Session-Timeout == 3600
	Acct-Interim-Interval == 600
	Mikrotik-Rate-Limit == "2M/10M"
	Proxy-State == 0x7032
	Proxy-State == 0x7031
	`

// startGenerous is lnsgate in front of a FreeRADIUS that writes down what it is asked, and the methods of EAP that both know.
func startGenerous(w *world) (radius *radtest.Server, s *server, networks map[string]string) {
	w.t.Helper()
	radius = radtest.Start(w.t, radtest.Options{Fragment: 300, Namespace: w.hq, Users: peopleOfHQ, PostAuth: generous, Authorize: "detail"})
	s = w.answer(fmt.Sprintf(`
	default_domain: sales.example
	radius_server:
	  listen: [127.0.0.1:1812]
	  accounting_listen: [127.0.0.1:1813]
	  reject_delay: 0
	  clients:
	    - {name: router1, source: 127.0.0.2/32, secret: %s, type: mikrotik}
	domains:
	  - {name: sales.example, authentication: [hq], accounting: [hq]}
	radius:%s
	`, nasSecret, radiusGroup("hq", radius)))
	c := radius.Certificates()
	const who = "\nidentity=\"alice@sales.example\"\npassword=\"secret\"\nfragment_size=%d\n"
	ca := fmt.Sprintf("ca_cert=%q\n", c.CA)
	return radius, s, map[string]string{
		"MD5": "eap=MD5" + who, "MSCHAPv2": "eap=MSCHAPV2" + who,
		"PEAP": "eap=PEAP\nphase2=\"auth=MSCHAPV2\"" + who + ca, "TTLS": "eap=TTLS\nphase2=\"auth=PAP\"" + who + ca,
		"TLS": fmt.Sprintf("eap=TLS\nclient_cert=%q\nprivate_key=%q", c.ClientCert, c.ClientKey) + who + ca,
	}
}

// Of what another server grants, and of what a NAS says, only that goes on which is meant for the other end.
func TestProxyFiltersBothWays(t *testing.T) {
	t.Parallel()
	w := newOffice(t)
	radius, s, _ := startGenerous(w)
	const request = `Access-Request
		Packet-Src-IP-Address = 127.0.0.2
		User-Name = "alice@sales.example"
		Message-Authenticator = 0x00
		Proxy-State = 0x7032
		Proxy-State = 0x7031
		Calling-Station-Id = "02-00-5E-00-53-01"
		State = 0x6576696c
		Class = 0x6576696c
		Cisco-AVPair = "client-mac-address=0200.5e00.5301"
		Tunnel-Client-Endpoint:0 = "192.0.2.66"
		Reply-Message = "let me in"
		Session-Timeout = 99999
		`
	for _, proof := range []string{`User-Password = "secret"`, `CHAP-Password = "secret"`} {
		w.asks("1812", nasSecret, request+proof, passedOn)
	}
	detail := radius.Detail()
	if strings.Count(detail, `User-Name = "alice@sales.example"`) != 2 || strings.Count(detail, `Calling-Station-Id = "02-00-5E-00-53-01"`) != 2 {
		t.Errorf("FreeRADIUS was asked:\n%s", detail)
	}
	for _, word := range []string{"Proxy-State", "State", "Class", "Cisco", "Tunnel", "Reply-Message", "Session-Timeout", "6576696c"} {
		if strings.Contains(detail, word) {
			t.Errorf("FreeRADIUS hears of %s:\n%s", word, detail)
		}
	}

	const other = "Access-Request\nPacket-Src-IP-Address = 127.0.0.2\nUser-Password = \"secret\"\nMessage-Authenticator = 0x00\nUser-Name = "
	for user, why := range map[string]string{"root@sales.example": "Service-Type = 6", "away@sales.example": "cannot send the user on by L2TP"} {
		w.asks("1812", nasSecret, other+fmt.Sprintf("%q", user), "Access-Reject\nMessage-Authenticator =* ANY")
		s.says("RADIUS server: a user is not let in", "user", user, "detail", why)
	}
	forged := w.router("127.0.0.2")
	_, err := forged.access.Write(forged.login("forger@sales.example", "secret"))
	must(t, err)
	s.says("A RADIUS reply was thrown away: it has a Proxy-State that we never sent. Somebody may be forging replies (CVE-2024-3596).")
	s.says("RADIUS server: a user is not let in", "user", "forger@sales.example", "cause", "back end unavailable")
	forged.access.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	if n, err := forged.access.Read(make([]byte, 4096)); err == nil {
		t.Errorf("a reply that is forged is passed on, %d octets", n)
	}
	s.stop()
}

// accepted are the attributes of the Access-Accept that eapol_test printed, as number and value; of those of vendors with the vendor and
// its kind.
func accepted(said string) (all []string) {
	_, said, _ = strings.Cut(said, "code=2 (Access-Accept)")
	for _, found := range regexp.MustCompile(`(?m)^   Attribute (\d+) .*length=\d+\n +Value: (.*)$`).FindAllStringSubmatch(said, -1) {
		value := found[2]
		if found[1] == "26" {
			value = value[:10]
		}
		all = append(all, found[1]+" "+value)
	}
	return all
}

// Each method of EAP goes through both, in pieces of two sizes; peer and NAS have the same keys; and Proxy-States come back with each
// word of the conversation, in their order.
func TestEAPOfAnotherServer(t *testing.T) {
	t.Parallel()
	w := newOffice(t)
	radius, s, networks := startGenerous(w)
	for name, network := range networks {
		for _, size := range []int{200, 1200} {
			arguments := []string{"-N33:x:7032", "-N33:x:7031"}
			if name == "MD5" {
				arguments = append(arguments, "-n")
			}
			said, in := w.eapol(fmt.Sprintf(network, size), arguments...)
			if !in || name != "MD5" && !strings.Contains(said, "MPPE keys OK: 1  mismatch: 0") {
				t.Errorf("%s in pieces of %d octets:\n%s", name, size, said)
				continue
			}
			got := accepted(said)
			for _, attribute := range got {
				if !slices.ContainsFunc(mayBeInAccept, func(start string) bool { return strings.HasPrefix(attribute, start) }) {
					t.Errorf("%s: the NAS is told %s of %q", name, attribute, got)
				}
			}
			if !slices.Contains(got, "27 3600") || !slices.Contains(got, "26 00003a8c08") {
				t.Errorf("%s: the NAS is told %q", name, got)
			}
			replies := len(regexp.MustCompile(`(?m)^RADIUS message: code=(2|11) `).FindAllString(said, -1))
			if back := strings.Count(said, proxyStatesBack); back < replies || replies < 2 {
				t.Errorf("%s: %d of %d replies have both Proxy-States\n%s", name, back, replies, said)
			}
		}
		if name == "TLS" {
			continue // it has no password
		}
		if said, in := w.eapol(strings.Replace(fmt.Sprintf(network, 1200), `"secret"`, `"sesame"`, 1), "-n"); in {
			t.Errorf("%s: with a wrong password\n%s", name, said)
		}
	}
	if detail := radius.Detail(); strings.Contains(detail, "Proxy-State") || !strings.Contains(detail, "EAP-Message") {
		t.Errorf("FreeRADIUS was asked:\n%s", detail)
	}
	s.stop()
}

// mayBeInAccept is what the NAS is told at the end of EAP, as accepted has it.
var mayBeInAccept = []string{
	"80 ", "79 ", "25 ", "27 3600", "85 600", "33 7032", "33 7031", "6 2", "1 'alice@sales.example'", "12 ", "26 00003a8c08", "26 0000013710", "26 0000013711", "26 0000013707", "26 0000013708",
}

const proxyStatesBack = "   Attribute 33 (Proxy-State) length=4\n      Value: 7032\n   Attribute 33 (Proxy-State) length=4\n      Value: 7031\n"
