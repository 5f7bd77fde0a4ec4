package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"lnsgate/aaa"
	"lnsgate/aaa/spool"
	"lnsgate/test/pgtest"
)

var recordStarted = time.Now().UTC().Truncate(time.Microsecond).Add(-time.Hour)

// newRecord makes a complete record; its figures tell the sequence.
func newRecord(kind aaa.RecordKind, session string, sequence uint32) aaa.Record {
	r := aaa.Record{
		Kind: kind, Session: session, Sequence: sequence, Node: "n1", Started: recordStarted,
		At:   recordStarted.Add(time.Duration(sequence-1) * time.Minute),
		Name: "Alice", Account: "alice@sales.example", Domain: "sales.example", Method: aaa.CHAP, Backend: "postgres",
		Address: netip.MustParseAddr("10.20.0.7"), Pool: "sales", VirtualTemplate: "vt1",
		Peer: netip.MustParseAddrPort("198.51.100.7:1701"), Local: netip.MustParseAddr("192.0.2.1"), TunnelName: "laptop",
		LocalTunnel: 1, LocalSession: 2, RemoteTunnel: 3, RemoteSession: 65535, CallingNumber: "555", CalledNumber: "556",
		RxOctets: uint64(sequence) << 33, TxOctets: uint64(sequence) << 34, RxPackets: uint64(sequence), TxPackets: uint64(sequence) * 2,
	}
	if kind == aaa.RecordStop {
		r.Terminate, r.Reason = aaa.TerminateIdleTimeout, "no user traffic for the idle timeout"
	}
	return r
}

func newRecorder(pool *pgxpool.Pool, epoch int64) *Recorder {
	return NewRecorder(pool, func() int64 { return epoch })
}

func write(t testing.TB, r *Recorder, records ...aaa.Record) {
	t.Helper()
	if err := r.Write(context.Background(), records); err != nil {
		t.Fatal(err)
	}
}

// row is a row as JSON words it.
func row(t testing.TB, pool *pgxpool.Pool, table, key, session string) map[string]any {
	t.Helper()
	var got map[string]any
	err := pool.QueryRow(context.Background(), "SELECT to_jsonb(x) FROM "+table+" x WHERE "+key+" = $1", session).Scan(&got)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestRecordsOfOneLife(t *testing.T) {
	dsn := sharedDSN(t)
	for _, pooled := range []bool{false, true} {
		t.Run(fmt.Sprintf("pooled=%v", pooled), func(t *testing.T) {
			pool := openPool(t, dsn, pooled)
			r, session := newRecorder(pool, 7), fmt.Sprintf("s-%v", pooled)
			same := map[string]any{
				"node": "n1", "epoch": 7., "name": "Alice", "account": "alice@sales.example", "domain": "sales.example",
				"address": "10.20.0.7", "pool": "sales", "routing_context": "default", "method": "chap", "virtual_template": "vt1",
				"peer": "198.51.100.7", "peer_port": 1701., "peer_name": "laptop", "local_address": "192.0.2.1",
				"local_tunnel": 1., "local_session": 2., "remote_tunnel": 3., "remote_session": 65535., "calling_number": "555", "called_number": "556",
			}
			for sequence, kind := range []aaa.RecordKind{aaa.RecordStart, aaa.RecordInterim, aaa.RecordStop} {
				n := float64(sequence + 1)
				record := newRecord(kind, session, uint32(sequence+1))
				write(t, r, record)
				live, kept := row(t, pool, "sessions", "id", session), row(t, pool, "accounting", "session", session)
				counted := map[string]any{"octets_up": n * (1 << 33), "octets_down": n * (1 << 34), "packets_up": n, "packets_down": 2 * n}
				for column, want := range same {
					counted[column] = want
				}
				for column, want := range counted {
					if kept[column] != want {
						t.Errorf("%s: accounting.%s is %v, want %v", kind, column, kept[column], want)
					}
					if kind != aaa.RecordStop && live[column] != want {
						t.Errorf("%s: sessions.%s is %v, want %v", kind, column, live[column], want)
					}
				}
				if kept["sequence"] != n {
					t.Errorf("%s: sequence %v", kind, kept["sequence"])
				}
				if (live == nil) != (kind == aaa.RecordStop) {
					t.Errorf("%s: sessions has %v", kind, live)
				}
				var started, updated time.Time
				var stopped *time.Time
				var cause, terminate *string
				err := pool.QueryRow(context.Background(), "SELECT started_at, updated_at, stopped_at, cause, terminate_cause FROM accounting WHERE session = $1",
					session).Scan(&started, &updated, &stopped, &cause, &terminate)
				if err != nil || !started.Equal(recordStarted) || !updated.Equal(record.At) {
					t.Errorf("%s: %v, %s, %s", kind, err, started, updated)
				}
				if kind != aaa.RecordStop && (stopped != nil || cause != nil || terminate != nil) ||
					kind == aaa.RecordStop && (!stopped.Equal(record.At) || *cause != record.Reason || *terminate != "Idle-Timeout") {
					t.Errorf("%s: %v, %v, %v", kind, stopped, cause, terminate)
				}
			}
		})
	}
}

// table is all that the records have made, without what differs from run to run.
func table(t testing.TB, pool *pgxpool.Pool) string {
	t.Helper()
	return one[string](t, pool, `SELECT coalesce((SELECT jsonb_agg(to_jsonb(a) - 'id' ORDER BY session)::text FROM accounting a), '') ||
		coalesce((SELECT jsonb_agg(to_jsonb(s) ORDER BY id)::text FROM sessions s), '')`)
}

func TestRecordThatComesAgainOrLateChangesNothing(t *testing.T) {
	pool := sharedPool(t)
	r := newRecorder(pool, 1)
	first, second, stop := newRecord(aaa.RecordStart, "a", 1), newRecord(aaa.RecordInterim, "a", 2), newRecord(aaa.RecordStop, "a", 3)
	for _, records := range [][]aaa.Record{{first}, {second}, {stop}} {
		write(t, r, records...)
		want := table(t, pool)
		write(t, r, records...)
		write(t, r, first)
		if got := table(t, pool); got != want {
			t.Errorf("after %s again:\n got %s\nwant %s", records[0].Kind, got, want)
		}
	}
	write(t, r, first, second, stop)
	if one[int](t, pool, "SELECT count(*) FROM sessions") != 0 {
		t.Error("a late record brought the session back to life")
	}
}

func TestRecordsOfOneSessionInOneBatch(t *testing.T) {
	pool := sharedPool(t)
	write(t, newRecorder(pool, 1), newRecord(aaa.RecordStart, "a", 1), newRecord(aaa.RecordStart, "b", 1),
		newRecord(aaa.RecordInterim, "a", 2), newRecord(aaa.RecordInterim, "b", 2), newRecord(aaa.RecordStop, "a", 3))
	got := one[string](t, pool, "SELECT string_agg(session || ' ' || sequence || coalesce(' ' || terminate_cause, ''), ', ' ORDER BY session) FROM accounting")
	live := one[string](t, pool, "SELECT string_agg(id || ' ' || packets_up, ', ') FROM sessions")
	if got != "a 3 Idle-Timeout, b 2" || live != "b 2" {
		t.Errorf("%s; %s", got, live)
	}
}

// TestABatchThatComesAgainWithMore is what the spool does when the answer to the first time was lost: what was new is not, and
// what has come since stands behind it.
func TestABatchThatComesAgainWithMore(t *testing.T) {
	pool := sharedPool(t)
	r := newRecorder(pool, 1)
	batch := []aaa.Record{
		newRecord(aaa.RecordStart, "over", 1), newRecord(aaa.RecordStart, "ends", 1), newRecord(aaa.RecordStart, "lives", 1),
		newRecord(aaa.RecordStop, "over", 2), newRecord(aaa.RecordInterim, "old", 7), newRecord(aaa.RecordStop, "late", 8),
	}
	write(t, r, batch...)
	const kept = "SELECT string_agg(session || ' ' || sequence || coalesce(' ' || terminate_cause, ''), ', ' ORDER BY session) FROM accounting"
	const live = "SELECT string_agg(id || ' ' || packets_up, ', ' ORDER BY id) FROM sessions"
	if got := one[string](t, pool, kept) + "; " + one[string](t, pool, live); got !=
		"ends 1, late 8 Idle-Timeout, lives 1, old 7, over 2 Idle-Timeout; ends 1, lives 1, old 7" {
		t.Error(got)
	}
	write(t, r, append(batch, newRecord(aaa.RecordStop, "ends", 2), newRecord(aaa.RecordInterim, "lives", 2), newRecord(aaa.RecordStart, "new", 1),
		newRecord(aaa.RecordStart, "short", 1), newRecord(aaa.RecordStop, "short", 2))...)
	if got := one[string](t, pool, kept) + "; " + one[string](t, pool, live); got !=
		"ends 2 Idle-Timeout, late 8 Idle-Timeout, lives 2, new 1, old 7, over 2 Idle-Timeout, short 2 Idle-Timeout; lives 2, new 1, old 7" {
		t.Error(got)
	}
}

func TestStopAloneIsEnough(t *testing.T) {
	pool := sharedPool(t)
	write(t, newRecorder(pool, 1), newRecord(aaa.RecordStop, "a", 9))
	if got := row(t, pool, "accounting", "session", "a"); got["account"] != "alice@sales.example" || got["packets_up"] != 9. {
		t.Error(got)
	}
}

// TestAnyRecordCanBeStored: what a peer names itself, or a clock that jumps, must not stop the queue.
func TestAnyRecordCanBeStored(t *testing.T) {
	pool := sharedPool(t)
	r := newRecorder(pool, 1)
	odd := newRecord(aaa.RecordStop, "odd", math.MaxUint32)
	odd.Name, odd.TunnelName, odd.CallingNumber = "a\x00b", "\xff\xfe", strings.Repeat("ä", 5000)
	odd.Account, odd.Reason = strings.Repeat("x", 9000), `"quoted", {braced} \ NULL`
	odd.Peer, odd.Local = netip.MustParseAddrPort("[fe80::1%eth0]:1"), netip.MustParseAddr("::ffff:192.0.2.9")
	odd.RxOctets, odd.TxPackets = math.MaxUint64, math.MaxUint64
	odd.At, odd.Terminate = odd.Started.Add(-time.Hour), 99
	write(t, r, odd)
	got := row(t, pool, "accounting", "session", "odd")
	for column, want := range map[string]any{
		"name": "a\uFFFDb", "peer_name": "\uFFFD", "calling_number": strings.Repeat("ä", 500), "cause": odd.Reason, "peer": "fe80::1",
		"local_address": "192.0.2.9", "sequence": float64(math.MaxUint32), "octets_up": float64(math.MaxInt64), "terminate_cause": "99",
		"stopped_at": got["started_at"],
	} {
		if got[column] != want {
			t.Errorf("%s is %v, want %v", column, got[column], want)
		}
	}
	write(t, r, aaa.Record{Kind: aaa.RecordStart, Session: "empty"})
	for n, at := range []time.Time{{}, time.Unix(-1<<50, 0), time.Unix(1<<50, 0)} {
		record := newRecord(aaa.RecordStop, fmt.Sprint("clock", n), 1)
		record.Started, record.At = at, at
		write(t, r, record)
	}
}

func TestRecorderWithoutEpochWaits(t *testing.T) {
	err := newRecorder(sharedPool(t), 0).Write(context.Background(), []aaa.Record{newRecord(aaa.RecordStart, "a", 1)})
	if !errors.Is(err, ErrNotRegistered) || hopelessRecord(err) {
		t.Error(err)
	}
}

func hopelessRecord(err error) bool {
	var r interface{ Retryable() bool }
	return errors.As(err, &r) && !r.Retryable()
}

// TestRefusedRecordIsSetAside lets the spool find the one record that the database will not have.
func TestRefusedRecordIsSetAside(t *testing.T) {
	pool := pgtest.New(t)
	run(t, pool, "ALTER TABLE accounting ADD CHECK (session <> 'poison')")
	r := newRecorder(pool, 1)
	if err := r.Write(context.Background(), []aaa.Record{newRecord(aaa.RecordStart, "poison", 1)}); !hopelessRecord(err) {
		t.Fatal(err)
	}
	s, err := spool.Open(spool.Config{Path: filepath.Join(t.TempDir(), "f"), Sink: r})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	stop := background(t, func(ctx context.Context) { s.Run(ctx) })
	defer stop()
	for n := range 50 {
		s.Account(newRecord(aaa.RecordStart, fmt.Sprint("s", n), 1))
		if n == 20 {
			s.Account(newRecord(aaa.RecordStart, "poison", 1))
		}
	}
	drainSpool(t, s)
	if n := one[int](t, pool, "SELECT count(*) FROM accounting"); n != 50 || s.Stats().Refused != 1 {
		t.Errorf("%d records, %+v", n, s.Stats())
	}
}

func drainSpool(t testing.TB, s *spool.Spool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := s.Drain(ctx); err != nil {
		t.Fatalf("%v: %+v", err, s.Stats())
	}
}

func TestRecordsWhileTheServerIsAway(t *testing.T) {
	server := pgtest.Cluster(t, "fsync=off")
	pool := server.New()
	t.Run("write answers", func(t *testing.T) { writeAnswers(t, server, pool) })
	run(t, pool, "TRUNCATE accounting, sessions")
	t.Run("upkeep waits", func(t *testing.T) { upkeepWaits(t, server, pool) })
}

func writeAnswers(t *testing.T, server *pgtest.Server, pool *pgxpool.Pool) {
	r := newRecorder(pool, 1)
	server.Stop()
	if err := r.Write(context.Background(), []aaa.Record{newRecord(aaa.RecordStart, "a", 1)}); err == nil || hopelessRecord(err) {
		t.Errorf("stopped: %v", err)
	}
	server.Start()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := r.Write(ctx, []aaa.Record{newRecord(aaa.RecordStart, "a", 1)}); err == nil || hopelessRecord(err) {
		t.Errorf("out of time: %v", err)
	}
	until(t, "a record is written", 10*time.Second, func() bool {
		return r.Write(context.Background(), []aaa.Record{newRecord(aaa.RecordStart, "a", 1)}) == nil
	})
}

// addNode writes a node whose last heartbeat is as old as an interval says.
func addNode(t testing.TB, pool *pgxpool.Pool, name string, epoch int64, silent string) {
	t.Helper()
	run(t, pool, "INSERT INTO nodes (name, epoch, started_at, heartbeat_at) VALUES ($1, $2, now() - $3::text::interval, now() - $3::text::interval)", name, epoch, silent)
}

func TestSessionsOfDeadNodesAreClosed(t *testing.T) {
	pool := sharedPool(t)
	ctx := context.Background()
	addNode(t, pool, "alive", 3, "1 minute")
	addNode(t, pool, "dead", 1, "10 minutes")
	addNode(t, pool, "restarted", 2, "10 minutes")
	run(t, pool, "UPDATE nodes SET heartbeat_at = now() WHERE name = 'restarted'")
	addNode(t, pool, "just-restarted", 2, "1 minute")
	for _, x := range []struct {
		node  string
		epoch int64
	}{{"alive", 3}, {"dead", 1}, {"restarted", 1}, {"just-restarted", 1}, {"removed", 1}} {
		record := newRecord(aaa.RecordInterim, x.node, 2)
		record.Node = x.node
		write(t, newRecorder(pool, x.epoch), record)
	}
	over := newRecord(aaa.RecordStop, "over", 3)
	over.Node = "dead"
	write(t, newRecorder(pool, 1), over)

	if n, err := CloseDead(ctx, pool, 5*time.Minute); n != 2 || err != nil {
		t.Errorf("closed %d, %v", n, err)
	}
	if n, err := closeUnknown(ctx, pool, 5*time.Minute); n != 1 || err != nil {
		t.Errorf("closed %d, %v", n, err)
	}
	if got := one[string](t, pool, "SELECT string_agg(id, ', ' ORDER BY id) FROM sessions"); got != "alive, just-restarted" {
		t.Errorf("live: %s", got)
	}
	got := one[string](t, pool, `SELECT string_agg(session || ': ' || coalesce(cause, '') || '|' || coalesce(terminate_cause, '') || '|' || octets_up || '|' || sequence, E'\n' ORDER BY session) FROM accounting`)
	if diff := cmp.Diff(`alive: ||17179869184|2
dead: the node gave no more sign of life|NAS-Reboot|17179869184|2
just-restarted: ||17179869184|2
over: no user traffic for the idle timeout|Idle-Timeout|25769803776|3
removed: the node was removed|NAS-Reboot|17179869184|2
restarted: the node started again without closing the session|NAS-Reboot|17179869184|2`, got); diff != "" {
		t.Error(diff)
	}
	if !one[bool](t, pool, "SELECT a.stopped_at = n.heartbeat_at FROM accounting a JOIN nodes n ON n.name = a.node WHERE session = 'dead'") {
		t.Error("a dead node's session ends at its last sign of life")
	}

	t.Run("the node itself knows better", func(t *testing.T) {
		alive := newRecord(aaa.RecordInterim, "dead", 3) // it was only cut off
		alive.Node = "dead"
		write(t, newRecorder(pool, 1), alive)
		if row(t, pool, "accounting", "session", "dead")["stopped_at"] != nil || row(t, pool, "sessions", "id", "dead") == nil {
			t.Error("a newer record did not open the session again")
		}
		stop := newRecord(aaa.RecordStop, "restarted", 3) // of its spool
		write(t, newRecorder(pool, 2), stop)
		if got := row(t, pool, "accounting", "session", "restarted"); got["cause"] != stop.Reason || got["packets_up"] != 3. {
			t.Errorf("the Stop of the spool came too late: %v", got)
		}
	})
}

func TestOneNodeAtATimeCloses(t *testing.T) {
	pool := sharedPool(t)
	ctx := context.Background()
	addNode(t, pool, "n1", 1, "10 minutes")
	write(t, newRecorder(pool, 1), newRecord(aaa.RecordStart, "a", 1))
	other, err := pool.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Rollback(ctx)
	if _, err := other.Exec(ctx, sqlLeader); err != nil {
		t.Fatal(err)
	}
	if n, err := CloseDead(ctx, pool, time.Minute); n != 0 || err != nil {
		t.Errorf("closed %d, %v while another node is at it", n, err)
	}
	if err := other.Rollback(ctx); err != nil {
		t.Fatal(err)
	}
	if n, err := CloseDead(ctx, pool, time.Minute); n != 1 || err != nil {
		t.Errorf("closed %d, %v", n, err)
	}
}

func upkeepWaits(t *testing.T, server *pgtest.Server, pool *pgxpool.Pool) {
	month := one[string](t, pool, "SELECT to_char(now() AT TIME ZONE 'UTC' + interval '1 month', 'YYYY_MM')")
	run(t, pool, "DROP TABLE accounting_"+month)
	addNode(t, pool, "n1", 1, "10 minutes")
	run(t, pool, "INSERT INTO accounting (session, started_at, node, epoch, name, account) SELECT 't' || n, now(), 'n1', 1, 'a', 'a' FROM generate_series(1, 2500) n")
	run(t, pool, "INSERT INTO sessions (id, started_at, node, epoch, name, account) SELECT session, started_at, node, epoch, name, account FROM accounting")
	server.Stop()
	log := &strings.Builder{}
	stop := background(t, func(ctx context.Context) {
		Upkeep{DB: pool, Log: slog.New(slog.NewTextHandler(log, nil)), Sweep: 10 * time.Millisecond, Retry: 10 * time.Millisecond}.Run(ctx)
	})
	server.Start()
	until(t, "the sessions are closed", 20*time.Second, func() bool {
		var left int
		err := pool.QueryRow(context.Background(), "SELECT (SELECT count(*) FROM accounting WHERE stopped_at IS NULL) + (SELECT count(*) FROM sessions)").Scan(&left)
		return err == nil && left == 0
	})
	until(t, "the partition is made", 20*time.Second, func() bool {
		return one[*string](t, pool, "SELECT to_regclass('accounting_' || $1)::text", month) != nil
	})
	stop()
}

// TestClosingUsesTheKey: closing sessions of dead nodes must not read all those that are over.
func TestClosingUsesTheKey(t *testing.T) {
	pool := sharedPool(t)
	addNode(t, pool, "n1", 1, "10 minutes")
	run(t, pool, "INSERT INTO accounting (session, started_at, node, epoch, name, account, stopped_at) SELECT 't' || n, now(), 'n1', 1, 'a', 'a', CASE WHEN n > 10 THEN now() END FROM generate_series(1, 20000) n")
	run(t, pool, "INSERT INTO sessions (id, started_at, node, epoch, name, account) SELECT 't' || n, now(), 'n1', 1, 'a', 'a' FROM generate_series(1, 10) n")
	run(t, pool, "ANALYZE accounting")
	for _, sql := range []string{sqlCloseSessions, sqlForgetSessions} {
		err := pgx.BeginFunc(context.Background(), pool, func(tx pgx.Tx) error {
			if _, err := tx.Exec(context.Background(), sqlOnlyLoops); err != nil {
				return err
			}
			rows, err := tx.Query(context.Background(), "EXPLAIN "+strings.ReplaceAll(sql, "$1", "'{t1,t2}'"))
			if err != nil {
				return err
			}
			lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
			if plan := strings.Join(lines, "\n"); strings.Contains(plan, "Seq Scan") || !strings.Contains(plan, "started_at = x.started_at") {
				t.Error(plan)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
}

// TestASessionWithoutARecordIsForgotten: its month may have been dropped.
func TestASessionWithoutARecordIsForgotten(t *testing.T) {
	pool := sharedPool(t)
	addNode(t, pool, "n1", 1, "10 minutes")
	run(t, pool, "INSERT INTO sessions (id, node, epoch, name, account) VALUES ('s', 'n1', 1, 'a', 'a')")
	if n, err := CloseDead(context.Background(), pool, time.Minute); n != 0 || err != nil {
		t.Error(n, err)
	}
	if n := one[int](t, pool, "SELECT count(*) FROM sessions"); n != 0 {
		t.Errorf("%d sessions are left", n)
	}
}

// TestRecordsChangeInPlace: no index has a column that changes, not even as a condition, and there is room on a page for the next
// version of its rows (some grow). Prefixes are there from the Start on, or come once.
func TestRecordsChangeInPlace(t *testing.T) {
	pool := sharedPool(t)
	if got := one[*string](t, pool, `SELECT string_agg(indexdef, E'\n') FROM pg_indexes WHERE tablename = 'accounting'
		AND indexdef ~ 'WHERE|sequence|updated_at|stopped_at|cause|octets|packets|peer|nas_address'
		AND indexdef !~ 'WHERE .(ipv6|delegated)_prefix IS NOT NULL.$'`); got != nil {
		t.Errorf("a record that changes changes these too:\n%s", *got)
	}
	const sessions = 200
	pages := func() map[string]int {
		rows, err := pool.Query(context.Background(), "SELECT session, (ctid::text::point)[0]::integer FROM accounting")
		if err != nil {
			t.Fatal(err)
		}
		at, session, page := make(map[string]int), "", 0
		if _, err := pgx.ForEachRow(rows, []any{&session, &page}, func() error { at[session] = page; return nil }); err != nil {
			t.Fatal(err)
		}
		return at
	}
	var first map[string]int
	for sequence, kind := range []aaa.RecordKind{aaa.RecordStart, aaa.RecordInterim, aaa.RecordStop} {
		var records []aaa.Record
		for i := range sessions {
			records = append(records, newRecord(kind, fmt.Sprintf("own%03d", i), uint32(sequence+1)), newForeign(kind, fmt.Sprintf("other%03d", i), uint32(sequence+1)))
		}
		write(t, newRecorder(pool, 1), records...)
		run(t, pool, "VACUUM accounting") // as the next reader of a page would
		if first == nil {
			first = pages()
		}
	}
	moved := 0
	for session, page := range pages() {
		if page != first[session] {
			moved++
		}
	}
	if len(first) != 2*sessions || moved > len(first)/5 {
		t.Errorf("%d of %d rows have moved", moved, len(first))
	}
}

// BenchmarkRecorder writes the Start and the Stop of sessions in batches.
func BenchmarkRecorder(b *testing.B) {
	server := pgtest.Cluster(b)
	r := newRecorder(server.New(), 1)
	for _, size := range []int{1, 10, 100, 1000} {
		b.Run(fmt.Sprintf("batch=%d", size), func(b *testing.B) {
			batch := make([]aaa.Record, size)
			for n := 0; b.Loop(); n++ {
				for i := range batch {
					kind := aaa.RecordStart
					if n%2 == 1 {
						kind = aaa.RecordStop
					}
					batch[i] = newRecord(kind, fmt.Sprintf("b%d-%d-%d", size, n/2, i), uint32(n%2+1))
				}
				write(b, r, batch...)
			}
			b.ReportMetric(float64(b.N*size)/b.Elapsed().Seconds(), "records/s")
		})
	}
}
