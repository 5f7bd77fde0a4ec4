package foreigntest

import (
	"fmt"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"lnsgate/aaa"
	"lnsgate/aaa/foreign"
)

// Rig is a Store under test.
type Rig struct {
	Store foreign.Store
	// Put is how the Store learns of a record, such as by way of a recorder. When it returns, Find knows. nil: Store.Put.
	Put func(aaa.Record) error
}

// Run holds a Store against the contract. Open makes an empty one for each test; its clock is the real one.
func Run(t *testing.T, open func(t *testing.T) Rig) {
	for _, test := range []struct {
		name string
		run  func(*rig)
	}{
		{"a session is its last record", lastRecord},
		{"all that counts comes back", roundTrip},
		{"a late record changes nothing", late},
		{"a guessed Stop gives way to what comes later", guessed},
		{"sessions are found by each field", fields},
		{"the oldest first, and no more than the limit", oldestFirst},
		{"live sessions are counted by client", countedByClient},
		{"silent sessions", silent},
		{"an order is written once", onceEach},
		{"an order takes the place of those that wait", superseding},
		{"an order is claimed by one", claimedOnce},
		{"orders for some NASes are left", claimedForOthers},
		{"of a session one order at a time", oneAtATime},
		{"an order that was not answered comes again", again},
		{"a change that was done counts", changeDone},
		{"many at once", crowd},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := open(t)
			if r.Put == nil {
				r.Put = func(rec aaa.Record) error { return r.Store.Put(t.Context(), rec) }
			}
			test.run(&rig{T: t, Rig: r, base: time.Now().Add(-time.Hour).Truncate(time.Second).UTC()})
		})
	}
}

// rig is what a test works with.
type rig struct {
	*testing.T
	Rig
	base time.Time // when the first session began
}

// session makes a Start of session n of a NAS.
func (r *rig) session(nas string, n int) aaa.Record {
	return Start(nas, n, r.base.Add(time.Duration(n)*time.Second))
}

// Start makes a complete Start of the n-th session of a NAS.
func Start(nas string, n int, at time.Time) aaa.Record {
	return aaa.Record{
		Kind: aaa.RecordStart, Session: fmt.Sprintf("%s/login%d", nas, n), Node: "n1", At: at, Sequence: 1, Started: at,
		Name: fmt.Sprintf("User%d@sales.example", n), Account: fmt.Sprintf("user%d@sales.example", n), Domain: "sales.example",
		Method: aaa.MSCHAPv2, Backend: "postgres", Address: netip.AddrFrom4([4]byte{10, 20, byte(n >> 8), byte(n)}), Pool: "sales",
		IPv6: aaa.RecordIPv6{
			Prefix:    netip.MustParsePrefix(fmt.Sprintf("2001:db8:0:%x::/64", n)),
			Delegated: netip.MustParsePrefix(fmt.Sprintf("2001:db8:%x:100::/56", n+1)),
		},
		Peer: netip.MustParseAddrPort("198.51.100.7:0"), TunnelName: "bng-" + nas, CallingNumber: "00:11:22:33:44:55", CalledNumber: "ap-1",
		NAS: &aaa.NAS{
			Name: nas, Client: "client-" + nas, Address: netip.MustParseAddr("198.51.100.7"), Identifier: "bng-" + nas,
			Session: fmt.Sprintf("80%06d", n), Port: 7, PortID: "pppoe-7",
		},
		Terms: &aaa.Terms{SessionTimeout: 8 * time.Hour, IdleTimeout: 10 * time.Minute, Interim: 5 * time.Minute,
			RateUp: 10_000_000, RateDown: 50_000_000, Filter: "staff"},
		UserName: "user", Class: [][]byte{{1, 2, 3}, {0xff}}, CUI: []byte("cui"), Sinks: []string{"postgres", "radius"},
		RxPackets: 1, RxOctets: 2, TxPackets: 3, TxOctets: 4,
	}
}

// Interim makes the record of a session that has lasted so long.
func Interim(start aaa.Record, lasted time.Duration) aaa.Record {
	start.Kind, start.Sequence, start.At = aaa.RecordInterim, 2+uint32(lasted/time.Second), start.Started.Add(lasted)
	start.RxOctets, start.TxOctets = start.RxOctets+uint64(lasted/time.Second), start.TxOctets+2*uint64(lasted/time.Second)
	return start
}

// Stop makes the last record of a session.
func Stop(start aaa.Record, lasted time.Duration) aaa.Record {
	start = Interim(start, lasted)
	start.Kind, start.Sequence = aaa.RecordStop, 1<<32-1
	start.Terminate, start.Reason = aaa.TerminateUserRequest, "the NAS says: user request"
	return start
}

func (r *rig) put(records ...aaa.Record) {
	r.Helper()
	for _, rec := range records {
		if err := r.Put(rec); err != nil {
			r.Fatalf("put %s %s: %v", rec.Kind, rec.Session, err)
		}
	}
}

func (r *rig) find(q foreign.Query) []aaa.Record {
	r.Helper()
	found, err := r.Store.Find(r.Context(), q)
	if err != nil {
		r.Fatal(err)
	}
	return found
}

// finds holds the names of what is found against those that are wanted, in order.
func (r *rig) finds(q foreign.Query, want ...aaa.Record) {
	r.Helper()
	var have, names []string
	for _, rec := range r.find(q) {
		have = append(have, rec.Session)
	}
	for _, rec := range want {
		names = append(names, rec.Session)
	}
	if !reflect.DeepEqual(have, names) {
		r.Errorf("%+v finds %v, want %v", q, have, names)
	}
}

func countedByClient(r *rig) {
	counts := func(want map[string]int) {
		r.Helper()
		live, err := r.Store.Live(r.Context())
		if err != nil || !reflect.DeepEqual(live, want) {
			r.Errorf("live are %v: %v, want %v", live, err, want)
		}
	}
	counts(map[string]int{})
	one, two, other := r.session("a", 1), r.session("a", 2), r.session("b", 3)
	r.put(one, two, other, Interim(one, time.Minute))
	counts(map[string]int{"client-a": 2, "client-b": 1})
	r.put(Stop(other, time.Minute), Stop(one, 2*time.Minute))
	counts(map[string]int{"client-a": 1})
}

func lastRecord(r *rig) {
	s := r.session("a", 1)
	r.finds(foreign.Query{})
	r.put(s)
	r.finds(foreign.Query{}, s)
	r.put(Interim(s, time.Minute))
	if have := r.find(foreign.Query{}); len(have) != 1 || have[0].Sequence != 62 || have[0].RxOctets != 62 {
		r.Errorf("%+v is not the last record", have)
	}
	r.put(Stop(s, time.Hour))
	r.finds(foreign.Query{})
	other := r.session("a", 2)
	r.put(Interim(other, time.Minute)) // its Start was never heard of
	r.finds(foreign.Query{}, other)
}

func roundTrip(r *rig) {
	full := Interim(r.session("a", 1), time.Minute)
	bare := Interim(r.session("a", 2), time.Minute)
	bare.Terms, bare.Class, bare.CUI, bare.Sinks, bare.UserName, bare.Backend = nil, nil, nil, nil, "", ""
	bare.Address, bare.Pool, bare.CallingNumber, bare.CalledNumber, bare.TunnelName = netip.Addr{}, "", "", "", ""
	bare.NAS.Identifier, bare.NAS.Port, bare.NAS.PortID = "", 0, ""
	r.put(full, bare)
	for _, want := range []aaa.Record{full, bare} {
		found := r.find(foreign.Query{Session: want.Session})
		if len(found) != 1 {
			r.Fatalf("%s is not found", want.Session)
		}
		have := found[0]
		if !have.At.Equal(want.At) || !have.Started.Equal(want.Started) {
			r.Errorf("%s: at %v, began %v; want %v, %v", want.Session, have.At, have.Started, want.At, want.Started)
		}
		if !reflect.DeepEqual(have.Terms, want.Terms) || !reflect.DeepEqual(have.NAS, want.NAS) {
			r.Errorf("%s: terms %+v, NAS %+v\nwant %+v, %+v", want.Session, have.Terms, have.NAS, want.Terms, want.NAS)
		}
		have.At, have.Started, have.Terms, have.NAS, have.Kind = want.At, want.Started, want.Terms, want.NAS, want.Kind
		if a, b := fmt.Sprintf("%+v", have), fmt.Sprintf("%+v", want); a != b {
			r.Errorf("%s: have\n%s\nwant\n%s", want.Session, a, b)
		}
	}
}

func late(r *rig) {
	s := r.session("a", 1)
	r.put(Interim(s, 10*time.Minute))
	for _, old := range []aaa.Record{Interim(s, 10*time.Minute), Interim(s, 5*time.Minute), s} {
		r.put(old)
		if have := r.find(foreign.Query{}); len(have) != 1 || have[0].Sequence != 602 {
			r.Fatalf("after a late %s: %+v", old.Kind, have)
		}
	}
	r.put(Stop(s, time.Hour))
	for _, old := range []aaa.Record{Interim(s, 20*time.Minute), s, Stop(s, time.Hour)} {
		if err := r.Put(old); err != nil && err != foreign.ErrEnded { //nolint:errorlint // the very one
			r.Fatal(err)
		}
		r.finds(foreign.Query{})
	}
}

func guessed(r *rig) {
	s := r.session("a", 1)
	r.put(Interim(s, time.Minute))
	guess := Stop(s, time.Minute)
	guess.Sequence = 63
	r.put(guess)
	r.finds(foreign.Query{})
	r.put(Interim(s, 2*time.Minute))
	r.finds(foreign.Query{}, s)
	r.put(Stop(s, 3*time.Minute))
	r.finds(foreign.Query{})
}

func fields(r *rig) {
	a1, a2, b1 := r.session("a", 1), r.session("a", 2), r.session("b", 3)
	a2.Domain, a2.Account, a2.Name = "it.example", a1.Account, a1.Name
	r.put(a1, a2, b1)
	r.finds(foreign.Query{Session: a2.Session}, a2)
	r.finds(foreign.Query{Session: "nobody"})
	r.finds(foreign.Query{Name: a1.Name}, a1, a2)
	r.finds(foreign.Query{Account: a1.Account}, a1, a2)
	r.finds(foreign.Query{Account: a1.Account, Domain: "it.example"}, a2)
	r.finds(foreign.Query{Domain: "sales.example"}, a1, b1)
	r.finds(foreign.Query{Client: "client-b"}, b1)
	r.finds(foreign.Query{NAS: "a"}, a1, a2)
	r.finds(foreign.Query{NAS: "a", NASID: a2.NAS.Session}, a2)
	r.finds(foreign.Query{NAS: "b", NASID: a2.NAS.Session})
	r.finds(foreign.Query{NAS: "a", Before: a2.Started}, a1)
	r.finds(foreign.Query{NAS: "a", Before: a2.Started.Add(time.Second)}, a1, a2)
	r.put(Stop(a1, time.Minute))
	r.finds(foreign.Query{Account: a1.Account}, a2)
	r.finds(foreign.Query{Session: a1.Session})
}

func oldestFirst(r *rig) {
	var all []aaa.Record
	for n := range 5 {
		all = append(all, r.session("a", n))
	}
	r.put(all[3], all[0], all[4], all[2], all[1])
	r.finds(foreign.Query{}, all...)
	r.finds(foreign.Query{Limit: 2}, all[:2]...)
	r.finds(foreign.Query{NAS: "a", Limit: 9}, all...)
}

// silent: the records are an hour old, by the NAS's clock, but came just now.
func silent(r *rig) {
	often, seldom, never := r.session("a", 1), r.session("a", 2), r.session("a", 3)
	seldom.Terms = &aaa.Terms{Interim: time.Hour}
	never.Terms = nil
	r.put(often, seldom, never)
	now := time.Now()
	r.finds(foreign.Query{SilentAt: now})
	r.finds(foreign.Query{SilentAt: now.Add(16 * time.Minute)})
	r.finds(foreign.Query{SilentAt: now.Add(18 * time.Minute)}, often)
	r.finds(foreign.Query{SilentAt: now.Add(18 * time.Minute), NAS: "b"})
	r.finds(foreign.Query{SilentAt: now.Add(3 * time.Hour)}, often)
	r.finds(foreign.Query{SilentAt: now.Add(3*time.Hour + 3*time.Minute)}, often, seldom)
	r.finds(foreign.Query{SilentAt: now.Add(23 * time.Hour)}, often, seldom)
	r.finds(foreign.Query{SilentAt: now.Add(25 * time.Hour)}, often, seldom, never)
}
