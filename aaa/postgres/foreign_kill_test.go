package postgres

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"lnsgate/aaa"
	"lnsgate/aaa/spool"
	"lnsgate/test/pgtest"
)

// told is what NASes tell, in rounds: of 40 sessions that live at the same time a Start, two Interims and a Stop, in any order, and
// some of it twice. Half of the NASes send Class back, the others give each of their sessions the names that they gave an hour ago,
// and a start that is off by seconds. Every eighth session has no Stop.
type told struct{ rounds int }

const (
	toldSessions = 40
	toldSteps    = 4
	toldTwice    = 8  // of 155 records
	toldAgain    = 12 // rounds, after which a NAS gives the same names again
	toldRound    = toldSessions*toldSteps - toldSessions/8 + toldTwice
)

// began is when the sessions of a round began: in this month, and those before.
func (w told) began(round int) time.Time {
	return time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(round) * 5 * time.Minute)
}

// record is one that is told of a session.
func (w told) record(round, lane, step int) aaa.Record {
	kinds := [toldSteps]aaa.RecordKind{aaa.RecordStart, aaa.RecordInterim, aaa.RecordInterim, aaa.RecordStop}
	sequence := [toldSteps]uint32{1, 62, 122, math.MaxUint32}[step]
	r := newForeign(kinds[step], fmt.Sprintf("login%d-%d", round, lane), sequence)
	r.Account = fmt.Sprintf("user%d@sales.example", lane)
	r.Started = w.began(round)
	if lane%2 == 1 {
		r = newGuess(kinds[step], fmt.Sprintf("%d-%d", round%toldAgain, lane), sequence, 0)
		r.Started = w.began(round).Add(time.Duration((round*7+lane*5+step*11)%50-25) * time.Second)
	}
	r.At = w.began(round).Add(time.Duration(step) * time.Minute)
	r.RxOctets, r.TxOctets = uint64(round*lane+step), uint64(round)<<16+uint64(step)
	r.RxPackets, r.TxPackets = uint64(step), uint64(lane)
	return r
}

// round is what is told in a round, in order.
func (w told) round(round int) []aaa.Record {
	chance := rand.New(rand.NewPCG(uint64(round), 1))
	var records []aaa.Record
	for lane := range toldSessions {
		for step := range toldSteps {
			if step < toldSteps-1 || lane%8 != 5 {
				records = append(records, w.record(round, lane, step))
			}
		}
	}
	for range toldTwice {
		records = append(records, records[chance.IntN(toldSessions*3)])
	}
	chance.Shuffle(len(records), func(i, j int) { records[i], records[j] = records[j], records[i] })
	return records
}

// toldSums are what accounting has to say of it all.
type toldSums struct {
	Rows, Sequences, Up, Down, Packets int64
	Ended, Superseded, Open, Live      int64
}

func (w told) sums() (s toldSums) {
	for round := range w.rounds {
		for lane := range toldSessions {
			last := w.record(round, lane, toldSteps-1)
			switch {
			case lane%8 != 5:
				s.Ended++
			case round+toldAgain < w.rounds: // lane%8 == 5 is one without Class
				last = w.record(round, lane, toldSteps-2)
				s.Superseded++
			default:
				last = w.record(round, lane, toldSteps-2)
				s.Open, s.Live = s.Open+1, s.Live+1
			}
			s.Rows, s.Sequences = s.Rows+1, s.Sequences+int64(last.Sequence)
			s.Up, s.Down, s.Packets = s.Up+int64(last.RxOctets), s.Down+int64(last.TxOctets), s.Packets+int64(last.RxPackets)
		}
	}
	return s
}

func toldSumsOf(t *testing.T, pool *Pool) (s toldSums) {
	t.Helper()
	err := pool.QueryRow(context.Background(), `
		SELECT count(*), sum(sequence), sum(octets_up), sum(octets_down), sum(packets_up),
			count(*) FILTER (WHERE terminate_cause = 'Idle-Timeout'), count(*) FILTER (WHERE terminate_cause = 'Lost-Service'),
			count(*) FILTER (WHERE stopped_at IS NULL), (SELECT count(*) FROM sessions)
		FROM accounting`).Scan(&s.Rows, &s.Sequences, &s.Up, &s.Down, &s.Packets, &s.Ended, &s.Superseded, &s.Open, &s.Live)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestForeignProducer is a process of its own in TestForeignRecordsSurviveEverything: it takes what NASes tell from a record on until it
// is killed, or there is no more, and says how many are where no crash takes them away.
func TestForeignProducer(t *testing.T) {
	file := os.Getenv("LNSGATE_TEST_SPOOL")
	if file == "" {
		return
	}
	from, _ := strconv.Atoi(os.Getenv("LNSGATE_TEST_FROM"))
	rounds, _ := strconv.Atoi(os.Getenv("LNSGATE_TEST_ROUNDS"))
	pool := openPool(t, os.Getenv("LNSGATE_TEST_DSN"), false)
	node := NewNode(pool, NodeConfig{Name: "n1", Log: quiet})
	background(t, node.Run)
	s, err := spool.Open(spool.Config{
		Path: file, Sink: NewRecorder(pool, node.Epoch), Pace: time.Millisecond, RetryMax: 100 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	stop := background(t, func(ctx context.Context) { s.Run(ctx) })
	defer stop()
	w := told{rounds}
	for n := from; n < rounds*toldRound; {
		for _, r := range w.round(n / toldRound)[n%toldRound:] {
			s.Account(r)
			if n++; n%asked == 0 {
				if err := s.Sync(context.Background()); err != nil {
					t.Fatal(err)
				}
				fmt.Println("safe", n)
			}
		}
	}
	drainSpool(t, s)
	if f := s.Stats(); f.Lost != 0 || f.Refused != 0 {
		t.Errorf("%+v", f)
	}
}

// toldRecords is how many records TestForeignRecordsSurviveEverything makes. LNSGATE_TEST_FOREIGN_RECORDS says otherwise.
func toldRecords() int {
	if n, err := strconv.Atoi(os.Getenv("LNSGATE_TEST_FOREIGN_RECORDS")); err == nil {
		return n
	}
	if os.Getenv("LNSGATE_TEST_ALL") == "1" {
		return 200_000
	}
	return 20_000
}

// TestForeignRecordsSurviveEverything takes what NASes tell in three processes, the first two of which are killed with -9 in the middle
// of their work. NASes tell again what nobody said was safe. The database is stopped and started in the meantime.
func TestForeignRecordsSurviveEverything(t *testing.T) {
	w := told{rounds: toldRecords()/toldRound + 1}
	all := w.rounds * toldRound
	server := pgtest.Cluster(t, "fsync=off") // a process that dies loses nothing without it
	pool := server.New()
	file := filepath.Join(t.TempDir(), "accounting.spool")
	start := func(from int) (safe <-chan int, stop func(kill bool)) {
		cmd, safe := startProducer(t, "TestForeignProducer", "LNSGATE_TEST_SPOOL="+file,
			"LNSGATE_TEST_DSN="+server.DSN("lnsgate"), fmt.Sprint("LNSGATE_TEST_FROM=", from), fmt.Sprint("LNSGATE_TEST_ROUNDS=", w.rounds))
		return safe, func(dead bool) {
			if dead {
				kill(t, cmd)
			} else if err := cmd.Wait(); err != nil {
				t.Fatal(err)
			}
		}
	}
	began := time.Now()
	safe, end := start(0)
	first := await(t, safe, all/3)
	end(true)
	safe, end = start(first)
	await(t, safe, first+1)
	server.Stop()
	second := await(t, safe, 2*all/3)
	end(true)
	safe, end = start(second)
	await(t, safe, second+1)
	server.Start()
	for range safe {
	}
	end(false)
	took := time.Since(began)
	if got, want := toldSumsOf(t, pool), w.sums(); got != want {
		t.Errorf("%d records:\n got %+v\nwant %+v", all, got, want)
	}
	t.Logf("%d records, told to be safe until %d and %d before a kill -9: %s, %.0f/s", all, first, second, took.Round(time.Millisecond), float64(all)/took.Seconds())
}

// TestForeignRecordsAddUp: whatever the order, whatever comes twice, and however often the database fails before or after it has
// stored, each session ends up with the figures of its last record.
func TestForeignRecordsAddUp(t *testing.T) {
	pool := sharedPool(t)
	w := told{rounds: 1}
	for seed := range uint64(2) {
		run(t, pool, "DELETE FROM accounting; DELETE FROM sessions")
		chance := rand.New(rand.NewPCG(seed, 2))
		records := w.round(0)
		chance.Shuffle(len(records), func(i, j int) { records[i], records[j] = records[j], records[i] })
		sink := &unsteady{recorder: newRecorder(pool, 1)}
		cfg := spool.Config{
			Path: filepath.Join(t.TempDir(), "f"), Sink: sink, Batch: 1 + chance.IntN(60), Pace: time.Microsecond,
			RetryMin: time.Microsecond, RetryMax: time.Millisecond,
		}
		for part := range 4 { // of one process each
			s, err := spool.Open(cfg)
			if err != nil {
				t.Fatal(err)
			}
			stop := background(t, func(ctx context.Context) { s.Run(ctx) })
			for n, r := range records[part*len(records)/4 : (part+1)*len(records)/4] {
				s.Account(r)
				if n%29 == 0 {
					if err := s.Sync(context.Background()); err != nil {
						t.Fatal(err)
					}
				}
			}
			if part == 3 {
				drainSpool(t, s)
			}
			stop()
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if got, want := toldSumsOf(t, pool), w.sums(); got != want {
			t.Errorf("seed %d:\n got %+v\nwant %+v", seed, got, want)
		}
	}
}

// unsteady is a sink that fails two times of three: before it has stored, or after.
type unsteady struct {
	recorder *Recorder
	calls    atomic.Int64
}

func (u *unsteady) Write(ctx context.Context, records []aaa.Record) error {
	n := u.calls.Add(1)
	if n%3 == 0 {
		return errors.New("away")
	}
	if err := u.recorder.Write(ctx, records); err != nil || n%3 == 1 {
		return errors.Join(err, errors.New("the answer is lost"))
	}
	return nil
}
