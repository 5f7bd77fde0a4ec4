package e2e

import (
	"net/netip"
	"strconv"
	"syscall"
	"testing"

	"lnsgate/test/netns"
	"lnsgate/test/pgtest"
	"lnsgate/test/radtest"
)

// FreeRADIUS gives the addresses, with the settings of sqlippool that it is shipped with: 500 people at once have 500
// addresses, and so they have behind a node that was killed and started again. The server has them back when they leave. The pool
// is twice as large as need be: the addresses of the dead node are free only when the server has heard of its end.
func TestRADIUSGivesAddressesToManyAtOnce(t *testing.T) {
	t.Parallel()
	netns.RequireTUN(t)
	const many = 500
	url := pgtest.Empty(t)
	w := newWorld(t)
	radius := radtest.Start(t, radtest.Options{
		Users: `DEFAULT Cleartext-Password := "Load@123", Pool-Name := "main"`, Namespace: w.lns, Database: url,
		Pools: []radtest.Pool{{Name: "main", First: netip.MustParseAddr("10.30.0.10"), Size: 2 * many}},
	})
	acct := asCompany(t, connect(t, url))
	config := askingRADIUS(salesByRADIUS, radiusGroup("hq", radius))
	s := w.serve(config)
	c := w.manyByPool(s, many)
	s.signal(syscall.SIGKILL)
	s.ended()
	c.signal(syscall.SIGKILL)
	c.ended()
	s = w.serve(config)
	c = w.manyByPool(s, many)
	acct.becomes(strconv.Itoa(many), `SELECT count(*) FROM radippool p JOIN radacct a ON a.framedipaddress = p.framedipaddress
		AND a.username = p.username WHERE p.expiry_time > now() AND a.acctstoptime IS NULL`)
	c.hangUp()
	s.empty()
	acct.becomes("0", `SELECT count(*) FROM radippool WHERE expiry_time > now()`)
	s.stop()
}

// manyByPool has that many people log in at once, and wants an address of the server's pool for each.
func (w *world) manyByPool(s *server, many int) *caller {
	t := w.t
	t.Helper()
	c := w.dial(w.client, "load%d@sales.example", "Load@123", "--count", strconv.Itoa(many), "--sessions-per-tunnel", "20",
		"--concurrency", strconv.Itoa(many), "--hold", "forever")
	within(t, 3*patience, "all sessions are open", func() bool { return s.counter("sessions_opened") == uint64(many) || !c.running() })
	held := make(map[netip.Addr]string)
	for _, v := range s.sessions() {
		if other, taken := held[v.Address]; taken {
			t.Errorf("%s and %s have %s", other, v.User, v.Address)
		}
		if !netip.MustParsePrefix("10.30.0.0/22").Contains(v.Address) || v.Pool != "" {
			t.Errorf("%s has %s of pool %q, not what the server gives", v.User, v.Address, v.Pool)
		}
		held[v.Address] = v.User
	}
	if len(held) != many {
		t.Errorf("%d sessions have %d addresses", many, len(held))
	}
	return c
}
