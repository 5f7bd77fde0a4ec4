package postgres

import (
	"context"
	"fmt"
	"math"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgxpool"

	"lnsgate/aaa"
	"lnsgate/test/pgtest"
)

// newForeign makes a record of a session of another NAS that sends Class back; its figures tell the sequence.
func newForeign(kind aaa.RecordKind, session string, sequence uint32) aaa.Record {
	r := aaa.Record{
		Kind: kind, Session: session, Sequence: sequence, Node: "n1", Started: recordStarted, At: recordStarted.Add(time.Duration(sequence-1) * time.Second),
		Name: "Alice", Account: "alice@sales.example", Domain: "sales.example", Method: aaa.MSCHAPv2, Backend: "postgres",
		Address: netip.MustParseAddr("10.20.0.7"), Pool: "sales", Peer: netip.MustParseAddrPort("198.51.100.7:0"), TunnelName: "mikrotik",
		CallingNumber: "00:11:22:33:44:55", CalledNumber: "bridge",
		NAS: &aaa.NAS{Name: "mt/mikrotik", Client: "mt", Address: netip.MustParseAddr("198.51.100.7"), Identifier: "mikrotik",
			Session: "id-" + session, Port: 15728641, PortID: "bridge1"},
		RxOctets: uint64(sequence) << 33, TxOctets: uint64(sequence) << 20, RxPackets: uint64(sequence), TxPackets: uint64(sequence) * 2,
	}
	if kind == aaa.RecordStop {
		r.At, r.RxOctets = recordStarted.Add(time.Hour), 1<<40
		r.Terminate, r.Reason = aaa.TerminateIdleTimeout, "the NAS says: idle timeout"
	}
	return r
}

// newGuess makes a record of a NAS that does not send Class back, with a start that is off by so much.
func newGuess(kind aaa.RecordKind, id string, sequence uint32, off time.Duration) aaa.Record {
	r := newForeign(kind, id, sequence)
	r.Session, r.NAS.Session, r.Started = r.NAS.Name+"/"+id, id, r.Started.Add(off)
	return r
}

// The figures that the last record of a session leaves.
const foreignState = `SELECT string_agg(concat_ws(' ', a.session, extract(epoch FROM a.started_at - $1::timestamptz)::bigint, a.sequence, a.packets_up,
	coalesce(a.terminate_cause, 'open'), CASE WHEN s.id IS NULL THEN 'gone' ELSE 'live' END), E'\n' ORDER BY a.session, a.started_at)
	FROM accounting a LEFT JOIN sessions s ON s.id = a.session AND s.started_at = a.started_at`

func foreignIs(t *testing.T, pool *pgxpool.Pool, want string) {
	t.Helper()
	if diff := cmp.Diff(want, one[string](t, pool, foreignState, recordStarted)); diff != "" {
		t.Error(diff)
	}
}

func TestForeignRecordsOfOneLife(t *testing.T) {
	dsn := sharedDSN(t)
	for _, pooled := range []bool{false, true} {
		pool := openPool(t, dsn, pooled)
		r, session := newRecorder(pool, 7), fmt.Sprintf("s-%v", pooled)
		for _, record := range []aaa.Record{
			newForeign(aaa.RecordStart, session, 1), newForeign(aaa.RecordInterim, session, 61), newForeign(aaa.RecordStop, session, math.MaxUint32),
		} {
			write(t, r, record)
			live, kept := row(t, pool, "sessions", "id", session), row(t, pool, "accounting", "session", session)
			want := map[string]any{
				"node": "n1", "epoch": nil, "name": "Alice", "account": "alice@sales.example", "domain": "sales.example", "address": "10.20.0.7",
				"pool": "sales", "method": "mschapv2", "peer": "198.51.100.7", "peer_name": "mikrotik", "calling_number": "00:11:22:33:44:55",
				"called_number": "bridge", "local_tunnel": nil, "nas": "mt/mikrotik", "nas_client": "mt", "nas_address": "198.51.100.7",
				"nas_identifier": "mikrotik", "nas_session": "id-" + session, "nas_port": 15728641., "nas_port_id": "bridge1", "backend": "postgres",
				"sequence": float64(record.Sequence), "octets_up": float64(record.RxOctets), "octets_down": float64(record.TxOctets),
				"packets_up": float64(record.RxPackets), "packets_down": float64(record.TxPackets),
			}
			for column, want := range want {
				if kept[column] != want {
					t.Errorf("%s: accounting.%s is %v, want %v", record.Kind, column, kept[column], want)
				}
				if record.Kind != aaa.RecordStop && live[column] != want {
					t.Errorf("%s: sessions.%s is %v, want %v", record.Kind, column, live[column], want)
				}
			}
			if (live == nil) != (record.Kind == aaa.RecordStop) || (kept["stopped_at"] == nil) != (record.Kind != aaa.RecordStop) {
				t.Errorf("%s: %v, stopped at %v", record.Kind, live, kept["stopped_at"])
			}
		}
		if kept := row(t, pool, "accounting", "session", session); kept["cause"] != "the NAS says: idle timeout" || kept["terminate_cause"] != "Idle-Timeout" {
			t.Errorf("%v", kept)
		}
	}
}

func TestForeignRecordsInAnyOrder(t *testing.T) {
	start, interim, later := newForeign(aaa.RecordStart, "s", 1), newForeign(aaa.RecordInterim, "s", 61), newForeign(aaa.RecordInterim, "s", 121)
	stop := newForeign(aaa.RecordStop, "s", math.MaxUint32)
	orders := [][]aaa.Record{{start, interim, later, stop}, {stop, start, later, interim}, {later, interim, start, stop}, {stop, stop, start, start}, {interim, stop, later}}
	for _, together := range []bool{false, true} {
		for n, order := range orders {
			pool := sharedPoolAgain(t, n > 0 || together)
			r := newRecorder(pool, 1)
			if together {
				write(t, r, order...)
			} else {
				for _, record := range order {
					write(t, r, record)
				}
			}
			foreignIs(t, pool, "s 0 4294967295 4294967295 Idle-Timeout gone")
		}
	}
	pool := sharedPoolAgain(t, true)
	write(t, newRecorder(pool, 1), later)
	write(t, newRecorder(pool, 1), start, interim)
	foreignIs(t, pool, "s 0 121 121 open live")
}

// sharedPoolAgain is the shared database, emptied once more for the same test.
func sharedPoolAgain(t *testing.T, again bool) *pgxpool.Pool {
	t.Helper()
	if !again {
		return sharedPool(t)
	}
	pool := openPool(t, shared.dsn, false)
	run(t, pool, "DELETE FROM accounting; DELETE FROM sessions")
	return pool
}

// A NAS that sends no Class back: estimates of one start differ by seconds, also when the session is over, and a name comes again.
func TestForeignRecordsWithAnEstimatedStart(t *testing.T) {
	pool := sharedPool(t)
	r := newRecorder(pool, 1)
	for _, step := range []struct {
		name    string
		records []aaa.Record
		want    string
	}{
		{"start", []aaa.Record{newGuess(aaa.RecordStart, "7", 1, 0)}, "mt/mikrotik/7 0 1 1 open live"},
		{"interims", []aaa.Record{newGuess(aaa.RecordInterim, "7", 121, -3*time.Second), newGuess(aaa.RecordInterim, "7", 61, 2*time.Second)},
			"mt/mikrotik/7 0 121 121 open live"},
		{"stop, twice", []aaa.Record{newGuess(aaa.RecordStop, "7", math.MaxUint32, 59*time.Second), newGuess(aaa.RecordStop, "7", math.MaxUint32, -59*time.Second)},
			"mt/mikrotik/7 0 4294967295 4294967295 Idle-Timeout gone"},
		{"late", []aaa.Record{newGuess(aaa.RecordInterim, "7", 61, time.Second), newGuess(aaa.RecordStart, "7", 1, time.Second)},
			"mt/mikrotik/7 0 4294967295 4294967295 Idle-Timeout gone"},
		{"the name again", []aaa.Record{newGuess(aaa.RecordStart, "7", 1, 2*time.Minute), newGuess(aaa.RecordInterim, "7", 61, 2*time.Minute)},
			"mt/mikrotik/7 0 4294967295 4294967295 Idle-Timeout gone\nmt/mikrotik/7 120 61 61 open live"},
		{"and again, without a stop in between", []aaa.Record{newGuess(aaa.RecordInterim, "7", 71, 2*time.Minute), newGuess(aaa.RecordStart, "7", 1, time.Hour)},
			"mt/mikrotik/7 0 4294967295 4294967295 Idle-Timeout gone\nmt/mikrotik/7 120 71 71 Lost-Service gone\nmt/mikrotik/7 3600 1 1 open live"},
		{"the stop of the one in between", []aaa.Record{newGuess(aaa.RecordStop, "7", math.MaxUint32, 2*time.Minute)},
			"mt/mikrotik/7 0 4294967295 4294967295 Idle-Timeout gone\nmt/mikrotik/7 120 4294967295 4294967295 Idle-Timeout gone\nmt/mikrotik/7 3600 1 1 open live"},
	} {
		for _, record := range [][]aaa.Record{step.records, step.records[:1]} { // and once more
			write(t, r, record...)
		}
		t.Log(step.name)
		foreignIs(t, pool, step.want)
	}
}

// A start that is known is never taken for another.
func TestForeignRecordsWithAKnownStart(t *testing.T) {
	pool := sharedPool(t)
	a, b := newForeign(aaa.RecordStart, "s", 1), newForeign(aaa.RecordStart, "s", 1)
	b.Started = b.Started.Add(time.Second)
	write(t, newRecorder(pool, 1), a, b)
	foreignIs(t, pool, "s 0 1 1 open gone\ns 1 1 1 open live")
}

// What only an older record says is not lost, whether it comes in one batch with the newer or before it.
func TestForeignRecordsKeepWhatTheyKnow(t *testing.T) {
	terms := aaa.Terms{SessionTimeout: time.Hour, IdleTimeout: 1500 * time.Millisecond, Interim: time.Minute, RateUp: 1e6, RateDown: math.MaxUint64, Filter: "f"}
	start, interim := newForeign(aaa.RecordStart, "s", 1), newForeign(aaa.RecordInterim, "s", 61)
	start.Terms, interim.Address, interim.CallingNumber, interim.Pool = &terms, netip.Addr{}, "", ""
	const is = "SELECT concat_ws(' ', address, pool, calling_number, session_timeout, idle_timeout, interim, rate_up, rate_down, filter, sequence) FROM sessions"
	const want = "10.20.0.7 sales 00:11:22:33:44:55 01:00:00 00:00:01.5 00:01:00 1000000 9223372036854775807 f 61"
	for n, batches := range [][][]aaa.Record{{{start, interim}}, {{interim, start}}, {{start}, {interim}}} {
		pool := sharedPoolAgain(t, n > 0)
		for _, batch := range batches {
			write(t, newRecorder(pool, 1), batch...)
		}
		if got := one[string](t, pool, is); got != want {
			t.Errorf("%d:\n got %s\nwant %s", n, got, want)
		}
	}
	pool := sharedPoolAgain(t, true)
	write(t, newRecorder(pool, 1), interim)
	interim.Sequence, interim.Terms = 121, &aaa.Terms{}
	if got := one[*string](t, pool, "SELECT rate_up || filter FROM sessions"); got != nil {
		t.Errorf("terms that nobody knows: %s", *got)
	}
	write(t, newRecorder(pool, 1), interim)
	if got := one[string](t, pool, "SELECT concat_ws('|', rate_up, rate_down, session_timeout, idle_timeout, interim, filter) FROM sessions"); got != "0|0|00:00:00|00:00:00|00:00:00|" {
		t.Errorf("no limit at all: %s", got)
	}
}

// What a NAS says can be anything.
func TestForeignRecordsAreMadeStorable(t *testing.T) {
	pool := sharedPool(t)
	odd := newGuess(aaa.RecordInterim, "a\x00\xff", math.MaxUint32-1, 0)
	odd.Name, odd.CallingNumber, odd.CalledNumber, odd.Account, odd.TunnelName = "a\x00b", "\xff", string(make([]byte, 5000)), "\xc3", "\x00"
	odd.NAS.Identifier, odd.NAS.PortID, odd.NAS.Port = "\xff", "\x00", math.MaxUint32
	odd.RxOctets, odd.CUI, odd.Class, odd.UserName = math.MaxUint64, []byte{0, 255}, [][]byte{{0}, {}, make([]byte, 253)}, "\x00"
	odd.Sinks, odd.Terms = []string{"a", "b\x00"}, &aaa.Terms{Filter: "\xff\x00", RateUp: math.MaxUint64, SessionTimeout: math.MaxInt64}
	nothing := aaa.Record{Kind: aaa.RecordStart, Session: "nothing", NAS: &aaa.NAS{}}
	for _, record := range []aaa.Record{odd, nothing} {
		write(t, newRecorder(pool, 1), record, record)
		write(t, newRecorder(pool, 1), record)
	}
	if n := one[int](t, pool, "SELECT count(*) FROM sessions"); n != 2 {
		t.Errorf("%d sessions", n)
	}
}

func TestForeignRecordsBesideOurOwn(t *testing.T) {
	pool := sharedPool(t)
	write(t, newRecorder(pool, 3), newRecord(aaa.RecordStart, "own", 1), newForeign(aaa.RecordStart, "theirs", 1), newRecord(aaa.RecordInterim, "own", 2))
	if got := one[string](t, pool, "SELECT string_agg(concat_ws(' ', id, epoch, nas, packets_up), ', ' ORDER BY id) FROM sessions"); got != "own 3 2, theirs mt/mikrotik 1" {
		t.Error(got)
	}
}

// TestForeignRecordsAtOnce: two nodes are told of the same sessions at the same moment, with starts that are estimates.
func TestForeignRecordsAtOnce(t *testing.T) {
	pool := sharedPool(t)
	const sessions, nodes = 50, 4
	done := make(chan error, nodes)
	for node := range nodes {
		var records []aaa.Record
		for n := range sessions {
			n = (n*7 + node*13) % sessions
			records = append(records, newGuess(aaa.RecordStart, fmt.Sprint(n), 1, time.Duration(node)*time.Second))
		}
		go func() {
			done <- newRecorder(pool, 1).Write(context.Background(), records)
		}()
	}
	for range nodes {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if got := one[string](t, pool, "SELECT (SELECT count(*) FROM accounting) || ' ' || (SELECT count(*) FROM sessions)"); got != "50 50" {
		t.Error(got)
	}
}

// BenchmarkForeignRecorder writes the Start, an Interim and the Stop of sessions in batches.
func BenchmarkForeignRecorder(b *testing.B) {
	server := pgtest.Cluster(b)
	r := newRecorder(server.New(), 1)
	for _, guess := range []bool{false, true} {
		b.Run(fmt.Sprintf("estimated=%v", guess), func(b *testing.B) {
			kinds := []aaa.RecordKind{aaa.RecordStart, aaa.RecordInterim, aaa.RecordStop}
			batch := make([]aaa.Record, 1000)
			for n := 0; b.Loop(); n++ {
				for i := range batch {
					sequence := []uint32{1, 61, math.MaxUint32}[n%3]
					id := fmt.Sprintf("b%v-%d-%d", guess, n/3, i)
					batch[i] = newForeign(kinds[n%3], id, sequence)
					if guess {
						batch[i] = newGuess(kinds[n%3], id, sequence, time.Duration(n%3)*time.Second)
					}
				}
				write(b, r, batch...)
			}
			b.ReportMetric(float64(b.N*len(batch))/b.Elapsed().Seconds(), "records/s")
		})
	}
}
