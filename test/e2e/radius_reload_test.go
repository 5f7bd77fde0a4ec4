package e2e

import (
	"fmt"
	"strings"
	"testing"

	"lnsgate/test/radtest"
)

// A reload changes secrets and servers under people who are online, and Status-Server finds out when a server is back.
func TestRADIUSReloadChangesServers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := radtest.Start(t, radtest.Options{Users: everyone, Namespace: w.lns, Secret: "one-secret-of-many"})
	const limits = `
	limits: {authentication_timeout: 2s}`
	right := askingRADIUS(limits+salesByRADIUS, radiusGroup("hq", first))
	wrong := strings.ReplaceAll(right, first.Secret(), "another-secret-now")
	s := w.serve(wrong)
	login := func() bool { return w.dial(w.client, "new@sales.example", "Load@123", "--once").ended() == 0 }
	w.refused(s, "new@sales.example", "Load@123", first.Auth().String())
	s.reload(right)
	call, _ := w.loadOnline("stays@sales.example")
	w.ping(w.client, hqAddress)
	old := s.session("stays@sales.example")

	s.reload(wrong)
	w.refused(s, "new@sales.example", "Load@123", first.Auth().String())
	s.reload(right)
	eventually(t, "with the right secret logins work", login)

	second := radtest.Start(t, radtest.Options{Users: everyone, Namespace: w.lns})
	s.reload(askingRADIUS(limits+salesByRADIUS, strings.Replace(radiusGroup("hq", first), "\n\t    servers:", fmt.Sprintf(
		"\n\t    servers:\n\t      - {address: 127.0.0.1, authentication_port: %d, accounting_port: %d, secret: %q, priority: 2}",
		second.Auth().Port(), second.Acct().Port(), second.Secret()), 1)))
	first.Stop()
	for range 3 {
		if !login() {
			t.Error("with one of two servers away a login fails")
		}
	}
	first.Restart()
	s.says("The RADIUS server is alive: it answered Status-Server", "server", first.Auth().String())
	if !login() {
		t.Error("with both servers there a login fails")
	}
	w.ping(w.client, hqAddress)
	checkSame(t, old, s.session("stays@sales.example"))
	if n := s.told("session closed", "user", "stays@sales.example"); n != 0 {
		t.Error("the session of one who stays was closed")
	}
	call.hangUp()
	eventually(t, "the last record reaches a server", func() bool {
		return len(detailOf(first, "Stop", "stays@sales.example"))+len(detailOf(second, "Stop", "stays@sales.example")) == 1
	})
	s.stop()
}
