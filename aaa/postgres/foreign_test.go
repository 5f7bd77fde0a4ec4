package postgres

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"lnsgate/aaa"
	"lnsgate/aaa/foreign"
	"lnsgate/aaa/foreign/foreigntest"
)

func TestForeignSessionsAreAStore(t *testing.T) {
	dsn := sharedDSN(t)
	for _, pooled := range []bool{false, true} {
		foreigntest.Run(t, func(t *testing.T) foreigntest.Rig {
			pool := openPool(t, dsn, pooled)
			run(t, pool, "DELETE FROM sessions; DELETE FROM accounting; DELETE FROM nas_orders")
			r := newRecorder(pool, 1)
			return foreigntest.Rig{Store: NewForeignSessions(pool, "n1"), Put: func(record aaa.Record) error {
				return r.Write(context.Background(), []aaa.Record{record})
			}}
		})
	}
}

// TestEndsOfOtherNASesReachEveryNode: also when nobody listened, and whichever node let the session in.
func TestEndsOfOtherNASesReachEveryNode(t *testing.T) {
	dsn := sharedDSN(t)
	pool := openPool(t, dsn, false)
	write(t, newRecorder(pool, 1), newForeign(aaa.RecordStart, "before", 1), newForeign(aaa.RecordStart, "after", 1), newForeign(aaa.RecordStart, "replaced", 1))
	var ears []*heard
	for _, name := range []string{"n1", "n2"} {
		ears = append(ears, watch(t, dsn, NewNode(pool, NodeConfig{Name: name, Log: quiet})))
	}
	run(t, pool, "SELECT end_session('after', 'now')")
	run(t, pool, "UPDATE sessions SET ending = 'nobody was there' WHERE id = 'before'") // as if no node had listened
	run(t, pool, `INSERT INTO session_slots (session, node, epoch, account, domain, name, since, ending) VALUES
		('replaced', 'n3', 1, 'a', '', 'a', now(), 'by a newer one'), ('own', 'n3', 1, 'a', '', 'a', now(), 'not for others to end')`)
	hangUpListeners(t, pool)
	for n, h := range ears {
		for _, want := range []Change{
			{Table: Sessions, Op: Ended, Key: "before", Cause: "nobody was there"}, {Table: Sessions, Op: Ended, Key: "replaced", Cause: "by a newer one"},
			{Table: Sessions, Op: Ended, Key: "after", Cause: "now"},
		} {
			until(t, "the end of "+want.Key+" is told", 10*time.Second, func() bool { return h.has(want) })
		}
		if h.has(Change{Table: Sessions, Op: Ended, Key: "own", Cause: "not for others to end"}) {
			t.Errorf("node %d was told to end a session of another node", n+1)
		}
	}
}

// TestForeignSessionsOutliveNodes: neither a dead node nor one that started anew takes them along.
func TestForeignSessionsOutliveNodes(t *testing.T) {
	pool := sharedPool(t)
	ctx := context.Background()
	addNode(t, pool, "dead", 1, "10 minutes")
	addNode(t, pool, "restarted", 2, "10 minutes")
	for _, node := range []string{"dead", "restarted", "removed"} {
		r := newForeign(aaa.RecordStart, node, 1)
		r.Node = node
		write(t, newRecorder(pool, 1), r)
	}
	for what, closeSome := range map[string]func(context.Context, recordDB, time.Duration) (int64, error){"dead": CloseDead, "unknown": closeUnknown} {
		if n, err := closeSome(ctx, pool, 5*time.Minute); n != 0 || err != nil {
			t.Errorf("%s: closed %d, %v", what, n, err)
		}
	}
	if err := tidyForeign(ctx, pool); err != nil {
		t.Fatal(err)
	}
	if got := one[string](t, pool, "SELECT (SELECT count(*) FROM sessions) || ' ' || (SELECT count(*) FROM accounting WHERE stopped_at IS NULL)"); got != "3 3" {
		t.Error(got)
	}
}

// TestForeignSessionsThatAreOutlived: what is told late of a session whose NAS has begun another by the same name opens no record for
// good.
func TestForeignSessionsThatAreOutlived(t *testing.T) {
	pool := sharedPool(t)
	says := func(want string) {
		t.Helper()
		got := one[string](t, pool, `SELECT string_agg(coalesce(terminate_cause, 'open') || ' ' || sequence, ', ' ORDER BY started_at) || '; ' || (SELECT count(*) FROM sessions) FROM accounting`)
		if got != want {
			t.Errorf("%s instead of %s", got, want)
		}
	}
	write(t, newRecorder(pool, 1), newGuess(aaa.RecordStart, "7", 1, 2*time.Minute))
	write(t, newRecorder(pool, 1), newGuess(aaa.RecordInterim, "7", 61, 0)) // late, of the session before
	says("Lost-Service 61, open 1; 1")
	write(t, newRecorder(pool, 1), newGuess(aaa.RecordInterim, "7", 62, 0))
	says("Lost-Service 62, open 1; 1")
	stop := newGuess(aaa.RecordStop, "7", 63, 0)
	write(t, newRecorder(pool, 1), stop)
	says(terminateWord(&stop) + " 63, open 1; 1")
}

// TestOrdersAreTidied: once a day old orders are forgotten.
func TestOrdersAreTidied(t *testing.T) {
	pool := sharedPool(t)
	store := NewForeignSessions(pool, "n1")
	for n, session := range []string{"old", "new"} {
		o := foreign.Order{Key: "k", Kind: foreign.Disconnect, Session: newForeign(aaa.RecordStart, session, 1), At: time.Now().AddDate(0, 0, -31*(1-n))}
		if written, err := store.Order(context.Background(), o); !written || err != nil {
			t.Fatal(written, err)
		}
	}
	if err := tidyForeign(context.Background(), pool); err != nil {
		t.Fatal(err)
	}
	if got := one[string](t, pool, "SELECT string_agg(session, ', ') FROM nas_orders"); got != "new" {
		t.Error(got)
	}
}

// TestOrdersOfSessionsThatAreOver wait no longer.
func TestOrdersOfSessionsThatAreOver(t *testing.T) {
	pool := sharedPool(t)
	ctx, store := context.Background(), NewForeignSessions(pool, "n1")
	for _, session := range []string{"live", "over", "coming"} {
		if session == "live" {
			write(t, newRecorder(pool, 1), newForeign(aaa.RecordStart, session, 1))
		}
		if written, err := store.Order(ctx, foreign.Order{Key: "k", Kind: foreign.Disconnect, Session: newForeign(aaa.RecordStart, session, 1), At: time.Now()}); !written || err != nil {
			t.Fatal(written, err)
		}
	}
	run(t, pool, "UPDATE nas_orders SET given_at = now() - interval '2 min' WHERE session <> 'coming'")
	orders, err := store.Claim(ctx, time.Now().Add(time.Minute), 10, nil)
	if err != nil || len(orders) != 2 || orders[0].Session.Session != "live" || orders[1].Session.Session != "coming" {
		t.Fatal(orders, err)
	}
	if err := store.Answer(ctx, orders[0], foreign.Answer{Done: true, Lost: true, Text: "session not found\x00"}); err != nil {
		t.Fatal(err)
	}
	got := one[string](t, pool, "SELECT string_agg(concat_ws(' ', session, node, tries, ok, lost, answer), ', ' ORDER BY id) FROM nas_orders")
	if got != "live n1 1 f t session not found\uFFFD, over 0 f the session has ended, coming n1 0" {
		t.Error(got)
	}
}

// TestAnOrderIsDueWhenItIsClaimedAgain, and not a moment later: who comes too early comes again a minute later. Both have one clock
// here.
func TestAnOrderIsDueWhenItIsClaimedAgain(t *testing.T) {
	pool := sharedPool(t)
	ctx, store := context.Background(), NewForeignSessions(pool, "n1")
	write(t, newRecorder(pool, 1), newForeign(aaa.RecordStart, "live", 1))
	if _, err := store.Order(ctx, foreign.Order{Key: "k", Kind: foreign.Disconnect, Session: newForeign(aaa.RecordStart, "live", 1), At: time.Now()}); err != nil {
		t.Fatal(err)
	}
	orders, err := store.Claim(ctx, time.Now().Add(time.Minute), 10, nil)
	if err != nil || len(orders) != 1 {
		t.Fatal(orders, err)
	}
	again := time.Now().Add(time.Hour)
	if err := store.Answer(ctx, orders[0], foreign.Answer{Text: "no answer", Again: again}); err != nil {
		t.Fatal(err)
	}
	var due time.Time
	if err := pool.QueryRow(ctx, "SELECT due_at FROM nas_orders").Scan(&due); err != nil || due.After(again) || due.Before(again.Add(-time.Minute)) {
		t.Errorf("due %s after it is claimed again, %v", due.Sub(again), err)
	}
}

// TestFindUsesIndexes: what is asked for at every login or record must not read all sessions, however small the table was when the
// plan was made.
func TestFindUsesIndexes(t *testing.T) {
	pool := sharedPool(t)
	for index, q := range map[string]foreign.Query{
		"sessions_pkey": {Session: "x"}, "sessions_nas": {NAS: "x", NASID: "y", Before: time.Now()}, "sessions_nas_name": {Name: "x"},
		"sessions_account": {Account: "x", Limit: 3}, "sessions_domain": {Domain: "x"},
	} {
		sql, args, indexed := foreignQuery(&q)
		if plan := planOf(t, pool, []string{byIndexSQL}, sql, args...); !indexed || !strings.Contains(plan, "Index Scan using "+index+" ") {
			t.Errorf("%+v:\n%s", q, plan)
		}
	}
}

// TestAllSessionsAreReadPageByPage: none is left out, none comes twice, and no page reads more than there is on it.
func TestAllSessionsAreReadPageByPage(t *testing.T) {
	pool := sharedPool(t)
	run(t, pool, `INSERT INTO sessions (id, node, name, account, nas, nas_client, started_at) SELECT 'mt/' || md5(n::text), 'n1', 'a', 'a', 'mt', CASE WHEN n % 2 = 0 THEN 'even' ELSE 'odd' END,
		now() - n * interval '1 s' FROM generate_series(1, 20000) n`)
	run(t, pool, "ANALYZE sessions")
	store := NewForeignSessions(pool, "n1")
	store.page = 1500
	for client, want := range map[string]int{"": 20000, "even": 10000, "nobody": 0} {
		found, err := store.Find(context.Background(), foreign.Query{Client: client})
		once := map[string]bool{}
		for n := range found {
			once[found[n].Session] = true
			if n > 0 && found[n].Started.Before(found[n-1].Started) {
				t.Fatalf("%s comes after %s", found[n-1].Started, found[n].Started)
			}
		}
		if err != nil || len(found) != want || len(once) != want {
			t.Errorf("of %q there are %d, %d of them different: %v", client, len(found), len(once), err)
		}
	}
	sql, args := store.pageQuery(&foreign.Query{})
	if plan := planOf(t, pool, []string{byIndexSQL}, sql, args...); !strings.Contains(plan, "Index Scan using sessions_pkey ") || strings.Contains(plan, "Sort") {
		t.Error(plan)
	}
}

// planOf is the plan of a statement in a transaction with the settings that others make.
func planOf(t *testing.T, pool *Pool, settings []string, sql string, args ...any) (plan string) {
	t.Helper()
	var batch pgx.Batch
	for _, setting := range settings {
		batch.Queue(setting)
	}
	batch.Queue("EXPLAIN "+sql, args...).Query(func(rows pgx.Rows) error {
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		plan = strings.Join(lines, "\n")
		return err
	})
	if err := pool.SendBatch(context.Background(), &batch).Close(); err != nil {
		t.Fatal(err)
	}
	return plan
}

// TestForeignRecordsUseIndexes: what is done for each record must not read what is alive, or open, from end to end, whether there is
// much of it or nothing.
func TestForeignRecordsUseIndexes(t *testing.T) {
	pool := sharedPool(t)
	for _, much := range []bool{false, true} {
		if much {
			run(t, pool, `INSERT INTO sessions (id, node, name, account, nas, nas_session) SELECT 'mt/' || n, 'n1', 'a' || n, 'a' || n, 'mt', n FROM generate_series(1, 20000) n`)
			run(t, pool, `INSERT INTO accounting (session, started_at, node, epoch, name, account, nas) SELECT 'mt/' || n, now(), 'n1', NULL, 'a' || n, 'a' || n, 'mt' FROM generate_series(1, 20000) n`)
			run(t, pool, "ANALYZE sessions; ANALYZE accounting")
		}
		columns, _ := foreignRows([]aaa.Record{newGuess(aaa.RecordStart, "7", 1, 0)})
		g := columns.guesses()
		for _, test := range []struct {
			sql      string
			args     []any
			settings []string
		}{
			{sqlForeign, columns.arguments(), []string{byIndexSQL, sqlNoLoops}},
			{sqlSuperseded, []any{g.session, g.started}, []string{byIndexSQL}},
			{sqlLastRecords, []any{g.session}, []string{byIndexSQL}},
			{sqlKnownStarts, []any{g.session, g.started}, []string{byIndexSQL}},
		} {
			plan := planOf(t, pool, test.settings, test.sql, test.args...)
			for line := range strings.SplitSeq(plan, "\n") {
				_, index, found := strings.Cut(line, " using ")
				if name, _, _ := strings.Cut(index, " "); found && !strings.HasSuffix(name, "_pkey") {
					t.Errorf("%s is read:\n%s", name, plan)
				}
			}
			if strings.Contains(plan, "Seq Scan") || !strings.Contains(plan, "_pkey") {
				t.Error(plan)
			}
		}
	}
}

// TestEndSessionAgain: nodes that hear of it give one order, and one more when it is asked for again after the NAS answered.
func TestEndSessionAgain(t *testing.T) {
	pool := sharedPool(t)
	ctx, store := context.Background(), NewForeignSessions(pool, "n1")
	s := newForeign(aaa.RecordStart, "s", 1)
	write(t, newRecorder(pool, 1), s)
	for range 2 {
		for range 2 { // before there is an answer it is the same
			run(t, pool, "SELECT end_session('s', 'moved')")
		}
		for node := range 3 {
			written, err := store.Order(ctx, foreign.Order{Key: "moved", Kind: foreign.Disconnect, Session: s, At: time.Now()})
			if err != nil || written != (node == 0) {
				t.Fatal(node, written, err)
			}
			run(t, pool, "SELECT end_session('s', 'moved')")
		}
		orders, err := store.Claim(ctx, time.Now().Add(time.Minute), 10, nil)
		if err != nil || len(orders) != 1 {
			t.Fatal(orders, err)
		}
		if err := store.Answer(ctx, orders[0], foreign.Answer{Done: true, Text: "refused"}); err != nil {
			t.Fatal(err)
		}
	}
}

// TestManyAreFoundTogether: each gets its own, or nothing.
func TestManyAreFoundTogether(t *testing.T) {
	pool := sharedPool(t)
	store := NewForeignSessions(pool, "n1")
	const many = 200
	for n := range many / 2 {
		write(t, newRecorder(pool, 1), newForeign(aaa.RecordStart, fmt.Sprint(2*n), 1))
	}
	var all sync.WaitGroup
	for n := range many {
		all.Go(func() {
			found, err := store.Find(context.Background(), foreign.Query{Session: fmt.Sprint(n), Limit: 1})
			if err != nil || len(found) != 1-n%2 || len(found) > 0 && found[0].Session != fmt.Sprint(n) {
				t.Errorf("%d: %v, %v", n, found, err)
			}
		})
	}
	all.Wait()
}
