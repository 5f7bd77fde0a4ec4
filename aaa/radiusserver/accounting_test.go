package radiusserver

import (
	"context"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"layeh.com/radius"
	"pgregory.net/rapid"

	"lnsgate/aaa"
	"lnsgate/aaa/fair"
	"lnsgate/aaa/radius/wire"
)

func accounting(t testing.TB, status uint32, rows ...row) *radius.Packet {
	t.Helper()
	return packet(t, radius.CodeAccountingRequest, append([]row{num(40, status)}, rows...)...)
}

// took asks and returns the record that came of it.
func (r *rig) took(p *radius.Packet) aaa.Record {
	r.t.Helper()
	before := len(r.records.taken)
	if reply := r.ask(p); reply == nil || reply.Code != radius.CodeAccountingResponse {
		r.t.Fatalf("reply %v", reply)
	}
	if len(r.records.taken) != before+1 {
		r.t.Fatalf("%d records came of it", len(r.records.taken)-before)
	}
	return r.records.last()
}

func ago(d time.Duration) uint32 { return uint32(time.Now().Add(-d).Unix()) }

func TestTheRecordOfEachKind(t *testing.T) {
	r := newRig(t, nil)
	accept := r.ask(login(t, "alice", password))
	session := []row{str(44, "0001"), str(1, "alice"), {0, 25, accept.Get(wire.TypeClass)}, str(25, "other"), addr(8, "10.1.2.3"), str(31, "0443"), str(30, "0800"),
		str(32, "ap-7"), num(5, 17), str(87, "port 17"), str(89, "\x01c")}
	start := r.took(accounting(t, 1, append(session, num(55, ago(0)))...))
	if start.Kind != aaa.RecordStart || start.Sequence != 1 || start.NAS.Name != "branch" || start.Name != "alice" || start.Account != "alice" || start.Domain != "default" ||
		start.Backend != "local" || start.Method != aaa.PAP || start.Address != netip.MustParseAddr("10.1.2.3") || start.CallingNumber != "0443" || start.CalledNumber != "0800" ||
		start.TunnelName != "ap-7" || start.Peer.Addr() != nasAddress.Addr() || len(start.Class) != 1 || string(start.Class[0]) != "other" || string(start.CUI) != "\x01c" {
		t.Errorf("%+v", start)
	}
	if *start.NAS != (aaa.NAS{Name: "branch", Client: "branch", Address: nasAddress.Addr(), Identifier: "ap-7", Session: "0001", Port: 17, PortID: "port 17"}) {
		t.Errorf("%+v", start.NAS)
	}
	used := []row{num(42, 5), num(52, 2), num(43, 7), num(53, 3), num(47, 11), num(48, 13)}
	interim := r.took(accounting(t, 3, append(slices.Concat(session, used), num(46, 600))...))
	if interim.Kind != aaa.RecordInterim || interim.Sequence != 602 || interim.RxOctets != 2<<32+5 || interim.TxOctets != 3<<32+7 || interim.RxPackets != 11 || interim.TxPackets != 13 {
		t.Errorf("%+v", interim)
	}
	stop := r.took(accounting(t, 2, append(slices.Concat(session, used), num(46, 900), num(49, 4))...))
	if stop.Kind != aaa.RecordStop || stop.Sequence != math.MaxUint32 || stop.Terminate != aaa.TerminateIdleTimeout || !strings.Contains(stop.Reason, "idle timeout") {
		t.Errorf("%+v", stop)
	}
	for _, other := range []aaa.Record{interim, stop} {
		if other.Session != start.Session || !other.Started.Equal(start.Started) || other.Account != "alice" {
			t.Errorf("%s: session %q since %v, the start has %q since %v", other.Kind, other.Session, other.Started, start.Session, start.Started)
		}
	}
	if m, _ := decodeMark(accept.Get(wire.TypeClass)); m.session != start.Session {
		t.Errorf("the login is %q, the records are of %q", m.session, start.Session)
	}
}

func TestRFC3162Section2_WhatASessionHasOfIPv6(t *testing.T) {
	prefix, delegated := "\x00\x40\x20\x01\x0d\xb8\x00\x01\x00\x02", "\x00\x38\x20\x01\x0d\xb8\xff\xff\xff\xff" // 64 and 56 bits
	link, behind := netip.MustParsePrefix("2001:db8:1:2::/64"), netip.MustParsePrefix("2001:db8:ffff:ff00::/56")
	given := "\x20\x01\x0d\xb8" + strings.Repeat("\x00", 11) + "\x07"
	for i, x := range []struct {
		rows []row
		want aaa.RecordIPv6
	}{
		{nil, aaa.RecordIPv6{}},
		{[]row{str(97, prefix), str(123, delegated), str(96, "\x00\x00\x00\x00\x00\x00\x01\x00")}, aaa.RecordIPv6{Prefix: link, Delegated: behind, InterfaceID: 256}},
		{[]row{str(168, given)}, aaa.RecordIPv6{Prefix: netip.MustParsePrefix("2001:db8::7/128")}},
		{[]row{str(168, given), str(97, prefix)}, aaa.RecordIPv6{Prefix: link}},
		{[]row{str(97, "\x00\x81"), str(123, "\x00"), str(96, "short"), str(168, "short")}, aaa.RecordIPv6{}}, // as good as none
	} {
		r := newRig(t, nil)
		if got := r.took(accounting(t, 1, append([]row{str(44, "0001"), str(1, "alice")}, x.rows...)...)); got.IPv6 != x.want {
			t.Errorf("%d: %+v, want %+v", i, got.IPv6, x.want)
		}
	}
}

func TestATimeThatCannotBeIsNotBelieved(t *testing.T) {
	now := time.Unix(1_800_000_000, 500)
	at := func(rows ...row) time.Duration {
		return now.Sub(eventTime(packet(t, radius.CodeAccountingRequest, rows...), now)).Truncate(time.Second)
	}
	stamp := func(d time.Duration) row { return num(55, uint32(now.Add(d).Unix())) }
	for name, tc := range map[string]struct {
		got, want time.Duration
	}{
		"no time":                    {at(), 0},
		"Event-Timestamp":            {at(stamp(-time.Hour)), time.Hour},
		"Event-Timestamp and delay":  {at(stamp(-time.Hour), num(41, 5)), time.Hour},
		"Acct-Delay-Time":            {at(num(41, 90)), 90 * time.Second},
		"a clock that was never set": {at(num(55, 1000), num(41, 90)), 90 * time.Second},
		"a clock of tomorrow":        {at(stamp(24 * time.Hour)), 0},
		"a delay that cannot be":     {at(num(41, math.MaxUint32)), mostDelay},
		"a time of three octets":     {at(str(55, "abc")), 0},
	} {
		if tc.got != tc.want {
			t.Errorf("%s: %v ago, want %v", name, tc.got, tc.want)
		}
	}
}

func TestARecordSaysHowLongItWasKept(t *testing.T) {
	for delay, want := range map[uint32]time.Duration{0: 0, 90: 90 * time.Second, math.MaxUint32: mostDelay} {
		r := recordOf(&aaa.NAS{}, packet(t, radius.CodeAccountingRequest, num(41, delay)), aaa.RecordStart, time.Unix(1_800_000_000, 0))
		if r.Delay != want {
			t.Errorf("Acct-Delay-Time %d: kept for %v, want %v", delay, r.Delay, want)
		}
	}
}

func TestRFC2866Section3_NoAnswerBeforeItIsStored(t *testing.T) {
	r := newRig(t, nil)
	p := accounting(t, 1, str(44, "0001"), str(1, "alice"))
	octets, box := octetsOf(t, p), newMailbox()
	r.records.err = errFull
	r.put(forRecords, octets, nasAddress, box)
	if len(box.all()) != 0 {
		t.Fatal("it was confirmed and is not stored")
	}
	r.want(Unanswered, 1)
	r.records.err, r.records.wait = nil, make(chan struct{})
	d := datagram{role: forRecords, octets: octets, from: nasAddress, out: box, listener: int(forRecords)}
	r.take(context.Background(), d, time.Now())
	if len(box.all()) != 0 {
		t.Error("it was confirmed before it was stored")
	}
	close(r.records.wait)
	r.working.Wait()
	r.put(forRecords, octets, nasAddress, box)
	if len(box.all()) != 2 || len(r.records.taken) != 1 {
		t.Errorf("%d confirmations, %d records", len(box.all()), len(r.records.taken))
	}
}

func TestOnAndOff(t *testing.T) {
	r := newRig(t, func(c *Config) {
		c.Clients = append(c.Clients, Client{Name: "wide", Source: netip.MustParsePrefix("198.51.100.0/24"), Secret: aaa.NewSecret(clientSecret)})
	})
	r.took(accounting(t, 1, str(44, "0001"), str(1, "alice")))
	at := time.Now().Add(-time.Minute).Unix()
	for _, status := range []uint32{7, 8} {
		if reply := r.ask(accounting(t, status, num(55, uint32(at)))); reply == nil {
			t.Error("no answer")
		}
	}
	octets, box := octetsOf(t, accounting(t, 7, num(55, uint32(at)))), newMailbox()
	r.put(forRecords, octets, netip.MustParseAddrPort("198.51.100.7:5"), box)
	proxied := octetsOf(t, accounting(t, 7, num(55, uint32(at)), str(33, "p"), str(32, "ap-9")))
	r.put(forRecords, proxied, nasAddress, box)
	when := " " + time.Unix(at, 0).UTC().Format(time.RFC3339)
	if want := []string{"branch" + when, "branch" + when, "wide/198.51.100.7" + when, "branch/ap-9" + when}; !slices.Equal(r.records.restarts, want) {
		t.Errorf("%q", r.records.restarts)
	}
	if len(r.sessions.known) != 0 {
		t.Error("sessions of a NAS that has started anew are remembered")
	}
}

func TestOtherKindsAreConfirmedAndNotKept(t *testing.T) {
	r := newRig(t, nil)
	for _, status := range []uint32{0, 4, 9, 14, 15, 99, math.MaxUint32} {
		if reply := r.ask(accounting(t, status, str(44, "0001"))); reply == nil {
			t.Errorf("status %d is not confirmed", status)
		}
	}
	r.want(Ignored, 7)
	if len(r.records.taken) != 0 {
		t.Errorf("%+v", r.records.taken)
	}
}

// A NAS that sends no Class back: the session is named by its own, and its start is an estimate that stays what it was.
func TestSessionsWithoutClass(t *testing.T) {
	r := newRig(t, nil)
	base := []row{str(44, "0001"), str(1, "alice@sales")}
	first := r.took(accounting(t, 3, append(base, num(46, 300), num(55, ago(0)))...))
	if first.Session != "branch/0001" || first.Account != "alice@sales" || first.Domain != "sales" || first.At.Sub(first.Started) != 5*time.Minute {
		t.Errorf("%+v", first)
	}
	for _, tc := range []struct {
		status, lasted uint32
		same           bool
	}{{3, 302, true}, {1, 0, false}, {3, 1, true}, {2, 3, true}} {
		next := r.took(accounting(t, tc.status, append(base, num(46, tc.lasted), num(55, ago(0)))...))
		if next.Started.Equal(first.Started) != tc.same {
			t.Errorf("status %d after %d s: since %v, before %v", tc.status, tc.lasted, next.Started, first.Started)
		}
		first = next
	}
	late := r.took(accounting(t, 3, append(base, num(46, 2), num(55, ago(0)))...))
	if !late.Started.Equal(first.Started) {
		t.Error("a record that comes after the Stop is of another session")
	}
}

// A NAS that asks anew while a session lives gets another Class. The session stays what it was.
func TestASessionThatIsAuthenticatedAnewStaysWhatItWas(t *testing.T) {
	r := newRig(t, nil)
	first := r.ask(login(t, "alice", password, str(44, "0001")))
	start := r.took(accounting(t, 1, str(44, "0001"), str(1, "alice"), row{0, 25, first.Get(wire.TypeClass)}))
	again := r.ask(login(t, "alice", password, str(44, "0001")))
	if m, _ := decodeMark(again.Get(wire.TypeClass)); m.session != start.Session || !m.started.Equal(start.Started) {
		t.Errorf("asked anew it is %q", m.session)
	}
	other := r.ask(login(t, "alice", password)) // without Acct-Session-Id nobody knows
	interim := r.took(accounting(t, 3, str(44, "0001"), str(1, "alice"), num(46, 5), row{0, 25, other.Get(wire.TypeClass)}))
	if interim.Session != start.Session {
		t.Errorf("session %q became %q", start.Session, interim.Session)
	}
	r.took(accounting(t, 2, str(44, "0001"), str(1, "alice"), row{0, 25, other.Get(wire.TypeClass)}))
	third := r.ask(login(t, "alice", password, str(44, "0001")))
	if m, _ := decodeMark(third.Get(wire.TypeClass)); m.session == start.Session {
		t.Error("a new login goes on with a session that ended")
	}
	// A Start with another mark is another session, though the NAS uses its name again.
	fourth := r.took(accounting(t, 1, str(44, "0001"), str(1, "alice"), row{0, 25, third.Get(wire.TypeClass)}))
	fifth := r.took(accounting(t, 1, str(44, "0001"), str(1, "alice"), row{0, 25, other.Get(wire.TypeClass)}))
	if fourth.Session == fifth.Session {
		t.Error("two logins are one session")
	}
}

// A NAS that loses power says nothing of its sessions, begins to count them anew, and asks about the same user with the same
// Acct-Session-Id. The next session is not the one before, or what that one used would be lost.
func TestASessionAfterAPowerCutIsAnother(t *testing.T) {
	about := func(class []byte, rows ...row) []row {
		return append([]row{str(44, "80000001"), str(1, "alice"), {0, 25, class}}, rows...)
	}
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil)
		first := r.ask(login(t, "alice", password, str(44, "80000001"))).Get(wire.TypeClass)
		at := ago(0)
		began := r.took(accounting(t, 1, about(first, num(55, at))...))
		if twice := r.took(accounting(t, 1, about(first, num(55, at))...)); !twice.Started.Equal(began.Started) {
			t.Error("a Start that comes twice is of two sessions")
		}
		time.Sleep(10 * time.Minute)
		r.took(accounting(t, 3, about(first, num(55, ago(0)), num(46, 600))...))
		time.Sleep(10 * time.Minute)
		second := r.ask(login(t, "alice", password, str(44, "80000001"))).Get(wire.TypeClass)
		at = ago(0)
		next := r.took(accounting(t, 1, about(second, num(55, at))...))
		if after := next.Started.Sub(began.Started); after != 20*time.Minute {
			t.Errorf("it began %s after the one before", after)
		}
		time.Sleep(30 * time.Second)
		for _, p := range []*radius.Packet{
			accounting(t, 1, about(second, num(55, at))...), accounting(t, 3, about(second, num(55, ago(0)), num(46, 30))...), accounting(t, 3, about(second, num(46, 31))...),
		} {
			if later := r.took(p); !later.Started.Equal(next.Started) {
				t.Errorf("a record is of the session of %v", later.Started)
			}
		}
	})
}

func TestAClassOfAnotherClientIsNotBelieved(t *testing.T) {
	r := newRig(t, nil)
	m := mark{session: "other/abcdef", started: time.Unix(1_700_000_000, 0), account: "boss"}
	got := r.took(accounting(t, 1, str(44, "0001"), str(1, "alice"), row{0, 25, m.encode()}))
	if got.Session != "branch/0001" || got.Account != "alice" || len(got.Class) != 1 {
		t.Errorf("%+v", got)
	}
}

func TestMarksComeBackAsTheyWent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		part := rapid.StringN(0, 60, 60)
		m := mark{session: newSession(part.Draw(t, "client"), time.Unix(1, 0)), started: time.Unix(rapid.Int64Range(0, 1<<40).Draw(t, "began"), 0),
			method: aaa.Method(rapid.Byte().Draw(t, "method")), account: part.Draw(t, "account"), domain: part.Draw(t, "domain"), backend: part.Draw(t, "backend")}
		if rapid.Bool().Draw(t, "a link") {
			m.link = netip.MustParsePrefix("2001:db8:0:7::/64")
		}
		if rapid.Bool().Draw(t, "a site") {
			m.delegated = netip.PrefixFrom(netip.MustParseAddr("2001:db8::"), rapid.IntRange(33, 128).Draw(t, "bits"))
		}
		class := m.encode()
		got, ok := decodeMark(class)
		short := m
		short.account = "" // what did not fit
		bare := m
		bare.link, bare.delegated = netip.Prefix{}, netip.Prefix{}
		if !ok || len(class) > 253 || got != m && got != short && (got != bare || len(class) < 253-28) {
			t.Fatalf("%+v came back as %+v, %v", m, got, ok)
		}
	})
	m := mark{session: "s", started: time.Unix(1, 0), account: strings.Repeat("x", 253), domain: strings.Repeat("d", 253)}
	if got, ok := decodeMark(m.encode()); !ok || got.session != "s" || got.account != "" || got.domain != "" {
		t.Errorf("%+v %v", got, ok)
	}
}

// Whatever order the records of a session come in, who takes none that is not newer ends with the Stop, or the longest.
func TestSequenceNeverGoesBackwards(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seconds := rapid.SliceOfNDistinct(rapid.Uint32(), 1, 10, rapid.ID).Draw(t, "seconds")
		slices.Sort(seconds)
		before := sequence(aaa.RecordStart, &radius.Packet{}, 0)
		for _, n := range seconds {
			p := &radius.Packet{}
			p.Add(wire.TypeAcctSessionTime, num(0, n).value)
			now := sequence(aaa.RecordInterim, p, 0)
			if n < math.MaxUint32-5 && now <= before {
				t.Fatalf("after %d s: %d, before %d", n, now, before)
			}
			before = now
		}
		if stop := sequence(aaa.RecordStop, &radius.Packet{}, 0); stop <= before {
			t.Fatalf("the stop has %d, an interim %d", stop, before)
		}
	})
}

// A NAS begins to count anew, and the Start of a session is lost: what comes next has the mark of another login than the session of
// that name that has ended, and a later one.
func TestASessionWhoseStartWasLostIsNotTheOneBefore(t *testing.T) {
	at := nasSession{"nas", "00000001"}
	first, again := mark{session: "nas/a", started: time.Unix(1000, 0)}, mark{session: "nas/b", started: time.Unix(2000, 0)}
	next := mark{session: "nas/c", started: time.Unix(9000, 0)}
	s := newSessions()
	for n, step := range []struct {
		kind     aaa.RecordKind
		told, is mark
	}{
		{aaa.RecordStart, first, first}, {aaa.RecordInterim, again, first}, {aaa.RecordStop, again, first}, {aaa.RecordStop, again, first},
		{aaa.RecordInterim, first, first}, {aaa.RecordInterim, next, next}, {aaa.RecordStop, next, next}, {aaa.RecordStop, next, next},
	} {
		if got := s.settle(at, "alice", step.told, true, news{kind: step.kind}); got != step.is {
			t.Errorf("record %d, %s of %s, is of %s", n, step.kind, step.told.session, got.session)
		}
	}
}

// However long the names of two clients are, neither can speak of the sessions of the other.
func TestSessionsOfClientsDiffer(t *testing.T) {
	long := strings.Repeat("x", 64)
	names := []string{"a", "ab", long, long + "y", long + "z", strings.Repeat("é", 100)}
	for _, name := range names {
		m := mark{session: newSession(name, time.Unix(1, 0)), started: time.Unix(1, 0)}
		if len(m.session) > 100 || !utf8.ValidString(m.session) {
			t.Errorf("a session of %s is called %q", name, m.session)
		}
		for _, other := range names {
			if own := strings.HasPrefix(m.session, sessionPrefix(other)); own != (name == other) {
				t.Errorf("a session of %s is one of %s: %v", name, other, own)
			}
		}
	}
}

func TestSessionsAreBounded(t *testing.T) {
	s := newSessions()
	s.order = fair.NewQueue[nasSession](10)
	for n := range 25 {
		s.settle(nasSession{"branch", fmt.Sprint(n)}, "alice", mark{session: "x"}, true, news{kind: aaa.RecordStart})
		if n%3 == 0 {
			s.settle(nasSession{"branch", fmt.Sprint(n)}, "alice", mark{session: "x"}, true, news{kind: aaa.RecordStop})
		}
	}
	if len(s.known) > 10 || s.order.Len() > 10 {
		t.Errorf("%d sessions, %d in order", len(s.known), s.order.Len())
	}
	if _, _, ok := s.find(nasSession{"branch", "23"}, "alice"); !ok {
		t.Error("the newest was forgotten")
	}
	if _, _, ok := s.find(nasSession{"branch", "23"}, "bob"); ok {
		t.Error("somebody else's")
	}
}

func TestARecordThatIsSignedGetsASignedAnswer(t *testing.T) {
	r := newRig(t, nil)
	for _, signed := range []bool{false, true} {
		p := accounting(t, 1, str(44, "0001"))
		if signed {
			p.Add(wire.TypeMessageAuth, make([]byte, 16))
		}
		if got := r.ask(p).Get(wire.TypeMessageAuth) != nil; got != signed {
			t.Errorf("signed %v, the answer %v", signed, got)
		}
	}
}

func TestAMarkThatIsDamagedIsNone(t *testing.T) {
	m := mark{session: "branch/x", started: time.Unix(1, 0), account: "alice"}
	whole := m.encode()
	m.delegated = netip.MustParsePrefix("2001:db8:1:100::/56")
	longer := m.encode()
	for n := range longer {
		if _, ok := decodeMark(longer[:n]); ok != (n == len(whole)) {
			t.Errorf("%d of %d octets are a mark: %v", n, len(longer), ok)
		}
	}
	longer[len(whole)+2] = 129 // bits
	for _, b := range [][]byte{append(whole[:len(whole):len(whole)], 0), longer, append([]byte("lng2"), whole[4:]...), (&mark{started: time.Unix(1, 0)}).encode()} {
		if _, ok := decodeMark(b); ok {
			t.Errorf("%q is a mark", b)
		}
	}
}

func TestReasons(t *testing.T) {
	for cause, want := range map[uint32]string{0: "did not say", 1: "user request", 18: "host request", 19: "19", math.MaxUint32: "4294967295"} {
		if got := reasonOf(cause); !strings.Contains(got, want) {
			t.Errorf("%d: %q", cause, got)
		}
	}
}

// A NAS that starts anew again and again is quick to be done with, however many sessions others have.
func TestAStartAnewCostsNoMoreThanItsOwnSessions(t *testing.T) {
	s, now := newSessions(), time.Unix(1000, 0)
	s.order = fair.NewQueue[nasSession](3000)
	for n := range 4000 {
		at := nasSession{fmt.Sprintf("nas%d", n%4), fmt.Sprint(n)}
		s.settle(at, "alice", mark{session: at.id, started: now}, true, news{kind: aaa.RecordStart})
	}
	check := func(want, ofNASes int) {
		t.Helper()
		sum := 0
		for nas, ids := range s.ofNAS {
			for id := range ids {
				if _, there := s.known[nasSession{nas, id}]; !there {
					t.Errorf("%s of %s is in one alone", id, nas)
				}
				sum++
			}
		}
		if len(s.known) != want || sum != want || len(s.ofNAS) != ofNASes {
			t.Errorf("%d are known, %d of %d NASes", len(s.known), sum, len(s.ofNAS))
		}
	}
	check(3000, 4)
	s.forget("nas1")
	check(2250, 3)
	if spent := testing.AllocsPerRun(10, func() { s.forget("nas1") }); spent != 0 {
		t.Errorf("%v allocations", spent)
	}
	if _, _, found := s.find(nasSession{"nas1", "3997"}, "alice"); found {
		t.Error("a session outlived the start of its NAS")
	}
}

func TestSessionsWhoseNamesAreNoTextAreNotOne(t *testing.T) {
	r := newRig(t, nil)
	names := map[string]bool{}
	for _, id := range []string{"\xff\x01", "\xff\x02", "\xff\x00", "\xff"} {
		r.took(accounting(t, 1, str(44, id), str(1, "alice")))
		names[r.records.last().Session] = true
	}
	if len(names) != 4 {
		t.Errorf("four sessions are called %v", names)
	}
}
