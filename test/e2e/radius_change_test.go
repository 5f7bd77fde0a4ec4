package e2e

import (
	"crypto/md5"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"lnsgate/test/netns"
	"lnsgate/test/radtest"
)

const changeSecret = "f2c1a7e09b3d4c58a6e1d0b7f4392c5e"

// changeable lets headquarters change sessions.
const changeable = `
	dynamic_authorization:
	  listen: [0.0.0.0:3799]
	  clients: [{source: 10.20.0.2/32, secret: "` + changeSecret + `"}]`

var changesAt = netip.MustParseAddrPort("10.20.0.1:3799")

// tell sends one request by radclient from headquarters. want is what the reply holds.
func (w *world) tell(kind, attributes string, ok bool, want ...string) {
	w.t.Helper()
	reply, done := radtest.RadclientIn(w.t, w.hq, changesAt, kind, changeSecret, attributes)
	for _, text := range want {
		if !strings.Contains(reply, text) {
			w.t.Errorf("%s %q: the reply has no %q:\n%s", kind, attributes, text, reply)
		}
	}
	if done != ok {
		w.t.Errorf("%s %q: done %v, want %v:\n%s", kind, attributes, done, ok, reply)
	}
}

// radclient ends and changes sessions that live, all that it names and no other, and is told why when it cannot.
func TestRADIUSChangesLiveSessions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	radius := radtest.Start(t, radtest.Options{Users: everyone, Namespace: w.lns})
	s := w.serve(askingRADIUS(changeable+salesByRADIUS, radiusGroup("hq", radius, "nas_address: 192.0.2.1")))
	service := listenTCP(t, w.hq, hqAddress)
	online, up := w.loadOnline("stays@sales.example")
	three := w.dial(w.client, "three@sales.example", "Load@123", "--count", "3", "--hold", "forever")
	one := w.dial(w.client, "one@sales.example", "Load@123")
	one.up()
	eventually(t, "five sessions are open", func() bool { return countOpen(s) == 5 })
	id := s.session("stays@sales.example").Record
	byID := fmt.Sprintf("Acct-Session-Id = %q\n", id)

	for attributes, want := range map[string]string{
		byID + `NAS-Identifier = "hq2"`:          "Error-Cause = NAS-Identification-Mismatch",
		byID + `NAS-IP-Address = 192.0.2.77`:     "Error-Cause = NAS-Identification-Mismatch",
		`User-Name = "nobody@sales.example"`:     "Error-Cause = Session-Context-Not-Found",
		byID + `User-Name = "one@sales.example"`: "Error-Cause = Session-Context-Not-Found",
		byID + `Framed-IP-Address = 10.10.8.250`: "Error-Cause = Session-Context-Not-Found",
		`NAS-Identifier = "hq1"`:                 "Error-Cause = Missing-Attribute",
	} {
		w.tell("disconnect", attributes, false, "Disconnect-NAK", want)
	}
	w.tell("coa", byID+`Filter-Id = "not-there"`, false, "CoA-NAK", "Error-Cause = Invalid-Attribute-Value")
	w.tell("coa", byID+`Framed-Pool = "guests"`, false, "CoA-NAK", "Error-Cause = Unsupported-Attribute")
	if n := countOpen(s); n != 5 {
		t.Errorf("after all those refusals %d sessions are open, not 5", n)
	}

	w.tell("disconnect", `User-Name = "three@sales.example"`, true, "Disconnect-ACK")
	eventually(t, "the three are gone", func() bool { return len(s.sessions()) == 2 })
	three.signal(syscall.SIGKILL)
	w.tell("disconnect", fmt.Sprintf("Acct-Session-Id = %q\nNAS-Identifier = \"hq1\"\nNAS-IP-Address = 192.0.2.1\nReply-Message = \"moved\"",
		s.session("one@sales.example").Record), true, "Disconnect-ACK")
	if end, code := one.gone(); code == 0 || !end.ByServer {
		t.Errorf("dial ends with code %d, %+v", code, end)
	}
	s.says("session closed", "user", "one@sales.example", "cause", `"moved"`)
	eventually(t, "the server has records of four ends", func() bool {
		ends := detailOf(radius, "Stop", "")
		for _, e := range ends {
			if !strings.Contains(strings.Join(e, "\n"), "Acct-Terminate-Cause = Admin-Reset") {
				t.Fatalf("%s", strings.Join(e, "\n"))
			}
		}
		return len(ends) == 4
	})

	w.ping(w.client, hqAddress)
	w.tell("coa", byID+`Filter-Id = "no-ping"`, true, "CoA-ACK")
	w.noPing(w.client, hqAddress)
	if !w.open(w.client, service) {
		t.Error("filter no-ping lets no TCP through")
	}
	w.tell("coa", byID+`Filter-Id = "only-ping"`, true, "CoA-ACK")
	w.ping(w.client, hqAddress)
	if w.open(w.client, service) {
		t.Error("filter only-ping lets TCP through")
	}
	w.tell("coa", byID+"Filter-Id = \"no-ping\"\nMikrotik-Rate-Limit = \"4M/4M\"\nIdle-Timeout = 900", true, "CoA-ACK")
	view := s.session("stays@sales.example")
	if view.RateUp != 4e6 || view.RateDown != 4e6 || view.IdleTimeout != 900 || view.Filter != "no-ping" {
		t.Errorf("after the change: %+v", view)
	}
	for _, way := range []struct {
		from, to *netns.Namespace
		address  string
	}{{w.client, w.hq, hqAddress}, {w.hq, w.client, up.Address.String()}} {
		began := time.Now()
		transfer(t, way.from, way.to, way.address, 1e6)
		if took := time.Since(began); took < 1700*time.Millisecond || took > 8*time.Second {
			t.Errorf("1 MB at 4 Mbit/s to %s took %s, want 2 s", way.address, took)
		}
	}
	w.tell("coa", byID+"Mikrotik-Rate-Limit = \"0/0\"\nSession-Timeout = 1", true, "CoA-ACK")
	online.endsWithin(5*time.Second, time.Now())
	s.says("session closed", "user", "stays@sales.example", "cause", "session timeout")
	if n := s.counter("dynauth_done"); n != 6 {
		t.Errorf("%d requests count as done, want 6", n)
	}
	s.stop()
}

// coaOf is a CoA-Request (RFC 5176 section 2.2): code, identifier, length, and a digest of all with the secret.
func coaOf(identifier byte, attributes ...[]byte) []byte {
	p := make([]byte, 20)
	p[0], p[1] = 43, identifier
	for _, a := range attributes {
		p = append(p, a...)
	}
	binary.BigEndian.PutUint16(p[2:], uint16(len(p)))
	sum := md5.Sum(append(p[:len(p):len(p)], changeSecret...))
	copy(p[4:20], sum[:])
	return p
}

func attributeOf(kind byte, value string) []byte {
	return append([]byte{kind, byte(2 + len(value))}, value...)
}

// ask sends a datagram and returns the answer, "" when none comes in time.
func ask(t *testing.T, conn *net.UDPConn, datagram []byte, wait time.Duration) string {
	t.Helper()
	_, err := conn.Write(datagram)
	must(t, err)
	must(t, conn.SetReadDeadline(time.Now().Add(wait)))
	buffer := make([]byte, 4096)
	n, err := conn.Read(buffer)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return ""
	}
	must(t, err)
	return string(buffer[:n])
}

// A datagram that comes again is answered again and not carried out again, and one from a stranger or with another secret
// is not answered at all.
func TestRADIUSChangesOnceAndOnlyForFriends(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	radius := radtest.Start(t, radtest.Options{Users: everyone, Namespace: w.lns})
	s := w.serve(askingRADIUS(changeable+salesByRADIUS, radiusGroup("hq", radius)))
	w.dial(w.client, "stays@sales.example", "Load@123").up()
	who := attributeOf(44, s.session("stays@sales.example").Record)
	filter := func(name string) []byte { return attributeOf(11, name) }
	socket := func(from *netns.Namespace, to string) (conn *net.UDPConn) {
		must(t, from.Do(func() (err error) {
			conn, err = net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(netip.MustParseAddrPort(to)))
			return err
		}))
		t.Cleanup(func() { conn.Close() })
		return conn
	}
	friend, stranger := socket(w.hq, changesAt.String()), socket(w.client, serverAddress+":3799")

	closing := coaOf(1, who, filter("no-ping"))
	first := ask(t, friend, closing, patience)
	if len(first) < 20 || first[0] != 44 {
		t.Fatalf("the answer is %x", first)
	}
	ask(t, friend, coaOf(2, who, filter("only-ping")), patience)
	if again := ask(t, friend, closing, patience); again != first {
		t.Errorf("the same datagram is answered with %x, then with %x", first, again)
	}
	if got := s.session("stays@sales.example").Filter; got != "only-ping" {
		t.Errorf("the filter is %q: a repeated request was carried out again", got)
	}
	done, repeated := s.counter("dynauth_done"), s.counter("dynauth_repeated")
	if done != 2 || repeated != 1 {
		t.Errorf("%d requests count as done and %d as repeated, want 2 and 1", done, repeated)
	}

	forged := coaOf(3, who, filter("no-ping"))
	forged[5]++
	stale := coaOf(4, who, filter("no-ping"), attributeOf(55, string(binary.BigEndian.AppendUint32(nil, uint32(time.Now().Add(-time.Hour).Unix())))))
	for name, c := range map[string]struct {
		conn     *net.UDPConn
		datagram []byte
	}{"stranger": {stranger, coaOf(5, who, filter("no-ping"))}, "forged": {friend, forged}, "stale": {friend, stale}} {
		if answer := ask(t, c.conn, c.datagram, time.Second/2); answer != "" {
			t.Errorf("%s: the answer is %x", name, answer)
		}
		eventually(t, name+" is counted", func() bool { return s.counter("dynauth_"+name) == 1 })
	}
	if got := s.session("stays@sales.example").Filter; got != "only-ping" {
		t.Errorf("the filter is %q", got)
	}
	s.stop()
}
