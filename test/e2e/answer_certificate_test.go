package e2e

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"

	"lnsgate/test/radtest"
)

// Whose certificate the CA has signed is in without a password, in pieces of any size, as long as an account of that name is in SQL and
// not disabled; and nobody whose certificate another CA has signed, whatever its name.
func TestCertificatesOfAccountsInSQL(t *testing.T) {
	t.Parallel()
	c := newCompany(t, `
		INSERT INTO domains (name) VALUES ('`+radtest.ServerName+`');
		INSERT INTO accounts (name, rate_up, rate_down) VALUES ('`+radtest.ClientName+`', 1000000, 4000000);
		INSERT INTO nas (name, source, secret, addresses, type) VALUES ('wifi', '127.0.0.2', '`+nasSecret+`', 'none', 'wispr')`)
	w := newOffice(t)
	people, err := radtest.MakeCertificates(t.TempDir(), netip.MustParseAddr("127.0.0.1"))
	must(t, err)
	strangers, err := radtest.MakeCertificates(t.TempDir(), netip.MustParseAddr("127.0.0.1"))
	must(t, err)
	s := w.answer(c.inOffice("hq", "127.0.0.1", "") + fmt.Sprintf(`eap: {server_names: [radius.sales.example], client_ca_file: "%s"}
	`, people.CA))
	network := func(who radtest.Certificates, size int) string {
		return fmt.Sprintf("eap=TLS\nidentity=%q\nca_cert=%q\nclient_cert=%q\nprivate_key=%q\nfragment_size=%d",
			radtest.ClientName, filepath.Join(s.folder, "eap", "ca.pem"), who.ClientCert, who.ClientKey, size)
	}
	for _, size := range []int{100, 600, 1400} {
		said, in := w.eapol(network(people, size), fmt.Sprintf("-N12:d:%d", size+50))
		if !in || !strings.Contains(said, "MPPE keys OK: 1  mismatch: 0") {
			t.Errorf("in pieces of %d octets:\n%s", size, said)
		}
	}
	refused := func(what string, who radtest.Certificates) {
		t.Helper()
		if said, in := w.eapol(network(who, 600)); in || !strings.Contains(said, "code=3 (Access-Reject)") || !strings.Contains(said, "decapsulated EAP packet (code=4") {
			t.Errorf("%s:\n%s", what, said)
		}
	}
	refused("a certificate of another CA", strangers)
	for _, change := range []struct{ what, sql, undo string }{
		{"disabled", `UPDATE accounts SET disabled = true`, `UPDATE accounts SET disabled = false`},
		{"unknown", `UPDATE accounts SET name = 'another@` + radtest.ServerName + `'`, `UPDATE accounts SET name = '` + radtest.ClientName + `'`},
		{"deleted", `DELETE FROM accounts`, `INSERT INTO accounts (name, password) VALUES ('` + radtest.ClientName + `', 'unused by certificates')`},
	} {
		c.sql(change.sql)
		eventually(t, "the change counts: "+change.what, func() bool { _, in := w.eapol(network(people, 1400)); return !in })
		refused(change.what, people)
		c.sql(change.undo)
		eventually(t, "she is in again that was "+change.what, func() bool { _, in := w.eapol(network(people, 1400)); return in })
	}
	s.stop()
}
