package e2e

import (
	"fmt"
	"testing"

	"lnsgate/test/radtest"
)

// securedGroup is a group that asks over TLS.
func securedGroup(name string, s *radtest.Server, serverName string, certificate string) string {
	return fmt.Sprintf(`
	  - name: %s%s
	    servers:
	      - address: 127.0.0.1
	        transport: tls
	        tls_port: %d
	        ca_file: %s
	        server_name: %s
	        %s`, name, quick, s.RadSec().Port(), s.Certificates().CA, serverName, certificate)
}

// Over TLS, with certificates on both sides, people log in and their records arrive. Whoever is not who we want to talk to
// is not talked to, and the log says why.
func TestRADIUSOverTLS(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	radius := radtest.Start(t, radtest.Options{Users: radiusPeople, Namespace: w.lns, RadSec: true})
	files := radius.Certificates()
	own := fmt.Sprintf("certificate_file: %s\n\t        key_file: %s", files.ClientCert, files.ClientKey)
	s := w.serve(askingRADIUS(`
	limits: {authentication_timeout: 5s}
	domains:
	  - {name: sales.example, authentication: [hq], accounting: [hq], pools: [pool1]}
	  - {name: other.example, authentication: [other], accounting: [], pools: [pool1]}
	  - {name: naked.example, authentication: [naked], accounting: [], pools: [pool1]}`,
		securedGroup("hq", radius, radtest.ServerName, own), securedGroup("other", radius, "other.test", own),
		securedGroup("naked", radius, radtest.ServerName, "")))
	for _, method := range []string{"pap", "chap", "mschapv2"} {
		c := w.dial(w.client, alice, alicePassword, "--auth", method)
		c.up()
		c.hangUp()
	}
	w.refused(s, alice, "Alice@124", "refused by the RADIUS server")
	eventually(t, "the server has the records", func() bool {
		return len(detailOf(radius, "Start", alice)) == 3 && len(detailOf(radius, "Stop", alice)) == 3
	})
	w.refused(s, "alice@other.example", alicePassword, "certificate is valid for radius.test, not other.test")
	w.refused(s, "alice@naked.example", alicePassword, "no connection to the RADIUS server")
	s.stop()
}
