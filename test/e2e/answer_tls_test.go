package e2e

import (
	"fmt"
	"net/netip"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"lnsgate/test/netns"
	"lnsgate/test/radtest"
)

// securedOffice answers over TLS too. The client at 127.0.0.1 is a radsecproxy there, with the name given.
const securedOffice = `
	default_domain: sales.example
	radius_server:
	  listen: [127.0.0.1:1812]
	  accounting_listen: [127.0.0.1:1813]
	  reject_delay: 0
	  tls: {listen: [127.0.0.1:2083], certificate_file: "%[1]s", key_file: "%[2]s", client_ca_file: "%[3]s"}
	  clients:
	    - {name: proxy, source: 127.0.0.1/32, secret: %[5]s, certificate_names: [%[4]s]}
	domains:
	  - {name: sales.example, pools: [office]}
	pools:
	  - {name: office, ranges: [10.30.0.0/24]}
	users:
	  - {name: anna@sales.example, password: "Anna@1234"}
	`

// radsecproxying takes requests by UDP, and hands them on by TLS.
const radsecproxying = `
	ListenUDP 127.0.0.1:11812
	LogLevel 3
	tls default {
		CACertificateFile %s
		CertificateFile %s
		CertificateKeyFile %s
	}
	client 127.0.0.1 {
		type udp
		secret testing123
	}
	server lnsgate {
		host 127.0.0.1
		port 2083
		type tls
		secret radsec
		statusserver on
	}
	realm * {
		server lnsgate
		accountingServer lnsgate
	}
	`

const annaByPAP = "Access-Request\nUser-Name = \"anna@sales.example\"\nUser-Password = \"Anna@1234\"\nMessage-Authenticator = 0x00"

// Debian's radsecproxy asks over TLS, for logins and records. A certificate of another name gets nowhere, and what a reload
// changes counts from then on.
func TestRadsecproxyAsksLnsgate(t *testing.T) {
	t.Parallel()
	netns.RequireCommand(t, "radsecproxy")
	w := newOffice(t)
	files, err := radtest.MakeCertificates(w.folder, netip.MustParseAddr("127.0.0.1"))
	must(t, err)
	config := func(name, secret string) string {
		return fmt.Sprintf(securedOffice, files.ServerCert, files.ServerKey, files.CA, name, secret)
	}
	s := w.answer(config("somebody.else", nasSecret))
	start := func() *process {
		t.Helper()
		file := w.file("radsecproxy.conf", unindent(fmt.Sprintf(radsecproxying, files.CA, files.ClientCert, files.ClientKey)))
		return w.start(w.hq, exec.Command("radsecproxy", "-f", "-c", file))
	}
	refused := start()
	s.says("RADIUS server: a client could not connect by TLS; see to its certificate, and to who signed it")

	refused.signal(syscall.SIGKILL) // it would wait longer and longer
	refused.ended()
	s.reload(config(radtest.ClientName, nasSecret))
	start()
	in := func() bool {
		_, ok := radtest.RadclientIn(t, w.hq, netip.MustParseAddrPort("127.0.0.1:11812"), "auth", "testing123", attributesOnly(annaByPAP))
		return ok
	}
	eventually(t, "she gets in by way of radsecproxy", in)
	w.asks("11812", "testing123", strings.Replace(annaByPAP, "Anna@1234", "wrong", 1), "Access-Reject\nMessage-Authenticator =* ANY")
	w.asks("11812", "testing123", `Accounting-Request
		Acct-Status-Type = Start
		User-Name = "anna@sales.example"
		Acct-Session-Id = "0001"
		NAS-Identifier = "ap-7"`, "Accounting-Response")
	if shown := s.session(anna); !strings.HasPrefix(shown.NAS, "proxy") {
		t.Errorf("%+v", shown)
	}

	// A changed secret counts at once by UDP. A file that is wrong changes nothing.
	const yes = "Access-Accept\nMessage-Authenticator =* ANY\nClass =* ANY\nFramed-IP-Address =* ANY\nAcct-Interim-Interval == 600"
	w.asks("1812", nasSecret, annaByPAP, yes)
	s.reload(config(radtest.ClientName, "another-secret-of-some-length"))
	w.asks("1812", "another-secret-of-some-length", annaByPAP, yes)
	r := w.router("127.0.0.1")
	r.silent(s, r.login(anna, annaPassword), "forged")
	s.write(strings.Replace(config(radtest.ClientName, nasSecret), "reject_delay: 0", "reject_delay: 0\n\t  typo: 1", 1))
	if said, code := s.command("reload"); code == 0 {
		t.Errorf("a wrong file is taken: %s", said)
	}
	r.silent(s, r.login(anna, annaPassword), "forged")
	w.asks("1812", "another-secret-of-some-length", annaByPAP, yes)
	if !in() {
		t.Error("over TLS nobody gets in after the reload")
	}
	s.stop()
}

// attributesOnly leaves out the type of the packet.
func attributesOnly(request string) string {
	_, attributes, _ := strings.Cut(request, "\n")
	return attributes
}
