package foreign_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"lnsgate/aaa"
	"lnsgate/aaa/foreign"
	"lnsgate/aaa/foreign/foreigntest"
)

// counted is a registry that a test can look into.
type counted struct {
	*foreign.Counts
	mu sync.Mutex
	in map[string]bool
}

func (c *counted) Enter(ctx context.Context, e aaa.Entry) error {
	err := c.Counts.Enter(ctx, e)
	if err == nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.in[e.Session] = true
	}
	return err
}

func (c *counted) Leave(ctx context.Context, session string) error {
	c.mu.Lock()
	delete(c.in, session)
	c.mu.Unlock()
	return c.Counts.Leave(ctx, session)
}

// truth is a session as its NAS has it.
type truth struct {
	request *aaa.Request
	start   aaa.Record
	began   time.Time // of the login
	up      bool      // it has had a Start, and lives
	sent    []aaa.Record
}

// world is a node, its NASes, and what must be true of them.
type world struct {
	*rapid.T
	t        *testing.T
	ctx      context.Context
	config   foreign.Config
	sessions *foreign.Sessions
	auth     aaa.Authenticator
	stop     func()
	store    *foreigntest.Memory
	books    *books
	pools    *pools
	registry *counted

	lines   int
	logins  []*truth // answered, without a Start so far
	up      []*truth
	over    []*truth
	doubled time.Time // when no two sessions of an account had one address
	mu      sync.Mutex
	ordered []string // sessions that a NAS was told to end
}

func newWorld(t *testing.T, rt *rapid.T, shared bool) *world {
	w := &world{T: rt, t: t, ctx: t.Context(), store: foreigntest.NewMemory(nil), books: &books{}, pools: newPools(t)}
	p := &people{answers: map[string]aaa.Decision{}, faults: map[string]error{}}
	for _, name := range []string{"ann", "bob", "cid", "dan"} {
		d := decision(name)
		if name != "cid" {
			d = six(name)
		}
		switch name {
		case "bob":
			d.MaxSessions = 2
		case "cid":
			d.MaxSessions, d.SessionPolicy = 1, aaa.ReplaceOld
		case "dan":
			d.Address = netip.MustParseAddr("10.0.0.5")
		}
		p.set(name, d)
	}
	w.config = foreign.Config{
		Node: "n1", Pools: w.pools, Records: w.books, Store: w.store, Sender: w, AAA: p, Shared: shared, Sweep: 10 * time.Minute, Log: slog.New(slog.DiscardHandler),
		Clients: func(string) (foreign.Client, bool) { return foreign.Client{}, true },
	}
	w.newRegistry()
	w.doubled = time.Now()
	w.begin()
	return w
}

func (w *world) newRegistry() {
	w.registry = &counted{in: map[string]bool{}, Counts: foreign.NewCounts(func(ctx context.Context, session, reason string) {
		w.sessions.Disconnect(ctx, session, reason)
	})}
	w.config.Registry = w.registry
}

func (w *world) begin() {
	s, err := foreign.New(w.config)
	if err != nil {
		w.Fatal(err)
	}
	w.sessions, w.auth = s, s.Around(w.config.AAA)
	ctx, cancel := context.WithCancel(w.ctx)
	ended := make(chan struct{})
	go func() { defer close(ended); s.Run(ctx) }() //nolint:errcheck // nil
	w.stop = func() { cancel(); <-ended }
	synctest.Wait()
}

// Send has a NAS obey: the Stop comes a while later.
func (w *world) Send(_ context.Context, o foreign.Order) foreign.Answer {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ordered = append(w.ordered, o.Session.Session)
	return foreign.Answer{Done: true, OK: true, Text: "acknowledged"}
}

// obey ends what a NAS was told to end.
func (w *world) obey() {
	synctest.Wait()
	w.mu.Lock()
	ordered := w.ordered
	w.ordered = nil
	w.mu.Unlock()
	for _, session := range ordered {
		for _, s := range w.up {
			if s.start.Session == session {
				w.end(s)
				w.send(s, later(s.start, aaa.RecordStop))
				break
			}
		}
	}
}

// send has a NAS send a record until it is confirmed, or until it has enough.
func (w *world) send(s *truth, r aaa.Record) {
	s.sent = append(s.sent, r)
	for range 4 {
		rec := r
		if w.sessions.Account(w.ctx, &rec) == nil {
			return
		}
		w.mend()
	}
	w.Fatalf("%s of %s is never confirmed", r.Kind, r.Session)
}

func (w *world) mend() { w.books.fail(nil); w.pools.fail(nil); w.store.Fail(nil) }

func (w *world) login(t *rapid.T) {
	nas := rapid.SampledFrom([]string{"nas", "old"}).Draw(t, "nas")
	name := rapid.SampledFrom([]string{"ann", "ann", "bob", "cid", "dan"}).Draw(t, "name")
	w.lines++
	q := request(nas, name, w.lines)
	q.NAS.Session = rapid.SampledFrom([]string{"", fmt.Sprintf("acct%d", w.lines)}).Draw(t, "said")
	if rapid.Bool().Draw(t, "one line for all") {
		q.CallingNumber, q.NAS.Port = "", 1
	}
	d, err := w.auth.Authenticate(w.ctx, q)
	w.obey()
	if err != nil {
		return
	}
	s := &truth{request: q, began: time.Now(), start: startOf(q, d)}
	if nas == "old" { // it sends no Class back
		s.start.NAS.Session = fmt.Sprintf("acct%d", w.lines)
		s.start.Session, s.start.Account, s.start.Domain, s.start.Backend = "old/"+s.start.NAS.Session, name, "", ""
	}
	w.logins = append(w.logins, s)
}

// take takes one out of a list.
func take(t *rapid.T, list *[]*truth) *truth {
	i := rapid.IntRange(0, len(*list)-1).Draw(t, "which")
	s := (*list)[i]
	*list = append((*list)[:i:i], (*list)[i+1:]...)
	return s
}

func (w *world) begins(t *rapid.T) {
	if len(w.logins) == 0 {
		t.Skip()
	}
	s := take(t, &w.logins)
	if time.Since(s.began) > 100*time.Second || rapid.IntRange(0, 4).Draw(t, "gives up") == 0 {
		return
	}
	s.start.At = time.Now().Truncate(time.Second)
	if s.request.NAS.Name == "old" {
		s.start.Started = s.start.At
	}
	s.up = true
	w.up = append(w.up, s)
	w.send(s, s.start)
	w.obey()
}

func (w *world) end(s *truth) {
	s.up = false
	for i := range w.up {
		if w.up[i] == s {
			w.up = append(w.up[:i:i], w.up[i+1:]...)
			break
		}
	}
	w.over = append(w.over, s)
}

func (w *world) stops(t *rapid.T) {
	if len(w.up) == 0 {
		t.Skip()
	}
	s := take(t, &w.up)
	w.end(s)
	if rapid.IntRange(0, 4).Draw(t, "vanishes") > 0 {
		w.send(s, later(s.start, aaa.RecordStop))
	}
}

// repeats has a NAS send again what it sent before.
func (w *world) repeats(t *rapid.T) {
	all := append(append([]*truth(nil), w.up...), w.over...)
	if len(all) == 0 {
		t.Skip()
	}
	s := rapid.SampledFrom(all).Draw(t, "of")
	if len(s.sent) == 0 {
		return
	}
	w.send(&truth{}, rapid.SampledFrom(s.sent).Draw(t, "what"))
}

func (w *world) passes(t *rapid.T) {
	for range rapid.IntRange(1, 4).Draw(t, "minutes") {
		w.rest(time.Minute)
		w.obey()
		for _, s := range append([]*truth(nil), w.up...) {
			if s.up && time.Since(s.sent[len(s.sent)-1].At) >= 5*time.Minute {
				w.send(s, later(s.start, aaa.RecordInterim))
			}
		}
		w.obey()
	}
}

func (w *world) reboots(t *rapid.T) {
	nas := rapid.SampledFrom([]string{"nas", "old"}).Draw(t, "nas")
	w.rest(2 * time.Second)
	at := time.Now()
	for _, list := range []*[]*truth{&w.up, &w.logins} {
		var rest []*truth
		for _, s := range *list {
			if s.request.NAS.Name != nas {
				rest = append(rest, s)
			} else if s.up {
				s.up = false
				w.over = append(w.over, s)
			}
		}
		*list = rest
	}
	for range 4 {
		if w.sessions.Restarted(w.ctx, nas, at) == nil {
			return
		}
		w.mend()
	}
	w.Fatal("a restart is never confirmed")
}

func (w *world) crashes(*rapid.T) {
	w.stop()
	w.mend()
	if !w.config.Shared {
		w.pools = newPools(w.t)
		w.config.Pools = w.pools
	}
	w.newRegistry() // what a node has entered ends with its process, also in the database
	w.begin()
}

func (w *world) fails(t *rapid.T) {
	err := errors.New("away")
	switch rapid.IntRange(0, 2).Draw(t, "what") {
	case 0:
		w.books.fail(err)
	case 1:
		w.pools.fail(err)
	case 2:
		w.store.Fail(err)
	}
}

// holds checks what must be true at any time.
func (w *world) holds(*rapid.T) {
	synctest.Wait()
	has, doubled := map[netip.Addr]*truth{}, false
	for _, s := range w.up {
		other := has[s.start.Address]
		has[s.start.Address] = s
		switch {
		case other == nil:
		case s.request.Name == "dan" && other.request.Name == "dan" && time.Since(w.doubled) < 6*time.Minute:
			doubled = true // an account with an address of its own, over a crash: it may take an Interim
		default:
			w.Fatalf("%s is the address of %s and of %s", s.start.Address, other.start.Session, s.start.Session)
		}
	}
	if !doubled {
		w.doubled = time.Now()
	}
	w.holdPrefixes()
	for _, s := range w.logins {
		if other := has[s.start.Address]; other != nil && time.Since(s.began) < 100*time.Second && s.request.Name != "dan" {
			w.Fatalf("%s is the address of %s and offered to %s", s.start.Address, other.start.Session, s.start.Session)
		}
	}
}

// holdPrefixes checks that no prefix is in two hands.
func (w *world) holdPrefixes() {
	has := map[netip.Prefix]*truth{}
	for _, list := range [][]*truth{w.up, w.logins} {
		for _, s := range list {
			if !s.up && time.Since(s.began) >= 100*time.Second {
				continue
			}
			for _, p := range []netip.Prefix{s.start.IPv6.Prefix, s.start.IPv6.Delegated} {
				if other := has[p]; other != nil && p.IsValid() {
					w.Fatalf("%s is the prefix of %s and of %s", p, other.start.Session, s.start.Session)
				}
				has[p] = s
			}
		}
	}
}

// ends lets all be over, and looks what is left.
func (w *world) ends() {
	w.mend()
	for _, s := range append([]*truth(nil), w.up...) {
		w.end(s)
	}
	w.rest(50 * time.Hour)
	w.obey()
	w.stop()
	if found, err := w.store.Find(w.ctx, foreign.Query{}); err != nil || len(found) > 0 {
		w.Errorf("live are %+v, %v", found, err)
	}
	if leases, _ := w.pools.Leases(w.ctx); len(leases) > 0 {
		usage, _ := w.pools.Usage(w.ctx) // has them run out
		if leases, _ := w.pools.Leases(w.ctx); len(leases) > 0 {
			w.Errorf("held are %+v; %+v", leases, usage)
		}
	}
	if len(w.registry.in) > 0 {
		w.Errorf("counted are %v", w.registry.in)
	}
	if got := w.sessions.Stats(); got.Known+got.Logins+got.Owed+got.Orders > 0 {
		w.Errorf("%+v", got)
	}
	stops, last := map[string]map[uint32]bool{}, map[string]aaa.Record{}
	for _, r := range w.books.records() {
		if stops[r.Session] == nil {
			stops[r.Session] = map[uint32]bool{}
		}
		if r.Kind == aaa.RecordStop {
			stops[r.Session][r.Sequence] = true
		}
		if r.Sequence >= last[r.Session].Sequence {
			last[r.Session] = r
		}
	}
	for session, of := range stops {
		if len(of) != 1 || last[session].Kind != aaa.RecordStop {
			w.Errorf("%s has %d Stops, and its last record is %s", session, len(of), last[session].Kind)
		}
	}
}

func TestWorld(t *testing.T) {
	for name, shared := range map[string]bool{"pools in memory": false, "pools that are shared": true} {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) {
				var fault any
				synctest.Test(t, func(t *testing.T) {
					defer func() { fault = recover() }() // of rapid, which wants it in its own goroutine
					w := newWorld(t, rt, shared)
					defer func() { w.stop() }()
					rt.Repeat(map[string]func(*rapid.T){
						"login": w.login, "login again": w.login, "begins": w.begins, "begins too": w.begins, "stops": w.stops, "repeats": w.repeats,
						"passes": w.passes, "reboots": w.reboots, "crashes": w.crashes, "fails": w.fails, "": w.holds,
					})
					w.ends()
				})
				switch fmt.Sprintf("%T", fault) {
				case "<nil>":
				case "rapid.invalidData": // rapid tells faults apart by the line that they come from
					panic(fault)
				default:
					panic(fault)
				}
			})
		})
	}
}

// rest lets virtual time go by.
func (w *world) rest(d time.Duration) { time.Sleep(d); synctest.Wait() }
