package recorder

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"lnsgate/lns/ppp"
	"lnsgate/lns/trace"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var dawn = time.Date(2026, 11, 24, 6, 0, 0, 0, time.UTC)

func at(seconds int) time.Time { return dawn.Add(time.Duration(seconds) * time.Second) }

func peer(n int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, byte(n >> 8), byte(n)}), 1701)
}

// login tells the story of a login by name; with no name it is a stranger's.
func login(r *Recorder, n int, name string, v trace.Verdict) *Story {
	s := r.Begin(peer(n), at(n))
	if name != "" {
		s.Tell(func(a *trace.Attempt) { a.Name, a.Tunnel, a.Session = name, uint16(n), 1 })
		s.Called(fmt.Sprintf("n-1-%d/1", n))
	}
	s.Note(at(n), trace.Step{Stage: trace.StageTunnel, Actor: trace.Peer, What: "SCCRQ"})
	if v.Cause == trace.LoggedIn {
		s.Open(at(n), netip.MustParseAddr("10.0.0.1"))
	} else {
		s.End(at(n), v)
	}
	return s
}

func find(t *testing.T, r *Recorder, f trace.Filter) []trace.Attempt {
	t.Helper()
	found, err := r.Find(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestAStoryIsToldWithoutSecrets(t *testing.T) {
	r := New(Config{Node: "n", Prefix: "n-1-"})
	s := r.Begin(peer(1), at(0))
	s.Tell(func(a *trace.Attempt) { a.Vendor = "Microsoft" })
	s.Shows(trace.Signs{Firmware: 0x0601})
	s.Note(at(0), trace.Step{Stage: trace.StageTunnel, Actor: trace.Peer, What: "SCCRQ", Detail: "host \"pc\""})
	request := ppp.Packet{Code: ppp.ConfigureRequest, Identifier: 1, Data: ppp.AppendMRU(nil, 1400)}.Append(nil)
	for i := range 3 {
		s.Packet(at(1+i), trace.LNS, ppp.Frame{Protocol: ppp.LCP, Packet: request})
	}
	s.Packet(at(5), trace.Peer, ppp.Frame{Protocol: ppp.LCP, Packet: request}) // the same, but of the other side
	pap := ppp.Packet{Code: ppp.PAPAuthenticateRequest, Data: ppp.PAPRequest{Name: []byte("alice"), Password: []byte("hunter2")}.Append(nil)}.Append(nil)
	s.Packet(at(6), trace.Peer, ppp.Frame{Protocol: ppp.PAP, Packet: pap})
	s.Note(at(7), trace.Step{Stage: trace.StageAuthentication, Actor: trace.Backend, Who: "hq", What: "answer", Took: 1500 * time.Microsecond})
	check := func(a trace.Attempt) {
		t.Helper()
		var said []string
		for _, step := range a.Steps {
			said = append(said, fmt.Sprint(step.After.Seconds(), " ", step.Actor, " ", step.What, " ", step.Detail, " ", step.Again))
		}
		want := "0 peer SCCRQ host \"pc\" false|1 lns LCP Configure-Request MRU 1400 false|2 lns LCP Configure-Request MRU 1400 true|" +
			"3 lns LCP Configure-Request MRU 1400 true|5 peer LCP Configure-Request MRU 1400 false|" +
			"6 peer PAP Authenticate-Request name alice, password **** false|7 backend answer  false"
		if got := strings.Join(said, "|"); got != want {
			t.Errorf("%s\nwant %s", got, want)
		}
		if a.Steps[6].Who != "hq" || a.Steps[6].Took != 1500*time.Microsecond || a.Fingerprint != "Windows 7" {
			t.Errorf("%+v of %s", a.Steps[6], a.Fingerprint)
		}
	}
	check(find(t, r, trace.Filter{})[0]) // under way
	s.Open(at(8), netip.MustParseAddr("10.0.0.1"))
	check(find(t, r, trace.Filter{})[0])
	if strings.Contains(string(s.tape.octets), "hunter2") {
		t.Error("the password is on the tape")
	}
}

func TestALongStoryIsBoundedAndHasItsEnd(t *testing.T) {
	r := New(Config{})
	s := r.Begin(peer(1), at(0))
	s.Tell(func(a *trace.Attempt) { a.Name = "bob" })
	big := ppp.Packet{Code: ppp.ConfigureRequest, Data: make([]byte, 1400)}.Append(nil)
	for range 1000 {
		s.Packet(at(1), trace.Peer, ppp.Frame{Protocol: ppp.IPCP, Packet: big})
		s.Note(at(1), trace.Step{What: strings.Repeat("x", 1e4)})
	}
	s.End(at(2), trace.Verdict{Cause: trace.SetupTimeout})
	a := find(t, r, trace.Filter{})[0]
	last := a.Steps[len(a.Steps)-1]
	if len(a.Steps) > maxNotes+lastNotes || a.LeftOut+len(a.Steps) != 2001 || last.Stage != trace.StageEnd {
		t.Errorf("%d steps, %d left out, at last %+v", len(a.Steps), a.LeftOut, last)
	}
	if n := r.Stats().Octets; n > maxOctets+4096 {
		t.Errorf("it takes %d octets", n)
	}
}

func TestNoKindPushesOutAnother(t *testing.T) {
	const bound = 1 << 20
	r := New(Config{Octets: bound})
	login(r, 1, "failing", trace.Verdict{Cause: trace.WrongPassword})
	login(r, 2, "open", trace.Verdict{Cause: trace.LoggedIn})
	for i := range 20000 {
		r.Refuse(Refusal{Peer: peer(10 + i), HostName: "flood", Cause: trace.NoGroup}, noDetail, at(10+i))
	}
	for i := range 5000 {
		login(r, 30000+i, "open", trace.Verdict{Cause: trace.LoggedIn})
	}
	if len(find(t, r, trace.Filter{User: "failing"})) != 1 || len(find(t, r, trace.Filter{Failed: true, Causes: []trace.Cause{trace.NoGroup}})) == 0 {
		t.Error("something was pushed out")
	}
	stats := r.Stats()
	if stats.Octets > bound || stats.Octets < bound*45/100 || stats.Live != 0 {
		t.Errorf("%+v of %d octets", stats, bound)
	}
	for k := range r.rings {
		if r.rings[k].octets > bound/100*shares[k] {
			t.Errorf("ring %d holds %d octets", k, r.rings[k].octets)
		}
	}
	if len(r.sessions) > stats.Kept || len(r.refusals) > stats.Kept {
		t.Errorf("%d sessions and %d refusals are remembered of %d stories", len(r.sessions), len(r.refusals), stats.Kept)
	}
}

func TestRefusalsOfOneSourceAreOneStory(t *testing.T) {
	r := New(Config{Prefix: "n-1-"})
	no := Refusal{Peer: peer(1), HostName: "x", Cause: trace.NoGroup}
	told := 0
	for i := range 1000 {
		no.Peer = netip.AddrPortFrom(no.Peer.Addr(), uint16(i))
		if _, news := r.Refuse(no, noDetail, at(i)); news {
			told++
		}
	}
	no.Cause = trace.TunnelLimit
	r.Refuse(no, noDetail, at(1001))
	found := find(t, r, trace.Filter{})
	if told != 1 || len(found) != 2 || found[1].Times != 1000 || !found[1].Ended.Equal(at(999)) || len(found[1].Steps) != 2 || found[0].Times > 1 {
		t.Errorf("told %d times: %+v", told, found)
	}
	if _, news := r.Refuse(Refusal{Peer: peer(1), Cause: trace.NoGroup}, noDetail, at(8000)); !news {
		t.Error("after hours it is a story of its own")
	}
}

func TestAFloodOfManySourcesIsLeftOut(t *testing.T) {
	r := New(Config{})
	for i := range 5000 {
		r.Refuse(Refusal{Peer: peer(i), Cause: trace.SourceLimit}, noDetail, at(0))
	}
	if s := r.Stats(); s.Kept > budgetBurst+1 || s.LeftOut != uint64(5000-s.Kept) {
		t.Errorf("%+v", s)
	}
}

func TestStrangersWhoseTunnelFailsAgainAndAgainAreCounted(t *testing.T) {
	r := New(Config{})
	for i := range 5 {
		s := r.Begin(peer(1), at(i))
		if news := s.End(at(i+1), trace.Verdict{Cause: trace.TunnelNoAnswer}); news != (i == 0) {
			t.Errorf("the %dth time is news: %v", i, news)
		}
	}
	if found := find(t, r, trace.Filter{}); len(found) != 1 || found[0].Times != 5 || r.Stats().Live != 0 {
		t.Errorf("%+v, %+v", found, r.Stats())
	}
}

func TestPagesAreNewestFirstAndWhole(t *testing.T) {
	r := New(Config{Prefix: "n-1-"})
	for i := range 57 {
		switch i % 4 {
		case 0:
			login(r, i, "bob", trace.Verdict{Cause: trace.LoggedIn})
		case 1:
			login(r, i, "bob", trace.Verdict{Cause: trace.WrongPassword})
		case 2:
			login(r, i, "", trace.Verdict{Cause: trace.TunnelLost})
		default:
			r.Begin(peer(i), at(i))
		}
	}
	for _, limit := range []int{1, 7, 100} {
		var seen []string
		f := trace.Filter{Limit: limit}
		last := at(1000)
		for {
			page := find(t, r, f)
			for _, a := range page {
				if a.At().After(last) {
					t.Fatalf("%s is newer than the one before", a.ID)
				}
				last = a.At()
				seen = append(seen, a.ID)
				f.Before = a.ID
			}
			if len(page) < limit {
				break
			}
		}
		unique := map[string]bool{}
		for _, id := range seen {
			unique[id] = true
		}
		if len(seen) != 57 || len(unique) != 57 {
			t.Errorf("pages of %d: %d attempts, %d different", limit, len(seen), len(unique))
		}
	}
	if got := find(t, r, trace.Filter{Before: "unknown"}); len(got) != 0 {
		t.Errorf("behind an unknown attempt stand %d", len(got))
	}
	if got := find(t, r, trace.Filter{ID: "n-1-5/1"}); len(got) != 1 || got[0].Verdict.Cause != trace.WrongPassword {
		t.Errorf("%+v", got)
	}
}

func TestLaterNotesGoOnUntilTheStoryIsPushedOut(t *testing.T) {
	r := New(Config{Octets: 100 << 10})
	login(r, 1, "bob", trace.Verdict{Cause: trace.LoggedIn})
	before := r.Stats().Octets
	s := r.Session("n-1-1/1")
	s.Note(at(9), trace.Step{Stage: trace.StageOpen, Actor: trace.LNS, What: "LCP Echo-Request", Detail: "not answered"})
	s.End(at(10), trace.Verdict{Cause: trace.EchoLost})
	a := find(t, r, trace.Filter{Session: "1/1"})[0]
	if len(a.Steps) != 3 || a.Verdict.Cause != trace.EchoLost || a.Failed() || !a.Ended.Equal(at(10)) || r.Stats().Octets <= before {
		t.Errorf("%+v, %d octets after %d", a, r.Stats().Octets, before)
	}
	for i := range 1000 {
		login(r, 100+i, "other", trace.Verdict{Cause: trace.LoggedIn})
	}
	if r.Session("n-1-1/1") != nil {
		t.Error("it is still there")
	}
	s.Note(at(11), trace.Step{What: "late"}) // hurts nobody
}

func TestWatchersAreToldAndNeverWaitedFor(t *testing.T) {
	r := New(Config{})
	ctx, cancel := context.WithCancel(t.Context())
	events, slow := r.Watch(ctx), r.Watch(ctx)
	login(r, 1, "bob", trace.Verdict{Cause: trace.WrongPassword})
	login(r, 2, "bob", trace.Verdict{Cause: trace.LoggedIn}).End(at(3), trace.Verdict{Cause: trace.Kicked})
	r.Announce(trace.Event{Kind: trace.SessionClosed})
	for _, want := range []trace.EventKind{trace.AttemptBegan, trace.AttemptFailed, trace.AttemptBegan, trace.SessionOpened, trace.SessionClosed, trace.SessionClosed} {
		if got := <-events; got.Kind != want {
			t.Errorf("%s instead of %s", got.Kind, want)
		}
	}
	for i := range 2 * watchBuffer {
		login(r, 10+i, "bob", trace.Verdict{Cause: trace.WrongPassword})
		for len(events) > 0 {
			<-events
		}
	}
	if len(slow) != watchBuffer || r.Stats().Unwatched == 0 {
		t.Errorf("%d wait, %d lost", len(slow), r.Stats().Unwatched)
	}
	cancel()
	for range events {
	}
	for range slow {
	}
}

// shelf is an archive of some attempts.
type shelf struct {
	all []trace.Attempt
	err error
}

func (s shelf) Find(_ context.Context, f trace.Filter, behind Place) (found []trace.Attempt, err error) {
	for i := range s.all {
		if a := &s.all[i]; len(found) < f.Limit && f.Matches(a) && behind.before(a.At(), a.ID) {
			found = append(found, *a)
		}
	}
	return found, s.err
}

func (s shelf) Where(_ context.Context, id string) (Place, bool, error) {
	for i := range s.all {
		if s.all[i].ID == id {
			return Place{s.all[i].At(), id}, true, s.err
		}
	}
	return Place{}, false, s.err
}

func TestTheArchiveGoesOnWhereMemoryEnds(t *testing.T) {
	var old shelf
	for i := 9; i >= 0; i-- { // n-1-5/1 and up are in memory too
		old.all = append(old.all, trace.Attempt{ID: fmt.Sprintf("n-1-%d/1", i), Name: "bob", Began: at(i), Ended: at(i)})
	}
	r := New(Config{Archive: old})
	for i := 5; i < 12; i++ {
		login(r, i, "bob", trace.Verdict{Cause: trace.WrongPassword})
	}
	var seen []string
	f := trace.Filter{Limit: 5}
	for {
		page := find(t, r, f)
		for _, a := range page {
			seen = append(seen, a.ID)
			f.Before = a.ID
		}
		if len(page) < f.Limit {
			break
		}
	}
	var want []string
	for i := 11; i >= 0; i-- {
		want = append(want, fmt.Sprintf("n-1-%d/1", i))
	}
	if fmt.Sprint(seen) != fmt.Sprint(want) {
		t.Errorf("%v, want %v", seen, want)
	}
	old.err = errors.New("the database is away")
	r.archive = old
	if found, err := r.Find(t.Context(), trace.Filter{User: "bob", Limit: 3}); err == nil || len(found) != 3 {
		t.Errorf("%v, %d found", err, len(found))
	}
}

func TestNothingIsRecordedWithoutARecorder(t *testing.T) {
	var r *Recorder
	s := r.Begin(peer(1), at(0))
	s.Note(at(0), trace.Step{})
	s.Packet(at(0), trace.Peer, ppp.Frame{})
	s.Tell(func(*trace.Attempt) { t.Error("told") })
	s.Shows(trace.Signs{})
	s.Called("x")
	s.Changed()
	s.Open(at(0), netip.Addr{})
	if s.ID() != "" || s.Attempt().Steps != nil {
		t.Error("a story without a recorder tells something")
	}
	r.Refuse(Refusal{}, noDetail, at(0))
	r.Announce(trace.Event{})
	if found, err := r.Find(t.Context(), trace.Filter{}); s != nil || !s.End(at(0), trace.Verdict{}) || found != nil || err != nil || r.Session("x") != nil || r.Stats() != (Stats{}) {
		t.Error("a nil recorder does something")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, open := <-r.Watch(ctx); open {
		t.Error("an event of nobody")
	}
}

func FuzzTape(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3, 4, 0, 0, 0})
	f.Add([]byte{1, 1, 2, 3, 4, 0xc0, 0x21, 0, 4, 1, 1, 0, 4})
	f.Fuzz(func(t *testing.T, octets []byte) {
		var a trace.Attempt
		(&tape{octets: octets}).tell(&a, trace.Signs{}) // a tape is our own; all the same reading one always ends
	})
}

func BenchmarkStory(b *testing.B) {
	r := New(Config{})
	request := ppp.Packet{Code: ppp.ConfigureRequest, Identifier: 1, Data: ppp.AppendMRU(nil, 1400)}.Append(nil)
	b.ReportAllocs()
	for i := range b.N {
		s := r.Begin(peer(i), dawn)
		for range 20 {
			s.Packet(dawn, trace.LNS, ppp.Frame{Protocol: ppp.LCP, Packet: request})
			s.Note(dawn, trace.Step{What: "SCCRQ", Detail: "host, tunnel"})
		}
		s.Called("n-1-1/1")
		s.Open(dawn, netip.Addr{})
	}
}

// The octets that a recorder counts are those that it takes, within reason.
func TestMemoryIsWhatIsCounted(t *testing.T) {
	const bound = 4 << 20
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	r := New(Config{Octets: bound})
	request := ppp.Packet{Code: ppp.ConfigureRequest, Identifier: 1, Data: ppp.AppendMRU(nil, 1400)}.Append(nil)
	for i := range 30000 {
		s := r.Begin(peer(i), at(i))
		s.Tell(func(a *trace.Attempt) { a.Name, a.Rule = fmt.Sprint("user", i), fmt.Sprint("rule", i) })
		for range 20 {
			s.Packet(at(i), trace.Peer, ppp.Frame{Protocol: ppp.LCP, Packet: request})
		}
		if s.Called(fmt.Sprintf("n-1-%d/1", i)); i%2 == 0 {
			s.Open(at(i), netip.Addr{})
		} else {
			s.End(at(i), trace.Verdict{Cause: trace.WrongPassword})
		}
	}
	if grown := heap() - before; grown > bound*3/2 {
		t.Errorf("%d octets are taken, %d counted, %d allowed", grown, r.Stats().Octets, bound)
	}
	runtime.KeepAlive(r)
}

func BenchmarkFingerprint(b *testing.B) {
	r := New(Config{})
	s := login(r, 1, "bob", trace.Verdict{Cause: trace.LoggedIn})
	request := ppp.Packet{Code: ppp.ConfigureRequest, Identifier: 1, Data: ppp.AppendMRU(nil, 1400)}.Append(nil)
	for range 20 {
		s.Packet(dawn, trace.Peer, ppp.Frame{Protocol: ppp.LCP, Packet: request})
	}
	b.ReportAllocs()
	for b.Loop() {
		s.Fingerprint()
	}
}

func noDetail() string { return "" }

// A flood of strangers must not have us put into words again and again why they are sent away.
func TestARefusalThatIsOnlyCountedIsNotPutIntoWords(t *testing.T) {
	r := New(Config{Node: "n", Prefix: "n-"})
	asked := 0
	refuse := func() {
		r.Refuse(Refusal{Peer: peer(1), HostName: "flood", Cause: trace.NoGroup}, func() string { asked++; return "because" }, at(1))
	}
	if refuse(); asked != 1 {
		t.Errorf("asked %d times", asked)
	}
	if n := testing.AllocsPerRun(100, refuse); n != 0 || asked != 1 {
		t.Errorf("%.0f allocations, asked %d times", n, asked)
	}
}
