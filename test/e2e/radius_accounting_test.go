package e2e

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"lnsgate/test/netns"
	"lnsgate/test/pgtest"
	"lnsgate/test/radtest"
)

const withClasses = `alice@sales.example Cleartext-Password := "Alice@123"
	Class = "red", Class += "blue", User-Name = "Alice Smith", Acct-Interim-Interval = 1
`

// blast sends datagrams one way to somebody who receives each of them and says nothing, and returns how many octets of IP
// packets that were.
func blast(t *testing.T, from, to *netns.Namespace, address string, count, size int) uint64 {
	t.Helper()
	var receiver *net.UDPConn
	must(t, to.Do(func() (err error) {
		receiver, err = net.ListenUDP("udp4", &net.UDPAddr{IP: net.ParseIP(address)})
		return err
	}))
	defer receiver.Close()
	var sender *net.UDPConn
	must(t, from.Do(func() (err error) {
		sender, err = net.DialUDP("udp4", nil, receiver.LocalAddr().(*net.UDPAddr))
		return err
	}))
	defer sender.Close()
	buffer := make([]byte, size+1)
	for n := range count {
		_, err := sender.Write(buffer[:size])
		must(t, err)
		must(t, receiver.SetReadDeadline(time.Now().Add(patience)))
		if got, err := receiver.Read(buffer); err != nil || got != size {
			t.Fatalf("datagram %d: %d octets of %d: %v", n, got, size, err)
		}
	}
	return uint64(count * (20 + 8 + size))
}

// The records of a session are in radacct and in the database of the node, with the very octets that it carried, and
// everything that the server wanted to have back.
func TestRADIUSRecordsWhatWasCarried(t *testing.T) {
	t.Parallel()
	c := newCompany(t)
	url := pgtest.Empty(t)
	w := newWorld(t)
	radius := radtest.Start(t, radtest.Options{Users: withClasses, Namespace: w.lns, Database: url})
	acct := asCompany(t, connect(t, url))
	s := w.serve(askingRADIUS(fmt.Sprintf(`
	database: {url: %q}
	domains:
	  - {name: sales.example, authentication: [hq], accounting: [hq, postgres], accounting_interval: 1h, pools: [pool1]}`, c.url),
		radiusGroup("hq", radius, "nas_address: 192.0.2.1")))
	w.in(w.client, "sh", "-c", "echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6")
	call, up := w.online(alice, alicePassword)
	view := s.session(alice)

	const open = `SELECT count(*) FROM radacct WHERE acctsessionid = $1 AND acctstarttime IS NOT NULL AND acctstoptime IS NULL
		AND acctinputoctets = $2 AND acctoutputoctets = $3`
	acct.becomes("1", `SELECT count(*) FROM radacct WHERE acctsessionid = $1 AND acctstarttime IS NOT NULL`, view.Record)
	sent := blast(t, w.client, w.hq, hqAddress, 100, 1000)
	received := blast(t, w.hq, w.client, up.Address.String(), 37, 333)
	acct.becomes("1", open, view.Record, sent, received) // by an interim record
	sent += blast(t, w.client, w.hq, hqAddress, 3, 10)
	lasted := int(time.Since(view.UpSince) / time.Second)
	radius.Stop() // which holds up nobody else
	call.hangUp()
	s.empty()
	c.becomes("1", `SELECT count(*) FROM accounting WHERE session = $1 AND octets_up = $2 AND octets_down = $3
		AND terminate_cause = 'User-Request' AND stopped_at > started_at`, view.Record, sent, received)
	radius.Restart()

	acct.becomes("1", `SELECT count(*) FROM radacct WHERE acctstoptime IS NOT NULL`)
	port := fmt.Sprintf("tun %d/%d call %d/%d", view.LocalTunnel, view.RemoteTunnel, view.LocalID, view.RemoteID)
	for column, want := range map[string]string{
		"acctsessionid": view.Record, "username": "Alice Smith", "nasportid": port, "nasporttype": "Virtual",
		"acctinputoctets": fmt.Sprint(sent), "acctoutputoctets": fmt.Sprint(received), "acctterminatecause": "User-Request",
		"host(framedipaddress)": up.Address.String(), "host(nasipaddress)": serverAddress, "acctauthentic": "RADIUS",
		"callingstationid": clientAddress, "calledstationid": serverAddress,
		fmt.Sprintf("acctsessiontime BETWEEN %d AND %d", lasted, lasted+5):                                 "true",
		fmt.Sprintf("abs(extract(epoch FROM acctstarttime) - %d) <= 1", view.UpSince.Unix()):               "true",
		"abs(extract(epoch FROM acctstoptime) - extract(epoch FROM acctstarttime) - acctsessiontime) <= 1": "true",
	} {
		if got := acct.value("SELECT " + column + " FROM radacct"); got != want {
			t.Errorf("radacct: %s is %q, want %q", column, got, want)
		}
	}
	for _, kind := range []string{"Start", "Interim-Update", "Stop"} {
		records := detailOf(radius, kind, "Alice Smith")
		if len(records) == 0 {
			t.Errorf("there is no record of kind %s", kind)
		}
		for _, r := range records {
			red, blue := slices.Index(r, "Class = 0x726564"), slices.Index(r, "Class = 0x626c7565")
			if red < 0 || blue != red+1 || !slices.Contains(r, `NAS-Identifier = "hq1"`) {
				t.Errorf("%s: %s", kind, strings.Join(r, "\n"))
			}
		}
	}
	s.stop()
	if on, off := detailOf(radius, "Accounting-On", ""), detailOf(radius, "Accounting-Off", ""); len(on) != 1 || len(off) != 1 {
		t.Errorf("%d Accounting-On and %d -Off, want one of each", len(on), len(off))
	}
}

// The causes of radacct are those of what happened.
func TestRADIUSRecordsWhyASessionEnded(t *testing.T) {
	t.Parallel()
	netns.RequireTUN(t)
	url := pgtest.Empty(t)
	w := newWorld(t)
	radius := radtest.Start(t, radtest.Options{Users: grants, Namespace: w.lns, Database: url})
	acct := asCompany(t, connect(t, url))
	config := askingRADIUS(salesByRADIUS, radiusGroup("hq", radius))
	s := w.serve(strings.Replace(config, "mru: 1460", "mru: 1460, echo_interval: 1s, echo_failures: 1", 1))
	ends := []struct {
		user, cause, why string
		act              func(*caller)
	}{
		{"brief", "Session-Timeout", "session timeout", func(*caller) {}},
		{"idle", "Idle-Timeout", "idle timeout", func(*caller) {}},
		{"nothing", "User-Request", "hung up", func(c *caller) { c.hangUp() }},
		{"magic", "Lost-Carrier", "Echo-Request", func(c *caller) { c.signal(syscall.SIGKILL) }},
		{"guest", "Admin-Reset", "an administrator ended the session", func(*caller) { s.command("kick", "guest@sales.example") }},
	}
	for _, end := range ends {
		call := w.dial(w.client, end.user+"@sales.example", "Load@123")
		call.up()
		end.act(call)
	}
	w.dial(w.client, "dns@sales.example", "Load@123").up()
	const cause = `SELECT acctterminatecause FROM radacct WHERE username = $1 AND acctstoptime IS NOT NULL`
	for _, end := range ends {
		user := end.user + "@sales.example"
		acct.becomes(end.cause, cause, user)
		s.says("session closed", "user", user, "cause", end.why)
	}
	for _, user := range []string{"brief", "idle"} {
		acct.becomes("true", `SELECT acctsessiontime BETWEEN 1 AND 9 FROM radacct WHERE username = $1`, user+"@sales.example")
	}
	s.stop()
	acct.becomes("Admin-Reboot", cause, "dns@sales.example")
}
