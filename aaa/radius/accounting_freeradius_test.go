package radius

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"lnsgate/aaa"
	"lnsgate/aaa/spool"
	"lnsgate/test/pgtest"
	"lnsgate/test/radtest"
)

// spooled runs a spool in front of a recorder, in a folder.
func spooled(t *testing.T, folder string, sink spool.Sink) (s *spool.Spool, stop func()) {
	t.Helper()
	s, err := spool.Open(spool.Config{Path: filepath.Join(folder, "hq.spool"), Sink: sink, Timeout: 3 * time.Second, RetryMax: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- s.Run(ctx) }()
	return s, func() {
		cancel()
		<-ended
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// radacct is a row as the test compares it, and columns selects it.
type radacct struct {
	Session, User, NAS, PortID, PortType, Service, Protocol, Calling, Called, Connect, Address, Authentic, Cause string
	Start, Stop, Input, Output, Duration                                                                         int64
}

const columns = `SELECT acctsessionid AS session, username AS user, host(nasipaddress) AS nas, nasportid AS portid,
	nasporttype AS porttype, servicetype AS service, framedprotocol AS protocol, callingstationid AS calling,
	calledstationid AS called, connectinfo_start AS connect, host(framedipaddress) AS address, acctauthentic AS authentic,
	acctterminatecause AS cause, extract(epoch FROM acctstarttime)::bigint AS start,
	extract(epoch FROM acctstoptime)::bigint AS stop, acctinputoctets AS input, acctoutputoctets AS output,
	acctsessiontime AS duration FROM public.radacct`

// TestFreeRADIUSRecords brings sessions through the spool into radacct, over a stop of the server and a crash of ours, and
// compares every column and every attribute.
func TestFreeRADIUSRecords(t *testing.T) {
	pool := pgtest.New(t)
	server := radtest.Start(t, radtest.Options{Database: pool.Config().ConnString()})
	group := dial(t, server.Acct(), server.Secret())
	folder := t.TempDir()
	begin := time.Now().Truncate(time.Second)
	at := func(kind aaa.RecordKind, session string, sequence uint32) aaa.Record {
		r := record(kind, session, sequence)
		r.Started, r.At = begin, begin.Add(time.Duration(sequence)*time.Minute)
		return r
	}
	recorder := newRecorder(t, group, func(c *RecorderConfig) { c.OnOff, c.Since = true, begin })
	s, stop := spooled(t, folder, recorder)
	s.Account(at(aaa.RecordStart, "whole", 0))
	s.Account(at(aaa.RecordStart, "crashed", 0))
	s.Account(at(aaa.RecordInterim, "crashed", 2))
	if err := s.Drain(within(t)); err != nil {
		t.Fatal(err)
	}
	server.Stop()
	s.Account(at(aaa.RecordInterim, "whole", 1))
	s.Account(at(aaa.RecordInterim, "whole", 2))
	s.Account(at(aaa.RecordStop, "whole", 3))
	if err := s.Sync(within(t)); err != nil {
		t.Fatal(err)
	}
	stop() // the records wait in the file, and session crashed never had a Stop
	server.Restart()
	s, stop = spooled(t, folder, newRecorder(t, group, func(c *RecorderConfig) { c.OnOff, c.Since = true, begin.Add(24*time.Hour) }))
	if err := s.Drain(within(t)); err != nil {
		t.Fatal(err)
	}
	stop()

	const input, output = 5<<32 + 7, 9<<32 + 11
	want := radacct{
		Session: "whole", User: "alice@sales.example", NAS: "192.0.2.1", PortID: "tun 17/4 call 33/9", PortType: "Virtual",
		Service: "Framed-User", Protocol: "PPP", Calling: "0441", Called: "0800", Connect: "50000000/10000000", Address: "10.1.2.3",
		Authentic: "RADIUS", Cause: "Idle-Timeout", Start: begin.Unix(), Stop: begin.Unix() + 180, Input: input, Output: output, Duration: 180,
	}
	found, err := pool.Query(within(t), "SELECT to_jsonb(r) FROM ("+columns+") AS r")
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]radacct)
	for found.Next() {
		var r radacct
		if err := found.Scan(&r); err != nil {
			t.Fatal(err)
		}
		if _, twice := got[r.Session]; twice {
			t.Errorf("session %s has two rows", r.Session)
		}
		got[r.Session] = r
	}
	if err := found.Err(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got["whole"]); diff != "" {
		t.Error(diff)
	}
	crashed := got["crashed"]
	if crashed.Cause != "NAS-Reboot" || crashed.Stop == 0 || crashed.Input != input || crashed.Output != output {
		t.Errorf("%+v", crashed)
	}
	if len(got) != 2 {
		t.Errorf("%d rows", len(got))
	}
	checkDetail(t, server.Detail(), begin)
}

// checkDetail looks at the attributes that radacct has no column for.
func checkDetail(t *testing.T, detail string, begin time.Time) {
	t.Helper()
	stops := 0
	for entry := range strings.SplitSeq(detail, "\n\n") {
		if !strings.Contains(entry, `Acct-Session-Id = "whole"`) || !strings.Contains(entry, "Acct-Status-Type = Stop") {
			continue
		}
		stops++
		for _, line := range []string{
			`NAS-Identifier = "lns1"`, "NAS-Port = 1114145", "Tunnel-Type:0 = L2TP", "Tunnel-Medium-Type:0 = IPv4",
			`Tunnel-Client-Endpoint:0 = "198.51.100.7"`, `Tunnel-Server-Endpoint:0 = "192.0.2.1"`, `Tunnel-Client-Auth-Id:0 = "lac7"`,
			`Tunnel-Server-Auth-Id:0 = "LNS"`, `Tunnel-Assignment-Id:0 = "17"`, `Acct-Tunnel-Connection = "5"`,
			"Class = 0x62", "Class = 0x6100", "Chargeable-User-Identity = 0x637569", "Acct-Input-Gigawords = 5", "Acct-Output-Gigawords = 9",
			"Acct-Input-Octets = 7", "Acct-Output-Octets = 11", "Acct-Input-Packets = 13", "Acct-Output-Packets = 4294967295",
			"Acct-Session-Time = 180", "Acct-Terminate-Cause = Idle-Timeout",
		} {
			if !strings.Contains(entry, "\t"+line) {
				t.Errorf("the Stop has no %s\n%s", line, entry)
			}
		}
		if strings.Index(entry, "Class = 0x62\n") > strings.Index(entry, "Class = 0x6100") {
			t.Error("Class is out of order")
		}
		if stamp := begin.Add(3 * time.Minute).Format("Jan _2 2006 15:04:05"); !strings.Contains(entry, stamp) {
			t.Errorf("Event-Timestamp is not %s\n%s", stamp, entry)
		}
	}
	if stops != 1 {
		t.Errorf("%d Stops of one session\n%s", stops, detail)
	}
	if on := strings.Count(detail, "Acct-Status-Type = Accounting-On"); on != 1 {
		t.Errorf("%d Accounting-On", on)
	}
}
