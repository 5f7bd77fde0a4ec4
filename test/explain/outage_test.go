package explain

import (
	"context"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"lnsgate/aaa"
	"lnsgate/aaa/radius/dynauth"
	"lnsgate/lns/datapath/tun"
	"lnsgate/lns/trace"
	"lnsgate/pool"
	leases "lnsgate/pool/postgres"
	"lnsgate/test/netns"
	"lnsgate/test/peers"
	"lnsgate/test/pgtest"
	"lnsgate/test/radtest"
)

// strangeUsers are those of the real RADIUS server who get what there is not.
const strangeUsers = `
pam@hq.example Cleartext-Password := "` + password + `"
	Framed-Pool = "cellar"

phil@hq.example Cleartext-Password := "` + password + `"
	Filter-Id = "office"

max@hq.example Cleartext-Password := "` + password + `"
	Framed-IP-Address = 10.10.0.1

mia@hq.example Auth-Type := Accept

tom@patient Cleartext-Password := "` + password + `"
`

// outageRows need servers that are ill for a while, or give what is not there.
func outageRows(c *company) []row {
	return []row{
		{cause: trace.NoSuchPool, how: "Framed-Pool of FreeRADIUS", says: []string{`"cellar"`}, play: typed("pam@hq.example", password)},
		{cause: trace.NoSuchFilter, how: "Filter-Id of FreeRADIUS", says: []string{`"office"`}, play: typed("phil@hq.example", password)},
		{cause: trace.Misconfigured, how: "Framed-IP-Address of FreeRADIUS is our own", says: []string{"no peer can have the address"},
			play: typed("max@hq.example", password)},
		{cause: trace.Misconfigured, how: "a row of the database gives our own address", says: []string{"no peer can have the address"},
			play: typed("una", password)},
		{cause: trace.Requested, how: "Disconnect-Request of radclient", play: func(l *lab) { c.disconnect(l.up(l.peer("joe", password)).Run) }},
		{cause: trace.DatabaseAway, how: "somebody has locked the table of accounts", says: []string{"look up an account: no answer in time"}, play: func(l *lab) {
			c.during("LOCK TABLE accounts", func() { typed("ann", password)(l) })
		}},
		{cause: trace.TooManyChecks, how: "more logins than may wait for FreeRADIUS", says: []string{"limits.waiting_authentications"}, play: c.crowd},
		{cause: trace.DatabaseAway, how: "the database has lost a table", says: []string{"accounts", "run lnsgate db migrate"}, play: func(l *lab) {
			c.exec("ALTER TABLE accounts RENAME TO mislaid")
			typed("ann", password)(l)
			c.exec("ALTER TABLE mislaid RENAME TO accounts")
		}},
		{cause: trace.RADIUSGrant, how: "FreeRADIUS accepts without the answer that MS-CHAPv2 needs", says: []string{"without MS-CHAP2-Success"}, play: func(l *lab) {
			l.fails(l.peer("mia@hq.example", password, func(p *peers.Profile) { p.Methods = []peers.Method{peers.MethodMSCHAPv2} }), time.Minute)
		}},
	}
}

// crowd has more log in at once than may wait, while FreeRADIUS sleeps.
func (c *company) crowd(l *lab) {
	c.radius.Pause()
	var all sync.WaitGroup
	for range 12 {
		p := l.peer("tom@patient", password)
		all.Go(func() { l.fails(p, 4*time.Second) })
	}
	all.Wait()
	c.radius.Resume()
}

// disconnect has radclient end the one session that there is of joe.
func (c *company) disconnect(pass func(time.Duration)) {
	server, err := dynauth.Listen(dynauth.Config{Listen: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")}, Sessions: c.server,
		Clients: []dynauth.Client{{Source: netip.MustParsePrefix("127.0.0.0/8"), Secret: aaa.NewSecret(radiusSecret)}}, Identifiers: []string{"hq1"}, Log: c.deps.Log})
	c.must(err)
	ctx, cancel := context.WithCancel(context.Background())
	var running errgroup.Group
	running.Go(func() error { return server.Run(ctx) })
	reply, ok := radtest.Radclient(c.t, server.Addresses()[0], "disconnect", radiusSecret, `
		User-Name = "joe"
		NAS-Identifier = "hq1"
		Message-Authenticator = 0x00`)
	if !ok {
		c.t.Errorf("radclient was refused: %s", reply)
	}
	pass(200 * time.Millisecond)
	cancel()
	c.must(running.Wait())
	c.must(server.Close())
}

// lose ends the sessions whose leases are lost, as the command does.
func (l *lab) lose(lost []pool.Lease) {
	for _, lease := range lost {
		l.server.LoseLease(context.Background(), lease.Holder, "the lease of its address could not be renewed in the database")
	}
}

// The pools are in a database that goes away for longer than what it lent is good for.
func TestLostLeasesAreExplained(t *testing.T) {
	t.Parallel()
	database := pgtest.Cluster(t)
	db := database.New()
	if _, err := db.Exec(t.Context(), `INSERT INTO pools (name) VALUES ('pool1');
		INSERT INTO pool_ranges (pool, range) VALUES ('pool1', '10.10.1.10-10.10.1.250')`); err != nil {
		t.Fatal(err)
	}
	var later atomic.Int64
	l := newLab(t, func(l *lab) {
		a, err := leases.New(leases.Config{Pool: db, Node: "hq1", Tick: 20 * time.Millisecond, Timeout: time.Second, Log: l.deps.Log,
			Now:  func() time.Time { return time.Now().Add(time.Duration(later.Load())) },
			Lost: func(lost []pool.Lease) { go l.lose(lost) }})
		l.must(err)
		ctx, cancel := context.WithCancel(context.Background())
		var running errgroup.Group
		running.Go(func() error { return a.Run(ctx) })
		t.Cleanup(func() { cancel(); _ = running.Wait() })
		for give := time.Now().Add(20 * time.Second); !a.Stats().Attached && time.Now().Before(give); {
			runtime.Gosched()
		}
		l.deps.Pools = a
	})
	defer l.close()
	for _, r := range []row{
		{cause: trace.LoggedIn, how: "while the database is there", play: func(l *lab) { l.up(l.alice()) }},
		{cause: trace.LeaseLost, how: "PostgreSQL is away for a day", says: []string{"could not be renewed"}, play: func(l *lab) {
			p := l.up(l.peer("bob@default", password))
			database.Stop()
			later.Add(int64(24 * time.Hour))
			p.Until(20*time.Second, func() bool { return p.Closed() != nil })
		}},
		{cause: trace.AddressFault, how: "PostgreSQL is away, and what it lent is used up", says: []string{"the database of the pools is not available"},
			play: typed("alice", password)},
	} {
		t.Run(r.cause.Name()+"/"+r.how, func(t *testing.T) {
			l.t = t
			r.play(l)
			l.judge(r)
		})
	}
}

// A template that came by a reload has no device: that is seen at the first login.
func TestMissingDeviceIsExplained(t *testing.T) {
	n := netns.NewTest(t)
	l := newLab(t, func(l *lab) {
		l.must(n.Do(func() error {
			d, err := tun.New(tun.Config{Interface: "vt0", MTU: 1460, Queues: 1, Sender: l.end})
			if err == nil {
				l.deps.DataPath = d
				t.Cleanup(func() { _ = d.Close() })
			}
			return err
		}))
	})
	defer l.close()
	r := row{cause: trace.DataPathFault, says: []string{"vt1"}, play: typed("alice", password)}
	r.play(l)
	l.judge(r)
}
