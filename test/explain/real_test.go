package explain

import (
	"crypto/md5"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"lnsgate/aaa"
	"lnsgate/aaa/guard"
	sqlaccounts "lnsgate/aaa/postgres"
	radiusaccounts "lnsgate/aaa/radius"
	"lnsgate/aaa/radius/client"
	"lnsgate/lns/trace"
	"lnsgate/test/pgtest"
	"lnsgate/test/radtest"
)

// company is a lab with a real PostgreSQL and real RADIUS servers behind it.
type company struct {
	*lab
	database *pgtest.Server
	exec     func(sql string)              // in the database
	during   func(sql string, play func()) // of a transaction that is given up
	radius   *radtest.Server
}

const companySQL = `
	INSERT INTO domains (name) VALUES ('small');
	INSERT INTO accounts (name, password) VALUES ('ann', $$` + password + `$$), ('ivy', $$` + password + `$$), ('gus@small', $$` + password + `$$),
		('hal@small', $$` + password + `$$), ('dan', NULL), ('eve', NULL), ('una', $$` + password + `$$), ('joe', $$` + password + `$$);
	INSERT INTO static_addresses (account, address) VALUES ('una', '10.10.0.1');
	INSERT INTO accounts (name, password, disabled) VALUES ('kim', $$` + password + `$$, true);
	INSERT INTO accounts (name, password, valid_until) VALUES ('cat', $$` + password + `$$, '2020-01-01');
	INSERT INTO accounts (name, password, max_sessions) VALUES ('fay', $$` + password + `$$, 1);
	INSERT INTO credentials (account, kind, value) VALUES ('dan', 'bcrypt', '$2a$04$abcdefghijklmnopqrstuuA8GxVQ5iMk0bO1o4uJb0tDq1M0pYzC6');
	INSERT INTO credentials (account, kind, value, key_id) VALUES ('eve', 'sealed', 'sealed with the key of another node', 'k2019')`

// radiusUsers are those of the real RADIUS server.
const radiusUsers = `rita@hq.example Cleartext-Password := "` + password + `"

rob@hq.example Cleartext-Password := "` + password + `"
	Framed-Route = "wherever it may be"
`

func newCompany(t *testing.T) *company {
	c := &company{database: pgtest.Cluster(t), radius: radtest.Start(t, radtest.Options{Users: radiusUsers + strangeUsers, Secret: radiusSecret})}
	db := c.database.New()
	c.exec = func(sql string) {
		_, err := db.Exec(c.t.Context(), sql)
		c.must(err)
	}
	c.during = func(sql string, play func()) {
		tx, err := db.Begin(c.t.Context())
		c.must(err)
		_, err = tx.Exec(c.t.Context(), sql)
		c.must(err)
		play()
		c.must(tx.Rollback(c.t.Context()))
	}
	if _, err := db.Exec(t.Context(), companySQL); err != nil {
		t.Fatal(err)
	}
	c.lab = newLab(t, func(l *lab) {
		node := sqlaccounts.NewNode(db, sqlaccounts.NodeConfig{Name: "hq1", Version: "test", Log: l.deps.Log})
		l.must(node.Join(t.Context()))
		l.deps.Registry = sqlaccounts.NewRegistry(node)
		l.deps.AAA = c.gate(t, sqlaccounts.New(db, sqlaccounts.Config{}))
		l.config.Limits.AuthenticationTimeout = 5 * time.Second
		l.config.Limits.HalfOpenPerSource = 1000
		l.config.Limits.Authentications, l.config.Limits.WaitingAuthentications = 1, 8
		l.config.Templates[0].Methods = []aaa.Method{aaa.CHAP, aaa.MSCHAPv2}
	})
	return c
}

// gate is who decides about logins: a domain for the database, and one for each RADIUS server.
func (c *company) gate(t *testing.T, database aaa.Backend) aaa.Authenticator {
	config := aaa.Config{DefaultDomain: "default", Possible: ours, Backends: []aaa.Backend{database}, Domains: []aaa.Domain{
		{Name: "default", Chain: []string{"postgres"}, Pools: []string{"pool1"}},
		{Name: "small", Chain: []string{"postgres"}, Pools: []string{"pool1"}, MaxSessions: 1},
	}}
	for _, s := range []struct {
		name, address, secret string
		signs                 client.Policy
		patience              time.Duration
	}{
		{"hq.example", c.radius.Auth().String(), radiusSecret, client.Auto, time.Second},
		{"dropped", c.radius.Auth().String(), wrong, client.Auto, time.Second},
		{"forged", misbehaving(t, wrong), radiusSecret, client.Auto, time.Second},
		{"patient", c.radius.Auth().String(), radiusSecret, client.Auto, time.Minute},
		{"unsigned", misbehaving(t, radiusSecret), radiusSecret, client.Require, time.Second},
	} {
		group, err := client.New(client.Config{Name: s.name, Retry: client.RetryConfig{Initial: 200 * time.Millisecond, Count: 2 * int(s.patience/time.Second), Duration: s.patience},
			Servers: []client.Server{{Name: s.name + "1", Address: s.address, Secret: aaa.NewSecret(s.secret), MessageAuthenticator: s.signs}}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(group.Close)
		backend, err := radiusaccounts.New(radiusaccounts.Config{Name: s.name, Group: group, NAS: radiusaccounts.NAS{Identifier: "hq1"}})
		if err != nil {
			t.Fatal(err)
		}
		config.Backends = append(config.Backends, backend)
		config.Domains = append(config.Domains, aaa.Domain{Name: s.name, Chain: []string{s.name}, Pools: []string{"pool1"}})
	}
	g, err := aaa.NewGateway(config)
	if err != nil {
		t.Fatal(err)
	}
	before := guard.New(guard.Config{Failures: 2, SourceFailures: 4, Delay: time.Minute})
	return before.Before(g)
}

// misbehaving is a RADIUS server that accepts everybody, with this secret and no Message-Authenticator. It does not mind what the
// secret of the requests is, as old servers do.
func misbehaving(t *testing.T, secret string) string {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		request := make([]byte, 4096)
		for {
			n, from, err := conn.ReadFrom(request)
			if err != nil || n < 20 {
				return
			}
			head := []byte{2, request[1], 0, 20} // Access-Accept without attributes (RFC 2865 section 3)
			sum := md5.Sum(slices.Concat(head, request[4:20], []byte(secret)))
			_, _ = conn.WriteTo(append(head, sum[:]...), from)
		}
	}()
	t.Cleanup(func() { conn.Close(); <-done })
	return conn.LocalAddr().String()
}

// twice has the same kind of login happen a second time while the first one is up.
func twice(first, second string) func(*lab) {
	return func(l *lab) {
		l.up(l.peer(first, password))
		typed(second, password)(l)
	}
}

// realRows need real servers. They are played one after the other in one company.
func realRows(c *company) []row {
	return slices.Concat(soundRows(c), outageRows(c), []row{
		{cause: trace.DatabaseAway, how: "PostgreSQL is stopped", says: []string{"database ", "/lnsgate: "}, play: func(l *lab) {
			c.database.Stop()
			typed("ann", password)(l)
		}},
	})
}

// soundRows are of servers that work.
func soundRows(c *company) []row {
	return []row{
		{cause: trace.LoggedIn, how: "by the database", play: func(l *lab) { l.up(l.peer("ann", password)) }},
		{cause: trace.LoggedIn, how: "by RADIUS", play: func(l *lab) { l.up(l.peer("rita@hq.example", password)) }},
		{cause: trace.NearMissDomain, how: "in the database", says: []string{`there is "gus@small", in domain "small"`}, play: typed("gus", password)},
		{cause: trace.NearMissName, how: "in the database", says: []string{`stored as "ann": only upper and lower case differ`}, play: typed("ANN", password)},
		{cause: trace.WrongPassword, how: "in the database", says: []string{"postgres"}, play: typed("ann", wrong)},
		{cause: trace.AccountDisabled, how: "in the database", says: []string{"the password was right"}, play: typed("kim", password)},
		{cause: trace.AccountExpired, how: "valid_until is over", says: []string{"2020", "the password was right"}, play: typed("cat", password)},
		{cause: trace.NoCredentialForMethod, how: "CHAP against bcrypt", says: []string{"bcrypt", "offer pap"}, play: typed("dan", password)},
		{cause: trace.SealKeyMissing, how: "sealed by another node", says: []string{"copy the key file"}, play: typed("eve", password)},
		{cause: trace.AccountSessions, how: "max_sessions of an account", says: []string{`account "fay" has 1 of 1 sessions`, "on node hq1"}, play: twice("fay", "fay")},
		{cause: trace.DomainSessions, how: "max_sessions of a domain", says: []string{`domain "small" has 1 of 1 sessions`}, play: twice("gus@small", "hal@small")},
		{cause: trace.AccountDelayed, how: "guessing a password", says: []string{"3 failed logins of this name in a row"}, play: func(l *lab) {
			for range 4 {
				typed("ivy", wrong)(l)
			}
		}},
		{cause: trace.SourceDelayed, how: "guessing names", says: []string{"failed logins from 198.51.100.250"}, play: func(l *lab) {
			for port := range uint16(6) {
				end := l.net.Endpoint(nil, netip.AddrPortFrom(netip.MustParseAddr("198.51.100.250"), 5000+port))
				l.fails(l.peerAt(end, "nobody"+string(rune('a'+port)), wrong), 20*time.Second)
			}
		}},
		{cause: trace.RADIUSRefused, how: "a wrong password", says: []string{"hq.example1 (127.0.0.1:", "says no"}, play: typed("rita@hq.example", wrong)},
		{cause: trace.RADIUSGrant, how: "a route that is none", says: []string{"hq.example1 (127.0.0.1:", "Framed-Route", "wherever"}, play: typed("rob@hq.example", password)},
		{cause: trace.RADIUSNoAnswer, how: "FreeRADIUS does not answer who has another secret", says: []string{"dropped1 (127.0.0.1:", "no answer"},
			play: typed("rita@dropped", password)},
		{cause: trace.RADIUSWrongSecret, how: "a server that answers with another secret", says: []string{"forged1 (127.0.0.1:", "not made with the shared secret"},
			play: typed("rita@forged", password)},
		{cause: trace.RADIUSUnsigned, how: "a server that does not sign", says: []string{"unsigned1 (127.0.0.1:", "without a Message-Authenticator"},
			play: typed("rita@unsigned", password)},
	}
}

func TestRealServersAreExplained(t *testing.T) {
	t.Parallel()
	c := newCompany(t)
	defer c.close()
	for _, r := range realRows(c) {
		t.Run(r.cause.Name()+"/"+r.how, func(t *testing.T) { c.play(t, r) })
	}
}

// play plays one row, for that test.
func (c *company) play(t *testing.T, r row) {
	c.t = t
	r.play(c.lab)
	c.judge(r)
}
