package e2e

import (
	"fmt"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"lnsgate/test/netns"
	"lnsgate/test/pgtest"
	"lnsgate/test/radtest"
)

// The RADIUS server is stopped while a thousand people are online, some leave, some come by another way, and the program is
// killed before the server is back. Every session has one row in radacct that says how it ended. The server is away for
// seconds and not for minutes: the times of the configuration are as much shorter than what is usual.
func TestRADIUSServerStoppedUnderLoad(t *testing.T) {
	t.Parallel()
	netns.RequireTUN(t)
	const staying, leaving, local = 600, 400, 20
	const all = staying + leaving + local + 1
	url := pgtest.Empty(t)
	w := newWorld(t)
	radius := radtest.Start(t, radtest.Options{Users: everyone, Namespace: w.lns, Database: url})
	acct := asCompany(t, connect(t, url))
	config := askingRADIUS(`
	limits: {authentication_timeout: 3s}
	users: [{name: root@office.example, password: "Office@123"}]
	domains:
	  - {name: sales.example, authentication: [hq], accounting: [hq], pools: [pool1]}
	  - {name: office.example, authentication: [local], accounting: [hq], pools: [guests]}`,
		radiusGroup("hq", radius))
	s := w.serve(config)
	load := func(user, password string, count int) *caller {
		return w.dial(w.client, user, password, "--count", strconv.Itoa(count), "--sessions-per-tunnel", "20", "--hold", "forever", "--auth", "pap")
	}
	stay := load("stay%d@sales.example", "Load@123", staying)
	leave := load("leave%d@sales.example", "Load@123", leaving)
	opened := func(n int) {
		t.Helper()
		within(t, 3*patience, strconv.Itoa(n)+" sessions are open", func() bool { return s.counter("sessions_opened") == uint64(n) })
	}
	opened(staying + leaving)
	_, up := w.loadOnline("alice@sales.example")
	acct.becomes(strconv.Itoa(staying+leaving+1), `SELECT count(*) FROM radacct WHERE acctstoptime IS NULL`)

	radius.Stop()
	c, end := w.refused(s, "late@sales.example", "Load@123", radius.Auth().String())
	if end.Seconds > 6 {
		t.Errorf("a login fails after %v s, its deadline is 3 s", end.Seconds)
	}
	if len(c.events()) == 0 {
		t.Error("dial has said nothing")
	}
	leave.signal(syscall.SIGINT)
	leave.ended()
	load("root@office.example", "Office@123", local)
	opened(staying + leaving + 1 + local)
	w.ping(w.client, hqAddress)
	w.ping(w.hq, up.Address.String())
	eventually(t, "the records wait on disk", func() bool {
		accepted, waiting := s.counter("radius_spool_accepted"), s.counter("radius_spool_waiting_now")
		return accepted == all+leaving && waiting >= leaving+local && waiting+s.counter("radius_spool_delivered") == accepted
	})

	s.signal(syscall.SIGKILL)
	s.ended()
	killed := time.Now()
	stay.signal(syscall.SIGKILL)
	s = w.serve(config)
	radius.Restart()
	back := time.Now()
	acct.becomes(strconv.Itoa(all), `SELECT count(*) FROM radacct WHERE acctstoptime IS NOT NULL`)
	t.Logf("everything is in radacct %s after the server is back", time.Since(back))
	for _, of := range []struct {
		users, cause string
		count        int
	}{
		{"stay%", "NAS-Reboot", staying}, {"alice%", "NAS-Reboot", 1}, {"root%", "NAS-Reboot", local}, {"leave%", "User-Request", leaving},
	} {
		acct.becomes(strconv.Itoa(of.count), `SELECT count(DISTINCT acctsessionid) FROM radacct WHERE username LIKE $1
			AND acctterminatecause = $2 AND acctstoptime BETWEEN acctstarttime AND $3`, of.users, of.cause, killed.Add(time.Minute))
	}
	acct.becomes(strconv.Itoa(all), `SELECT count(*) FROM radacct`)
	checkStartsAndStops(t, radius, all)
	eventually(t, "logins work again", func() bool {
		return w.dial(w.client, "back@sales.example", "Load@123", "--once").ended() == 0
	})
	acct.becomes("User-Request", `SELECT acctterminatecause FROM radacct WHERE username LIKE 'back%' ORDER BY radacctid LIMIT 1`)
	if lost := s.counter("radius_spool_lost"); lost != 0 {
		t.Errorf("%d records are lost", lost)
	}
	s.stop()
}

// checkStartsAndStops reads what the server was sent: both records of every session, and none of them twice but for a
// request whose answer was lost when the server went.
func checkStartsAndStops(t *testing.T, radius *radtest.Server, sessions int) {
	t.Helper()
	sent := map[string]map[string]int{"Start": {}, "Stop": {}}
	for kind, counts := range sent {
		for _, r := range detailOf(radius, kind, "") {
			for _, line := range r {
				if id, found := strings.CutPrefix(line, "Acct-Session-Id = "); found {
					counts[id]++
				}
			}
		}
	}
	again := 0
	for id, n := range sent["Start"] {
		if sent["Stop"][id] == 0 {
			t.Errorf("session %s has a Start and no Stop", id)
		}
		again += n + sent["Stop"][id] - 2
	}
	if len(sent["Start"]) != sessions || len(sent["Stop"]) != sessions {
		t.Errorf("%d sessions have a Start and %d a Stop, want %d", len(sent["Start"]), len(sent["Stop"]), sessions)
	}
	t.Logf("%d records were sent twice", again)
	if again > 64 { // what may be under way at once
		t.Errorf("%d records were sent twice", again)
	}
}

// Whoever loses the spool with the host has Accounting-On: the server closes what the dead node has left open.
func TestRADIUSServerIsToldOfAReboot(t *testing.T) {
	t.Parallel()
	netns.RequireTUN(t)
	url := pgtest.Empty(t)
	w := newWorld(t)
	radius := radtest.Start(t, radtest.Options{Users: everyone, Namespace: w.lns, Database: url})
	acct := asCompany(t, connect(t, url))
	config := askingRADIUS(salesByRADIUS, radiusGroup("hq", radius))
	s := w.serve(config)
	w.dial(w.client, "old%d@sales.example", "Load@123", "--count", "10", "--hold", "forever")
	acct.becomes("10", `SELECT count(*) FROM radacct WHERE acctstoptime IS NULL`)
	s.signal(syscall.SIGKILL)
	s.ended()
	w.in(w.lns, "sh", "-c", fmt.Sprintf("rm %s/*.spool*", w.folder))
	s = w.serve(config)
	w.dial(w.client, "new@sales.example", "Load@123").up()
	acct.becomes("10", `SELECT count(*) FROM radacct WHERE acctstoptime IS NOT NULL AND acctterminatecause = 'NAS-Reboot' AND username LIKE 'old%'`)
	acct.becomes("1", `SELECT count(*) FROM radacct WHERE acctstoptime IS NULL AND username = 'new@sales.example'`)
	s.stop()
}
