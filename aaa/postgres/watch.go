package postgres

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	random "math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// WatcherConfig says what a Watcher watches.
type WatcherConfig struct {
	// Connect leads to the server itself: LISTEN does not work through PgBouncer in transaction mode.
	Connect *pgx.ConnConfig
	Node    *Node // whose sessions, or those of other NASes, were asked to end while nobody listened; nil: not looked for
	// Backend may remember accounts as long as this watcher hears what changes in the database that the back end asks: it is
	// put to the test on every connection. It forgets what changed before Changed is told. Nil: none does.
	Backend *Backend
	// Changed is told of every burst of changes, on the goroutine of Run: it must not wait for long.
	Changed func([]Change)
	Log     *slog.Logger
}

// Times of a Watcher.
const (
	burstGap     = 10 * time.Millisecond  // a burst is over when nothing came for so long
	burstMost    = 50 * time.Millisecond  // and at the latest after so long
	lookAround   = 2 * time.Second        // between two looks at the clock of the database
	signEvery    = 200 * time.Millisecond // between two signs of life, where somebody remembers accounts
	answerIn     = 5 * time.Second        // a connection that does not answer is dead
	connectIn    = 2 * time.Second        // likewise a server while connecting, unless the address says otherwise
	backoffFirst = 50 * time.Millisecond  // between two attempts to connect at most, doubling
	backoffMost  = time.Second
	announceIn   = 500 * time.Millisecond // a trial that takes longer is made another time
	trialsMost   = time.Minute            // between two trials at most, doubling
)

// listener is what the connection of a Watcher is called in pg_stat_activity, unless its address says otherwise.
const listener = "lnsgate changes"

// Watcher tells what changes in the database. It has one connection of its own.
type Watcher struct {
	cfg    WatcherConfig
	memory *remembered
}

// NewWatcher makes a watcher. It does nothing before Run.
func NewWatcher(cfg WatcherConfig) *Watcher {
	cfg.Connect = cfg.Connect.Copy()
	cfg.Connect.DefaultQueryExecMode = pgx.QueryExecModeExec
	if cfg.Connect.RuntimeParams["application_name"] == "" {
		cfg.Connect.RuntimeParams["application_name"] = listener
	}
	if cfg.Connect.ConnectTimeout == 0 {
		cfg.Connect.ConnectTimeout = connectIn
	}
	w := &Watcher{cfg, newRemembered(0)}
	if cfg.Backend != nil {
		w.memory = cfg.Backend.remembered
	}
	return w
}

// Run listens until the context ends. After every new connection, the first included, the first change told is one of
// Every with All: nobody knows what happened before.
func (w *Watcher) Run(ctx context.Context) {
	where, backoff, lost := Address(w.cfg.Connect), backoffFirst, false
	for {
		began := time.Now()
		err := w.listen(ctx, func() {
			if lost {
				w.cfg.Log.Info("database answers again", "database", where)
			}
			lost = false
		})
		if ctx.Err() != nil {
			return
		}
		if !lost {
			w.cfg.Log.Warn("database does not answer: changes take effect when it is back", "database", where, "cause", err)
		}
		lost = true
		if time.Since(began) > backoffMost {
			backoff = backoffFirst
		}
		if !pause(ctx, backoff/2+random.N(backoff/2)) {
			return
		}
		backoff = min(2*backoff, backoffMost)
	}
}

// listening is a connection that listens.
type listening struct {
	conn  *pgx.Conn
	heard []Change // since it was last told, in order

	trial  string        // a channel of its own
	idle   bool          // nothing is being asked
	proven bool          // what the database of the back end announces arrives here
	next   time.Time     // the next trial
	pause  time.Duration // and how long after it the one after that
}

// connect opens a connection. Whatever it hears, at any time, is forgotten at once by those who remember it.
func (w *Watcher) connect(ctx context.Context) (*listening, error) {
	l := &listening{trial: "lnsgate_trial_" + rand.Text(), pause: lookAround}
	cfg := w.cfg.Connect.Copy()
	cfg.OnNotification = func(_ *pgconn.PgConn, n *pgconn.Notification) {
		if n.Channel == l.trial {
			l.proven = l.proven || l.idle
			return
		}
		c := parseChange(n.Payload)
		w.memory.heard(c)
		l.heard = append(l.heard, c)
	}
	var err error
	l.conn, err = pgx.ConnectConfig(ctx, cfg)
	return l, err
}

// listen connects and tells what changes until the connection is lost.
func (w *Watcher) listen(ctx context.Context, connected func()) error {
	l, err := w.connect(ctx)
	if err != nil {
		return err
	}
	defer hangUp(l.conn)
	defer w.memory.close()
	at, err := w.begin(ctx, l)
	if err != nil {
		return err
	}
	connected()
	look, sign := time.Now().Add(lookAround), time.Now().Add(w.signs())
	for {
		if err := l.collect(ctx, earlier(look, sign)); err != nil {
			return err
		}
		if !time.Now().Before(sign) {
			if err := w.live(ctx, l); err != nil {
				return err
			}
			sign = time.Now().Add(w.signs())
		}
		if !time.Now().Before(look) {
			var expired []Change
			if expired, at, err = w.expired(ctx, l.conn, at); err != nil {
				return err
			}
			l.heard = append(l.heard, expired...)
			look = time.Now().Add(lookAround)
		}
		if len(l.heard) > 0 {
			w.cfg.Changed(coalesce(l.heard))
			l.heard = nil
		}
	}
}

// signs is how often the connection has to show that it is alive.
func (w *Watcher) signs() time.Duration {
	if w.cfg.Backend == nil {
		return lookAround
	}
	return signEvery
}

// live asks for a sign of life. The server sends what there is to hear before it answers, so when the answer is here all
// has been heard that was committed before the question: if anything is heard at all.
func (w *Watcher) live(ctx context.Context, l *listening) error {
	ctx, cancel := context.WithTimeout(ctx, answerIn)
	defer cancel()
	at := time.Now()
	if err := l.conn.Ping(ctx); err != nil {
		return err
	}
	if l.proven {
		w.memory.sure(at)
	}
	w.try(ctx, l)
	return nil
}

// try has something announced where the back end asks, until that was heard once, while nothing was asked here. A pooler
// passes nothing on, unless it comes together with an answer, nor does another server; and both answer every question.
func (w *Watcher) try(ctx context.Context, l *listening) {
	if w.cfg.Backend == nil || l.proven || time.Now().Before(l.next) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, announceIn)
	defer cancel()
	if _, err := w.cfg.Backend.db.pool.Exec(ctx, announceSQL, l.trial); err != nil {
		w.cfg.Log.Debug("no trial of the watch for changes", "cause", err)
	}
	l.next, l.pause = time.Now().Add(l.pause), min(2*l.pause, trialsMost)
}

func hangUp(conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	conn.Close(ctx) //nolint:errcheck // nothing depends on it
}

// begin listens, and then tells that anything may have changed. It returns the time of the database.
func (w *Watcher) begin(ctx context.Context, l *listening) (at time.Time, err error) {
	ctx, cancel := context.WithTimeout(ctx, answerIn)
	defer cancel()
	conn := l.conn
	for _, channel := range []string{"lnsgate", l.trial} {
		if _, err := conn.Exec(ctx, "LISTEN "+pgx.Identifier{channel}.Sanitize()); err != nil {
			return at, err
		}
	}
	w.memory.open()
	if err := conn.QueryRow(ctx, "SELECT now()").Scan(&at); err != nil {
		return at, err
	}
	first := []Change{{All: true}}
	if w.cfg.Node != nil {
		missed, err := w.missed(ctx, conn)
		if err != nil {
			return at, err
		}
		first = append(first, missed...)
	}
	w.cfg.Changed(first)
	return at, w.live(ctx, l)
}

// Those of other NASes are anybody's.
const missedSQL = `
SELECT session, ending FROM session_slots WHERE node = $1 AND ending IS NOT NULL
UNION
SELECT k.session, k.ending FROM session_slots k JOIN sessions s ON s.id = k.session WHERE k.ending IS NOT NULL AND s.nas IS NOT NULL
UNION
SELECT id, ending FROM sessions WHERE nas IS NOT NULL AND ending IS NOT NULL`

// missed lists the sessions of this node that were asked to end by the session policy and still stand in the table, and those of
// other NASes that were asked to end by anybody.
func (w *Watcher) missed(ctx context.Context, conn *pgx.Conn) ([]Change, error) {
	rows, err := conn.Query(ctx, missedSQL, w.cfg.Node.Name())
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (Change, error) {
		c := Change{Table: Sessions, Op: Ended}
		return c, row.Scan(&c.Key, &c.Cause)
	})
}

// expiredSQL answers at least one row, for the time.
const expiredSQL = `
SELECT clock.at, a.name FROM (SELECT now() AS at) clock
LEFT JOIN accounts a ON a.valid_until > $1 AND a.valid_until <= clock.at`

// expired lists the accounts whose time ended since the last look. It also shows whether the connection is alive.
func (w *Watcher) expired(ctx context.Context, conn *pgx.Conn, since time.Time) (changes []Change, at time.Time, err error) {
	ctx, cancel := context.WithTimeout(ctx, answerIn)
	defer cancel()
	rows, err := conn.Query(ctx, expiredSQL, since)
	if err != nil {
		return nil, since, err
	}
	var name *string
	_, err = pgx.ForEachRow(rows, []any{&at, &name}, func() error {
		if name != nil {
			changes = append(changes, Change{Table: Accounts, Op: Expired, Key: *name})
		}
		return nil
	})
	return changes, at, err
}

// collect waits for a notification until a time, and for what follows close behind it.
func (l *listening) collect(ctx context.Context, until time.Time) error {
	for end := until; ; {
		first := len(l.heard) == 0
		more, err := l.wait(ctx, end)
		if err != nil || !more {
			return err
		}
		if first {
			until = time.Now().Add(burstMost)
		}
		end = earlier(time.Now().Add(burstGap), until)
	}
}

// wait says whether a notification came before the time was over.
func (l *listening) wait(ctx context.Context, until time.Time) (bool, error) {
	before := len(l.heard)
	l.idle = true
	_, err := next(ctx, l.conn, until)
	l.idle = false
	return len(l.heard) > before, err
}

// next returns a notification, or nil when the time is over.
func next(ctx context.Context, conn *pgx.Conn, until time.Time) (*pgconn.Notification, error) {
	limited, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	n, err := conn.WaitForNotification(limited)
	switch {
	case err == nil:
		return n, nil
	case ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) && !conn.IsClosed():
		return nil, nil
	}
	return nil, err
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
