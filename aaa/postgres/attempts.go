package postgres

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"lnsgate/aaa"
)

// Bounds of Attempts.
const (
	attemptsQueue = 16384 // attempts that wait while the database is away
	attemptsBatch = 500   // rows of one statement
	attemptsGap   = 200 * time.Millisecond
	attemptsRetry = time.Second
	attemptsEnd   = 5 * time.Second // for what waits when Run ends
)

// Attempts writes what came of logins into the table logins, many in one statement. It implements aaa.AttemptLog.
type Attempts struct {
	db            *database
	log           *slog.Logger
	queue         chan aaa.Attempt
	lost, written atomic.Uint64
}

var _ aaa.AttemptLog = (*Attempts)(nil)

// NewAttempts makes the log. It writes nothing before Run.
func NewAttempts(pool *pgxpool.Pool, log *slog.Logger) *Attempts {
	return &Attempts{db: newDatabase(pool, 0), log: log, queue: make(chan aaa.Attempt, attemptsQueue)}
}

// Log takes an attempt. When too many wait, because the database has been away for long, it is lost and counted.
func (a *Attempts) Log(attempt aaa.Attempt) {
	select {
	case a.queue <- attempt:
	default:
		a.lost.Add(1)
	}
}

// Lost is how many attempts were not kept, or could not be written.
func (a *Attempts) Lost() uint64 { return a.lost.Load() }

// Written is how many attempts are in the database.
func (a *Attempts) Written() uint64 { return a.written.Load() }

// Run writes until the context ends, then what still waits, for some seconds at most.
func (a *Attempts) Run(ctx context.Context) {
	for ctx.Err() == nil {
		if batch := a.gather(ctx); len(batch) > 0 {
			a.keepStoring(ctx, batch)
		}
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), attemptsEnd)
	defer cancel()
	for batch := a.take(nil); len(batch) > 0; batch = a.take(nil) {
		a.store(last, batch) //nolint:errcheck // what cannot be written now is counted as lost
	}
}

// gather waits for an attempt, and then a moment for more unless there are enough.
func (a *Attempts) gather(ctx context.Context) []aaa.Attempt {
	select {
	case first := <-a.queue:
		if len(a.queue) < attemptsBatch {
			pause(ctx, attemptsGap)
		}
		return a.take([]aaa.Attempt{first})
	case <-ctx.Done():
		return nil
	}
}

// take adds what waits to a batch, as far as it has room.
func (a *Attempts) take(batch []aaa.Attempt) []aaa.Attempt {
	for len(batch) < attemptsBatch {
		select {
		case next := <-a.queue:
			batch = append(batch, next)
		default:
			return batch
		}
	}
	return batch
}

// keepStoring tries until the batch is written. When the context ends before, it gets one last try.
func (a *Attempts) keepStoring(ctx context.Context, batch []aaa.Attempt) {
	told := false
	for ctx.Err() == nil {
		err := a.insert(ctx, batch)
		switch {
		case err == nil:
			return
		case refused(err):
			a.oneByOne(ctx, batch)
			return
		case !told && ctx.Err() == nil:
			a.log.Warn("logins not recorded: they wait in memory", "waiting", len(batch)+len(a.queue), "lost", a.Lost(), "cause", err)
			told = true
		}
		pause(ctx, attemptsRetry)
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), attemptsEnd)
	defer cancel()
	a.store(last, batch) //nolint:errcheck // as in Run
}

// store writes a batch or counts it as lost.
func (a *Attempts) store(ctx context.Context, batch []aaa.Attempt) error {
	err := a.insert(ctx, batch)
	if err != nil {
		a.lost.Add(uint64(len(batch)))
	}
	return err
}

// oneByOne finds the rows that the database refuses. They are lost, the others are not.
func (a *Attempts) oneByOne(ctx context.Context, batch []aaa.Attempt) {
	for i := range batch {
		if err := a.store(ctx, batch[i:i+1]); err != nil {
			a.log.Error("login not recorded", "session", batch[i].Session, "cause", err)
		}
	}
}

// refused reports whether the database said no to the content (SQLSTATE classes 22 and 23), which it will say again.
func refused(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && (strings.HasPrefix(e.Code, "22") || strings.HasPrefix(e.Code, "23"))
}

// insertSQL is for attempts that are not in the table. In a list of results unnest takes the arrays side by side; as tables,
// each would be copied first.
const insertSQL = `
INSERT INTO logins (attempt, at, verdict, detail, name, account, domain, method, node, session, address, peer, peer_port,
	peer_name, took)
SELECT u.session, u.at, u.verdict, nullif(u.detail, ''), u.name, nullif(u.account, ''), nullif(u.domain, ''), u.method, u.node,
	u.session, u.address, u.peer, u.port, nullif(u.peer_name, ''), u.took * interval '1 microsecond'
FROM (SELECT unnest($1::text[]) AS session, unnest($2::timestamptz[]) AS at, unnest($3::text[]) AS verdict, unnest($4::text[]) AS detail,
	unnest($5::text[]) AS name, unnest($6::text[]) AS account, unnest($7::text[]) AS domain, unnest($8::text[]) AS method,
	unnest($9::text[]) AS node, unnest($10::inet[]) AS address, unnest($11::inet[]) AS peer, unnest($12::integer[]) AS port,
	unnest($13::text[]) AS peer_name, unnest($14::bigint[]) AS took) u`

// insertAgainSQL changes nothing of what is there. It costs more.
const insertAgainSQL = insertSQL + ` ON CONFLICT DO NOTHING`

// granted is the verdict of a login that succeeded.
const granted = "granted"

// columns are the rows of a batch, turned.
type columns struct {
	session, verdict, detail, name, account, domain, method, node, peerName []string
	at                                                                      []time.Time
	address, peer                                                           []*netip.Addr
	port                                                                    []int32
	took                                                                    []int64
}

func (c *columns) add(a *aaa.Attempt) {
	verdict, detail := granted, ""
	if !a.OK {
		verdict, detail = a.Verdict, a.Phase
	}
	c.session, c.at = append(c.session, text(a.Session)), append(c.at, a.At)
	c.verdict, c.detail = append(c.verdict, text(verdict)), append(c.detail, text(detail))
	c.name, c.account, c.domain = append(c.name, text(a.Name)), append(c.account, text(a.Account)), append(c.domain, text(a.Domain))
	c.method, c.node = append(c.method, a.Method.String()), append(c.node, text(a.Node))
	c.address, c.peer = append(c.address, host(a.Address)), append(c.peer, host(a.Peer.Addr()))
	c.port, c.peerName = append(c.port, int32(a.Peer.Port())), append(c.peerName, text(a.TunnelName))
	c.took = append(c.took, a.Took.Microseconds())
}

func (a *Attempts) insert(ctx context.Context, batch []aaa.Attempt) error {
	var c columns
	for i := range batch {
		c.add(&batch[i])
	}
	err := a.ask(ctx, insertSQL, &c)
	if codeOf(err) == uniqueViolation { // the answer to an earlier try was lost
		err = a.ask(ctx, insertAgainSQL, &c)
	}
	if err == nil {
		a.written.Add(uint64(len(batch)))
	}
	return err
}

func (a *Attempts) ask(ctx context.Context, sql string, c *columns) error {
	return a.db.ask(ctx, "record logins", func(ctx context.Context) error {
		_, err := a.db.pool.Exec(ctx, sql, c.session, c.at, c.verdict, c.detail, c.name, c.account, c.domain, c.method, c.node,
			c.address, c.peer, c.port, c.peerName, c.took)
		return err
	})
}

// text makes of what a stranger sent something that the database can hold.
func text(s string) string {
	if storable(s) {
		return s
	}
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

// host is an address as the database holds it: null when there is none, and without an IPv6 zone.
func host(a netip.Addr) *netip.Addr {
	if !a.IsValid() {
		return nil
	}
	a = a.WithZone("").Unmap()
	return &a
}
