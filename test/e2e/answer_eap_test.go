package e2e

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"lnsgate/test/netns"
	"lnsgate/test/radtest"
)

// wifiOffice is a server that ends EAP itself, with a certificate of its own making. People's certificates are signed by that CA.
const wifiOffice = `
	default_domain: sales.example
	radius_server:
	  listen: [127.0.0.1:1812]
	  accounting_listen: [127.0.0.1:1813]
	  reject_delay: 0
	  clients:
	    - {name: wifi, source: 127.0.0.2/32, secret: ` + nasSecret + `, type: wispr, addresses: none}
	domains:
	  - {name: sales.example}
	  - {name: radius.test}
	users:
	  - {name: anna@sales.example, password: "Anna@1234"}
	  - {name: ` + radtest.ClientName + `, password: "unused by certificates"}
	eap:
	  server_names: [radius.sales.example]
	  client_ca_file: "%s"
	`

// eapol has the supplicant of wpa_supplicant log in by way of the NAS 127.0.0.2. It compares its keys with those that the NAS gets,
// unless the method has none.
func (w *world) eapol(network string, arguments ...string) (said string, in bool) {
	w.t.Helper()
	netns.RequireCommand(w.t, "eapol_test")
	file := filepath.Join(w.t.TempDir(), "network")
	must(w.t, os.WriteFile(file, []byte("network={\nkey_mgmt=WPA-EAP\neapol_flags=0\n"+attributeLines(network)+"}\n"), 0o600))
	arguments = append([]string{"-c", file, "-a", "127.0.0.1", "-A", "127.0.0.2", "-s", nasSecret, "-t", "20"}, arguments...)
	output, err := w.hq.Run("eapol_test", arguments...)
	return string(output) + fmt.Sprint(err), err == nil
}

// eapMethods are network blocks for anna, who trusts the CA only, and the name that she expects.
func eapMethods(ca string) map[string]string {
	const who = "\nidentity=\"anna@sales.example\"\npassword=\"Anna@1234\"\n"
	tunnel := fmt.Sprintf("%sanonymous_identity=\"anonymous@sales.example\"\nca_cert=%q\ndomain_match=\"radius.sales.example\"\n", who, ca)
	return map[string]string{
		"MD5":           "eap=MD5" + who,
		"MSCHAPv2":      "eap=MSCHAPV2" + who,
		"PEAP/MSCHAPv2": "eap=PEAP\nphase2=\"auth=MSCHAPV2\"" + tunnel,
		"TTLS/PAP":      "eap=TTLS\nphase2=\"auth=PAP\"" + tunnel,
	}
}

// eachWay has anna log in by each method, and fail with another password.
func (w *world) eachWay(ways map[string]string) {
	w.t.Helper()
	for name, network := range ways {
		var keys []string
		if name == "MD5" {
			keys = []string{"-n"}
		}
		if said, in := w.eapol(network, keys...); !in {
			w.t.Errorf("%s: she is not in\n%s", name, said)
		}
		said, in := w.eapol(strings.Replace(network, "Anna@1234", "Anna@1235", 1), keys...)
		if in || !strings.Contains(said, "code=3 (Access-Reject)") || !strings.Contains(said, "decapsulated EAP packet (code=4") {
			w.t.Errorf("%s: with a wrong password\n%s", name, said)
		}
	}
}

// The ten-line server is an EAP server too: devices that are told of its CA get in, in pieces of any size.
func TestEAPOfAccountsInTheFile(t *testing.T) {
	t.Parallel()
	w := newOffice(t)
	people, err := radtest.MakeCertificates(w.folder, netip.MustParseAddr("127.0.0.1"))
	must(t, err)
	s := w.answer(fmt.Sprintf(wifiOffice, people.CA))
	ca := filepath.Join(s.folder, "eap", "ca.pem")
	ways := eapMethods(ca)
	w.eachWay(ways)

	certificate := fmt.Sprintf("eap=TLS\nidentity=%q\nca_cert=%q\nclient_cert=%q\nprivate_key=%q\n", radtest.ClientName, ca, people.ClientCert, people.ClientKey)
	for _, size := range []int{100, 600, 1400} {
		for name, network := range map[string]string{"PEAP": ways["PEAP/MSCHAPv2"], "TTLS": ways["TTLS/PAP"], "TLS": certificate} {
			if said, in := w.eapol(network+fmt.Sprintf("fragment_size=%d", size), fmt.Sprintf("-N12:d:%d", size+50)); !in {
				t.Errorf("%s in pieces of %d octets:\n%s", name, size, said)
			}
		}
	}
	if said, in := w.eapol(strings.Replace(certificate, radtest.ClientName, "anna@sales.example", 1)); in {
		t.Errorf("with the certificate of somebody else:\n%s", said)
	}

	// She trusts another CA: the log tells why nothing comes of it.
	if said, in := w.eapol(strings.Replace(ways["PEAP/MSCHAPv2"], ca, people.CA, 1)); in {
		t.Errorf("she trusts a stranger:\n%s", said)
	}
	s.says("RADIUS server: a user is not let in", "detail", "unknown certificate authority")

	// The CA on people's devices is good for the next start too.
	before, err := os.ReadFile(ca)
	must(t, err)
	s.stop()
	s.again()
	if after, err := os.ReadFile(ca); err != nil || string(after) != string(before) {
		t.Errorf("the CA is another: %v", err)
	}
	if said, in := w.eapol(ways["TTLS/PAP"]); !in {
		t.Errorf("after a restart:\n%s", said)
	}
	s.stop()
}

// Accounts of the database log in by EAP, also those whose password is sealed, and a change counts at once.
func TestEAPOfAccountsInSQL(t *testing.T) {
	t.Parallel()
	c := newCompany(t, `
		INSERT INTO domains (name) VALUES ('sales.example');
		INSERT INTO accounts (name, password) VALUES ('anna@sales.example', 'Anna@1234');
		INSERT INTO nas (name, source, secret, addresses) VALUES ('wifi', '127.0.0.2', '`+nasSecret+`', 'none')`)
	w := newOffice(t)
	key := filepath.Join(w.folder, "seal.key")
	if output, err := exec.Command(program, "db", "rotate-key", "--prepare", "--key-file", key).CombinedOutput(); err != nil {
		t.Fatalf("db rotate-key: %v\n%s", err, output)
	}
	s := w.answer(fmt.Sprintf(`
	node: hq
	database: {url: "%s", key_file: "%s"}
	default_domain: sales.example
	radius_server: {listen: [127.0.0.1:1812], accounting_listen: [127.0.0.1:1813], reject_delay: 0}
	eap: {server_names: [radius.sales.example]}
	`, c.url, key))
	c.becomes("true", `SELECT sealed IS NOT NULL AND secret IS NULL FROM nas`)
	c.becomes("", `SELECT password FROM accounts`)
	ways := eapMethods(filepath.Join(s.folder, "eap", "ca.pem"))
	w.eachWay(ways)
	c.sql(`UPDATE accounts SET disabled = true`)
	soon(t, "she is not let in any more", func() bool { _, in := w.eapol(ways["MSCHAPv2"]); return !in })
	s.stop()
}

// A peer over PPP is checked by EAP against accounts of the file; no RADIUS server is about.
func TestEAPOverPPPNeedsNoRADIUS(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.serve(strings.Replace(usual, "mru: 1460}", "mru: 1460, ppp_authentication: [eap]}", 1))
	call, _ := w.online("l2tpuser", "Admin@123", "--auth", "eap")
	w.ping(w.client, hqAddress)
	if got := s.session("l2tpuser").Method; got != "eap" {
		t.Errorf("the method is %s", got)
	}
	call.hangUp()
	s.empty()
	w.refused(s, "l2tpuser", "Admin@124", "wrong password", "--auth", "eap", "--once")
	w.refused(s, "nobody", "Admin@123", "unknown user", "--auth", "eap", "--once")
	s.stop()
}
