package foreign_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"lnsgate/aaa"
	"lnsgate/aaa/foreign"
	"lnsgate/aaa/foreign/foreigntest"
	"lnsgate/pool"
	"lnsgate/pool/memory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// books are foreign.Records that a test can look into and make fail.
type books struct {
	mu    sync.Mutex
	all   []aaa.Record
	fault error // of Sync
	full  error // of Take
}

func (b *books) Take(r aaa.Record) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fault == nil && b.full == nil {
		b.all = append(b.all, r)
	}
	return b.full
}

func (b *books) refuse(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.full = err
}

func (b *books) Sync(context.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.fault
}

func (b *books) fail(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fault = err
}

func (b *books) records() []aaa.Record {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.all)
}

// last returns the last record, which there must be.
func (b *books) last(t testing.TB) aaa.Record {
	t.Helper()
	all := b.records()
	if len(all) == 0 {
		t.Fatal("there is no record")
	}
	return all[len(all)-1]
}

// people are an aaa.Authenticator that says what it was told to say of a name.
type people struct {
	mu      sync.Mutex
	answers map[string]aaa.Decision
	faults  map[string]error
	asked   []aaa.Request
}

func (p *people) set(name string, d aaa.Decision) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answers[name] = d
	delete(p.faults, name)
}

func (p *people) refuse(name string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults[name] = err
}

func (p *people) Authenticate(_ context.Context, r *aaa.Request) (aaa.Decision, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked = append(p.asked, *r)
	if err := p.faults[r.Name]; err != nil {
		return aaa.Decision{}, err
	}
	d, there := p.answers[r.Name]
	if !there {
		return d, aaa.Reject(aaa.UnknownUser, "nobody")
	}
	return d, nil
}

func (p *people) Authorize(ctx context.Context, r *aaa.Request) (aaa.Decision, error) {
	return p.Authenticate(ctx, r)
}

// nases are a foreign.Sender.
type nases struct {
	mu     sync.Mutex
	told   []foreign.Order
	at     []time.Time
	answer func(foreign.Order) foreign.Answer // nil: done
	wait   time.Duration
}

func (n *nases) Send(ctx context.Context, o foreign.Order) foreign.Answer {
	n.mu.Lock()
	n.told, n.at = append(n.told, o), append(n.at, time.Now())
	answer, wait := n.answer, n.wait
	n.mu.Unlock()
	if wait > 0 {
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return foreign.Answer{Text: "no answer"}
		}
	}
	if answer == nil {
		return foreign.Answer{Done: true, OK: true, Text: "acknowledged"}
	}
	return answer(o)
}

func (n *nases) say(answer func(foreign.Order) foreign.Answer) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.answer = answer
}

func (n *nases) orders() []foreign.Order {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.told)
}

// pools are those of a test; they can be made to fail.
type pools struct {
	*memory.Allocator
	mu    sync.Mutex
	fault error
	takes time.Duration // that Keep takes
	after func()        // done after each Release; nil: nothing
}

func (p *pools) slow(takes time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.takes = takes
}

func (p *pools) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fault = err
}

func (p *pools) failing() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.fault
}

func (p *pools) Allocate(ctx context.Context, r pool.Request) (pool.Lease, error) {
	if err := p.failing(); err != nil {
		return pool.Lease{}, err
	}
	return p.Allocator.Allocate(ctx, r)
}

func (p *pools) Keep(ctx context.Context, l pool.Lease, until time.Time) error {
	if err := p.failing(); err != nil {
		return err
	}
	p.mu.Lock()
	takes := p.takes
	p.mu.Unlock()
	<-time.After(takes) // virtual
	return p.Allocator.Keep(ctx, l, until)
}

func (p *pools) Release(ctx context.Context, l pool.Lease) error {
	if err := p.failing(); err != nil {
		return err
	}
	err := p.Allocator.Release(ctx, l)
	p.mu.Lock()
	after := p.after
	p.mu.Unlock()
	if after != nil {
		after()
	}
	return err
}

// holder is who has an address; "" = nobody.
func (p *pools) holder(t testing.TB, address string) string {
	t.Helper()
	return p.lease(t, address).Holder
}

func (p *pools) lease(t testing.TB, address string) pool.Lease {
	t.Helper()
	leases, err := p.Leases(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range leases {
		if l.Address == netip.MustParseAddr(address) && (l.Expires.IsZero() || l.Expires.After(time.Now())) {
			return l
		}
	}
	return pool.Lease{}
}

// rig is a node with everything around it, in virtual time.
type rig struct {
	*testing.T
	*foreign.Sessions
	config  foreign.Config
	clients map[string]foreign.Client
	store   *foreigntest.Memory
	books   *books
	people  *people
	nases   *nases
	pools   *pools
	auth    aaa.Authenticator
	stop    func()
}

// run makes a rig, runs it and has a test work with it. The pool p has ten addresses, 10.0.0.1 to 10.0.0.10; links and sites have
// eight prefixes each, from 2001:db8::/64 and 2001:db8:1::/56 on.
func run(t *testing.T, test func(*rig), changes ...func(*foreign.Config)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, changes...)
		r.start()
		defer func() { r.stop() }()
		test(r)
	})
}

func newRig(t *testing.T, changes ...func(*foreign.Config)) *rig {
	r := &rig{
		T: t, clients: map[string]foreign.Client{"nas": {}, "wifi": {Addresses: foreign.None}, "bras": {Addresses: foreign.Named}},
		store: foreigntest.NewMemory(nil), books: &books{}, nases: &nases{},
		people: &people{answers: map[string]aaa.Decision{}, faults: map[string]error{}},
	}
	r.pools = newPools(t)
	for _, name := range []string{"ann", "bob", "cid"} {
		r.people.set(name, decision(name))
	}
	r.config = foreign.Config{
		Node: "n1", Pools: r.pools, Records: r.books, Store: r.store, Sender: r.nases, AAA: r.people,
		Clients: func(name string) (foreign.Client, bool) { c, ok := r.clients[name]; return c, ok },
		Log:     slog.New(slog.NewTextHandler(testLog{t}, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	for _, change := range changes {
		change(&r.config)
	}
	return r
}

func newPools(t testing.TB) *pools {
	t.Helper()
	var all []pool.Pool
	for _, p := range []struct {
		name, text string
		length     int
	}{{"p", "10.0.0.1-10.0.0.10", 0}, {"links", "2001:db8::-2001:db8:0:7:ffff:ffff:ffff:ffff", 64}, {"sites", "2001:db8:1::-2001:db8:1:7ff:ffff:ffff:ffff:ffff", 56}} {
		list, err := pool.ParseRange(p.text)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, pool.Pool{Name: p.name, Ranges: []pool.Range{list}, PrefixLength: p.length, Quarantine: time.Minute})
	}
	allocator, err := memory.New(memory.Config{Pools: all})
	if err != nil {
		t.Fatal(err)
	}
	return &pools{Allocator: allocator}
}

type testLog struct{ testing.TB }

func (l testLog) Write(b []byte) (int, error) { l.Log(string(b)); return len(b), nil }

// decision is what an account gets unless a test says otherwise.
func decision(name string) aaa.Decision {
	return aaa.Decision{Account: name, Domain: "d", Backend: "local", Pools: []string{"p"}, Interim: 5 * time.Minute, RateUp: 1000}
}

// start runs the sessions; a rig can be started again, as a process can.
func (r *rig) start() {
	r.Helper()
	s, err := foreign.New(r.config)
	if err != nil {
		r.Fatal(err)
	}
	r.Sessions, r.auth = s, s.Around(r.people)
	ctx, cancel := context.WithCancel(r.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); s.Run(ctx) }() //nolint:errcheck // nil
	r.stop = func() { cancel(); <-ended }
	synctest.Wait()
}

// restart ends the process and begins a new one on the same Store. What is in memory is lost.
func (r *rig) restart() {
	r.Helper()
	r.stop()
	if !r.config.Shared {
		r.pools = newPools(r)
		r.config.Pools = r.pools
	}
	r.start()
}

// pass lets time go by.
func (r *rig) pass(d time.Duration) { time.Sleep(d); synctest.Wait() } // virtual

var (
	serial int
	logins sync.Map // session -> when its login was asked for, which the mark in our Class tells
)

// login has somebody log in at a NAS, on a line of its own.
func (r *rig) login(client, name string) (*aaa.Request, aaa.Decision, error) {
	serial++
	q := request(client, name, serial)
	d, err := r.auth.Authenticate(r.Context(), q)
	return q, d, err
}

func request(client, name string, line int) *aaa.Request {
	session := fmt.Sprintf("%s/%06d", client, line)
	logins.Store(session, time.Now().Truncate(time.Second))
	return &aaa.Request{
		Attempt: session, Session: session, Name: name, CallingNumber: fmt.Sprintf("line %d", line), Group: client,
		Proof: aaa.Proof{Method: aaa.PAP}, Peer: netip.MustParseAddrPort("192.0.2.9:1024"),
		NAS: &aaa.NAS{Name: client, Client: client, Address: netip.MustParseAddr("192.0.2.9"), Port: uint32(line)},
	}
}

func (r *rig) mustLogin(client, name string) (*aaa.Request, aaa.Decision) {
	r.Helper()
	q, d, err := r.login(client, name)
	if err != nil {
		r.Fatalf("%s is not let in: %v", name, err)
	}
	return q, d
}

// startOf is the Start of a login that got an answer. The NAS sends our Class back.
func startOf(q *aaa.Request, d aaa.Decision) aaa.Record {
	nas := *q.NAS
	nas.Session = "acct" + q.Session
	began, _ := logins.Load(q.Session)
	return aaa.Record{
		Kind: aaa.RecordStart, Session: q.Session, At: time.Now().Truncate(time.Second), Sequence: 1, Started: began.(time.Time),
		Name: q.Name, Account: d.Account, Domain: d.Domain, Backend: d.Backend, Method: q.Proof.Method, Address: d.Address, IPv6: d.Lent,
		Peer: q.Peer, CallingNumber: q.CallingNumber, NAS: &nas,
	}
}

// later is a record of a session, as things are now.
func later(start aaa.Record, kind aaa.RecordKind) aaa.Record {
	start.Kind, start.At = kind, time.Now().Truncate(time.Second)
	lasted := start.At.Sub(start.Started)
	start.Sequence = 2 + uint32(lasted/time.Second)
	if kind == aaa.RecordStop {
		start.Sequence, start.Terminate, start.Reason = 1<<32-1, aaa.TerminateUserRequest, "the NAS says: user request"
	}
	start.RxOctets = uint64(lasted / time.Second)
	return start
}

func (r *rig) tell(rec aaa.Record) {
	r.Helper()
	if err := r.Account(r.Context(), &rec); err != nil {
		r.Fatalf("%s of %s: %v", rec.Kind, rec.Session, err)
	}
	synctest.Wait()
}

// open logs somebody in and has the NAS send the Start.
func (r *rig) open(client, name string) aaa.Record {
	r.Helper()
	q, d := r.mustLogin(client, name)
	start := startOf(q, d)
	r.tell(start)
	return start
}

func (r *rig) live(want ...string) {
	r.Helper()
	found, err := r.List(r.Context(), foreign.Query{})
	if err != nil {
		r.Fatal(err)
	}
	var have []string
	for _, rec := range found {
		have = append(have, rec.Session)
	}
	slices.Sort(have)
	slices.Sort(want)
	if !slices.Equal(have, want) {
		r.Errorf("live are %v, want %v", have, want)
	}
}

// first is the first address of the pool.
func (p *pools) first(testing.TB) netip.Addr { return netip.MustParseAddr("10.0.0.1") }
