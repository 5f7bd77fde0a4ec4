package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"time"

	"lnsgate/test/radtest"
)

const answeringLegend = `
Both are RADIUS servers over the same PostgreSQL, asked over UDP by one program, 64 requests at once from each port, PAP and CHAP
unsigned: as many at once, and then as many as suits each best, 256 or 1,024 for lnsgate, 64, 256 or 512 for FreeRADIUS, whose socket
loses what is more. FreeRADIUS is Debian's, with its own queries, schema and thread pool, and its detail file beside radacct.
Records are three of each session that logged in before, with the Class that it got. Ours are confirmed when they are on disk and
counted when they are in the database; FreeRADIUS confirms when they are there.
`

// Where the load asks from: one NAS gets addresses for its users, the other does not.
var (
	givenAddresses = netip.MustParseAddr("127.0.0.1")
	noAddresses    = netip.MustParseAddr("127.0.0.2")
)

const answeringSecret = "a secret of some length"

// How many requests each server is asked at once, in turn. Both are asked inFlight once.
var (
	ourFlights   = []int{inFlight, 4 * inFlight}
	theirFlights = []int{inFlight / 4, inFlight, 2 * inFlight}
)

// answers are the rates of one server, per second.
type answers struct{ pap, chap, address, cached, silent, confirmed, stored float64 }

// best takes the higher rate of each kind.
func (a answers) best(other answers) answers {
	return answers{max(a.pap, other.pap), max(a.chap, other.chap), max(a.address, other.address),
		max(a.cached, other.cached), max(a.silent, other.silent), max(a.confirmed, other.confirmed), max(a.stored, other.stored)}
}

// answersOf are those of one server by how many it was asked at once.
type answersOf map[int]answers

func (of answersOf) best() (best answers) {
	for _, a := range of {
		best = best.best(a)
	}
	return best
}

// measureAnswering asks lnsgate as a RADIUS server, and FreeRADIUS. Who is first changes from run to run.
func measureAnswering(ctx context.Context, b *bench, w *world) error {
	b.explain(answeringLegend)
	mine, theirs := make(answersOf), make(answersOf)
	turns := []func() error{
		func() (err error) {
			for _, flight := range ourFlights {
				if mine[flight], err = b.oursAnswers(ctx, w, flight); err != nil {
					return fmt.Errorf("%d at once: %w", flight, err)
				}
			}
			return nil
		},
		func() (err error) {
			for _, flight := range theirFlights {
				if theirs[flight], err = b.theirsAnswers(ctx, flight); err != nil {
					return fmt.Errorf("FreeRADIUS, %d at once: %w", flight, err)
				}
			}
			return nil
		},
	}
	if b.turns++; b.turns%2 == 0 {
		slices.Reverse(turns)
	}
	for _, turn := range turns {
		if err := turn(); err != nil {
			return err
		}
	}
	b.addAnswers(fmt.Sprintf(", %d at once", inFlight), mine[inFlight], theirs[inFlight])
	b.addAnswers(", as many at once as suits each", mine.best(), theirs.best())
	return nil
}

func (b *bench) addAnswers(how string, mine, theirs answers) {
	c := &b.figures
	const sql = "FreeRADIUS with rlm_sql"
	c.add("RADIUS server"+how+": PAP per second, accounts in SQL the server has not seen", "/s", mine.pap, sql, theirs.pap)
	c.add("RADIUS server"+how+": CHAP per second, the same", "/s", mine.chap, sql, theirs.chap)
	c.add("RADIUS server"+how+": PAP with an address per second, the same", "/s", mine.address, "FreeRADIUS with sqlippool, as shipped", theirs.address)
	c.add("RADIUS server"+how+": PAP per second, accounts in SQL that come back", "/s", mine.cached, "FreeRADIUS with a users file", theirs.cached)
	c.add("RADIUS server"+how+": PAP per second, the same, and no rows of those who get in", "/s", mine.silent, "FreeRADIUS with a users file", theirs.cached)
	c.add("RADIUS server"+how+": records per second, until they are in SQL", "/s", mine.stored, sql, theirs.stored)
	c.add("RADIUS server"+how+": records per second, until they are confirmed", "/s", mine.confirmed, sql, theirs.confirmed)
}

// oursAnswers asks a server of ours, so many at once. Each fifth of the accounts is asked for in one way; two are to warm up, as
// FreeRADIUS does before it is measured.
func (b *bench) oursAnswers(ctx context.Context, w *world, flight int) (a answers, err error) {
	s, d, err := b.office(ctx)
	if err != nil {
		return a, err
	}
	if err := d.fresh(ctx); err != nil {
		return a, err
	}
	access, records, err := twoPorts()
	if err != nil {
		return a, err
	}
	server, err := w.serveIn(ctx, nil, w.answeringConfiguration(s, d, access, records, "all"))
	if err != nil {
		return a, err
	}
	fifth := b.size.accounts / 5
	load := radiusLoad{server: access, secret: []byte(answeringSecret), flight: flight, first: 1, count: fifth, from: noAddresses, classes: make(map[int][]byte)}
	first := func(asks asking, from netip.Addr, out *float64) {
		if err == nil {
			load.asks, load.from, load.addresses = asks, from, from == givenAddresses
			*out, err = load.run(ctx)
			load.first += fifth
		}
	}
	var warm float64
	first(byPAP, noAddresses, &warm)
	first(byPAP, noAddresses, &a.pap)
	first(byCHAP, noAddresses, &a.chap)
	first(byPAP, givenAddresses, &warm)
	first(byPAP, givenAddresses, &a.address)
	if err != nil {
		return a, err
	}
	back := load
	back.addresses, back.from, back.asks, back.count = false, noAddresses, byPAP, min(fifth, lately)
	back.first = load.first - back.count
	if a.cached, err = b.again(ctx, back); err != nil {
		return a, err
	}
	load.server, load.from, load.first, load.addresses = records, noAddresses, 1, false
	if err := b.oursRecords(ctx, d, server, load, &a); err != nil {
		return a, err
	}
	if err := server.end(ctx); err != nil {
		return a, err
	}
	if server, err = w.serveIn(ctx, nil, w.answeringConfiguration(s, d, access, records, "failed")); err != nil {
		return a, err
	}
	if _, err := back.run(ctx); err != nil { // it has not seen them yet
		return a, err
	}
	if a.silent, err = b.again(ctx, back); err != nil {
		return a, err
	}
	return a, server.end(ctx)
}

// again asks for the same accounts again and again, and returns the median rate.
func (b *bench) again(ctx context.Context, l radiusLoad) (float64, error) {
	var rates sample
	for range b.size.rounds {
		rate, err := l.run(ctx)
		if err != nil {
			return 0, err
		}
		rates = append(rates, rate)
	}
	return rates.median(), nil
}

// oursRecords has sessions begin, go on and end, and looks for them in the table.
func (b *bench) oursRecords(ctx context.Context, d *sqlDatabase, s *server, load radiusLoad, a *answers) error {
	var err error
	if a.confirmed, err = load.sessions(ctx); err != nil {
		return err
	}
	confirmed := time.Now()
	err = until(ctx, "the records are in the database", func() (bool, error) {
		counters, err := s.admin.Counters(ctx)
		return counters["spool_waiting_now"]+counters["spool_memory_now"] == 0, err
	})
	if err != nil {
		return err
	}
	total := float64(3 * load.count)
	a.stored = total / (total/a.confirmed + time.Since(confirmed).Seconds())
	var rows, up, down int
	err = d.conn.QueryRow(ctx, "SELECT count(*), sum(octets_up), sum(octets_down) FROM accounting WHERE stopped_at IS NOT NULL").Scan(&rows, &up, &down)
	return errors.Join(err, load.whole(rows, up, down))
}

// whole says what is missing of the sessions of a load.
func (l radiusLoad) whole(rows, up, down int) error {
	if rows != l.count || up != 2*usedUp*l.count || down != 2*usedDown*l.count {
		return fmt.Errorf("%d sessions with %d and %d octets are recorded, there were %d with %d and %d", rows, up, down, l.count, 2*usedUp*l.count, 2*usedDown*l.count)
	}
	return nil
}

// sessions sends three records of each, and returns how many were confirmed a second.
func (l radiusLoad) sessions(ctx context.Context) (float64, error) {
	var each float64 // seconds of one of each kind
	for _, l.asks = range []asking{starting, using, stopping} {
		rate, err := l.run(ctx)
		if err != nil {
			return 0, err
		}
		each += 1 / rate
	}
	return 3 / each, nil
}

// theirsAnswers asks FreeRADIUS, so many at once: with accounts in SQL, with sqlippool besides, and with a users file.
func (b *bench) theirsAnswers(ctx context.Context, flight int) (a answers, err error) {
	d, err := b.database(ctx, "freeradius_plain", func(context.Context, *sqlServer, *sqlDatabase) error { return nil })
	if err != nil {
		return a, err
	}
	plain, err := b.plainSQLRADIUS(ctx, d)
	if err != nil {
		return a, err
	}
	load := radiusLoad{server: plain.Auth(), secret: []byte(plain.Secret()), flight: flight, count: b.size.radius, classes: make(map[int][]byte)}
	load.first = b.size.accounts - load.count + 1
	if _, err := load.run(ctx); err != nil {
		return a, fmt.Errorf("FreeRADIUS, warming up: %w", err)
	}
	load.first = 1
	if a.pap, err = load.run(ctx); err != nil {
		return a, err
	}
	load.asks = byCHAP
	if a.chap, err = load.run(ctx); err != nil {
		return a, err
	}
	if err := b.theirsRecords(ctx, d, plain, load, &a); err != nil {
		return a, err
	}
	pooled, err := b.freeRADIUS(ctx, false, flight)
	if err != nil {
		return a, err
	}
	a.address = pooled.rate
	file, end, err := b.plainRADIUS(radtest.Options{Users: everybody})
	if err != nil {
		return a, err
	}
	load = radiusLoad{server: file.Auth(), secret: []byte(file.Secret()), flight: flight, first: 1, count: 2 * b.size.radius}
	if _, err = load.run(ctx); err == nil {
		a.cached, err = load.run(ctx)
	}
	return a, errors.Join(err, end())
}

func (b *bench) theirsRecords(ctx context.Context, d *sqlDatabase, s *radtest.Server, load radiusLoad, a *answers) error {
	if err := d.exec(ctx, "TRUNCATE radacct", "CHECKPOINT"); err != nil {
		return err
	}
	load.server = s.Acct()
	var err error
	if a.confirmed, err = load.sessions(ctx); err != nil {
		return err
	}
	a.stored = a.confirmed
	var rows, up, down int
	err = d.conn.QueryRow(ctx, "SELECT count(*), sum(acctinputoctets), sum(acctoutputoctets) FROM radacct WHERE acctstoptime IS NOT NULL").Scan(&rows, &up, &down)
	return errors.Join(err, load.whole(rows, up, down))
}

// plainSQLRADIUS starts a FreeRADIUS that gives no addresses, or returns the one that runs.
func (b *bench) plainSQLRADIUS(ctx context.Context, d *sqlDatabase) (*radtest.Server, error) {
	if b.plain != nil {
		return b.plain, nil
	}
	err := b.attendant.attempt(func() { b.plain = radtest.Start(&b.attendant, radtest.Options{Database: d.url}) })
	if err != nil {
		return nil, err
	}
	return b.plain, d.exec(ctx, fmt.Sprintf(`INSERT INTO radcheck (username, attribute, op, value)
		SELECT 'user1-' || i || '@%s', 'Cleartext-Password', ':=', '%s' FROM generate_series(1, %d) AS i`,
		domain, password, b.size.accounts), "VACUUM ANALYZE")
}

// answeringConfiguration is that of a RADIUS server over the database, and no more. Of rows, see trace.rows.
func (w *world) answeringConfiguration(s *sqlServer, d *sqlDatabase, access, records netip.AddrPort, rows string) string {
	return fmt.Sprintf(`admin_socket: %s
state_dir: %s
spool_dir: %s
default_domain: %s
database: {url: %q, key_file: %q}
trace: {rows: %s}
radius_server:
  listen: [%q]
  accounting_listen: [%q]
  clients:
    - {name: given, source: %s/32, secret: %q, addresses: given}
    - {name: none, source: %s/32, secret: %q, addresses: none}
`, w.socket(), w.folder, filepath.Join(w.folder, "spool"), domain, d.url, s.keyFile, rows, access, records, givenAddresses, answeringSecret, noAddresses, answeringSecret)
}

// twoPorts are two free UDP ports of the loopback address.
func twoPorts() (a, b netip.AddrPort, err error) {
	for _, p := range []*netip.AddrPort{&a, &b} {
		conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			return a, b, err
		}
		defer conn.Close() // both are held until both are known
		*p = conn.LocalAddr().(*net.UDPAddr).AddrPort()
	}
	return a, b, nil
}
