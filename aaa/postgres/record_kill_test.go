package postgres

import (
	"bufio"
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"lnsgate/aaa"
	"lnsgate/aaa/spool"
	"lnsgate/test/pgtest"
)

const (
	lanes = 32  // sessions of a producer at a time
	steps = 4   // records of a session
	asked = 500 // records between two questions whether they are on disk
)

// produced is the n-th record of a life. Sessions run side by side: start, two interims, stop. RxPackets tells n.
func produced(life, n int) aaa.Record {
	round, step, lane := n/(lanes*steps), n%(lanes*steps)/lanes, n%lanes
	kinds := [steps]aaa.RecordKind{aaa.RecordStart, aaa.RecordInterim, aaa.RecordInterim, aaa.RecordStop}
	r := newRecord(kinds[step], fmt.Sprintf("n1-%d-%d", life, round*lanes+lane), uint32(step+1))
	r.Started = time.Unix(1_790_000_000, 0).Add(time.Duration(life*1_000_000+round) * time.Second).UTC()
	r.At = r.Started.Add(time.Duration(step) * time.Minute)
	r.RxPackets, r.TxPackets = uint64(n)+1, uint64(step)
	r.RxOctets, r.TxOctets = uint64(n)*uint64(n%997)+uint64(step), uint64(n+life)<<20+uint64(step)
	return r
}

// TestRecordProducer is a process of its own in TestRecordsSurviveEverything: it makes records until it is killed, or
// until there are as many as it shall make, and tells how many are on disk.
func TestRecordProducer(t *testing.T) {
	file := os.Getenv("LNSGATE_TEST_SPOOL")
	if file == "" {
		return
	}
	life, _ := strconv.Atoi(os.Getenv("LNSGATE_TEST_LIFE"))
	most, _ := strconv.Atoi(os.Getenv("LNSGATE_TEST_RECORDS"))
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
	for n := 0; n < most; n++ {
		s.Account(produced(life, n))
		if (n+1)%asked == 0 {
			if err := s.Sync(context.Background()); err != nil {
				t.Fatal(err)
			}
			fmt.Println("safe", n+1)
		}
	}
	drainSpool(t, s)
	if f := s.Stats(); f.Lost != 0 || f.Refused != 0 {
		t.Errorf("%+v", f)
	}
}

// produce starts a producer and answers how many records it says are on disk, each time it says so.
func produce(t *testing.T, dsn, file string, life, most int) (*exec.Cmd, <-chan int) {
	t.Helper()
	return startProducer(t, "TestRecordProducer", "LNSGATE_TEST_SPOOL="+file, "LNSGATE_TEST_DSN="+dsn, fmt.Sprint("LNSGATE_TEST_LIFE=", life), fmt.Sprint("LNSGATE_TEST_RECORDS=", most))
}

// startProducer runs one of our tests as a process of its own.
func startProducer(t *testing.T, test string, env ...string) (*exec.Cmd, <-chan int) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^"+test+"$", "-test.count=1")
	cmd.Env = append(os.Environ(), env...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill() })
	safe := make(chan int, 1000)
	go func() {
		defer close(safe)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			var n int
			if _, err := fmt.Sscanf(lines.Text(), "safe %d", &n); err == nil {
				safe <- n
			} else if text := lines.Text(); text != "PASS" {
				fmt.Fprintln(os.Stderr, "producer:", text)
			}
		}
	}()
	return cmd, safe
}

// await waits until so many records are on disk.
func await(t *testing.T, safe <-chan int, least int) int {
	t.Helper()
	for n := range safe {
		if n >= least {
			return n
		}
	}
	t.Fatalf("the producer ended before %d records were on disk", least)
	return 0
}

// sums is what accounting says of the sessions of a life.
type sums struct {
	Sessions, Sequences, Up, Down, Packets int64
	Rebooted, Ended, Open                  int64
}

func sumsOf(t *testing.T, dsn string, life int) (s sums, last int) {
	t.Helper()
	err := openPool(t, dsn, false).QueryRow(context.Background(), `
		SELECT count(*), sum(sequence), sum(octets_up), sum(octets_down), sum(packets_up),
			count(*) FILTER (WHERE terminate_cause = 'NAS-Reboot'), count(*) FILTER (WHERE terminate_cause = 'Idle-Timeout'),
			count(*) FILTER (WHERE stopped_at IS NULL), max(packets_up)
		FROM accounting WHERE session LIKE $1`, fmt.Sprintf("n1-%d-%%", life)).
		Scan(&s.Sessions, &s.Sequences, &s.Up, &s.Down, &s.Packets, &s.Rebooted, &s.Ended, &s.Open, &last)
	if err != nil {
		t.Fatal(err)
	}
	return s, last
}

// expected is what accounting must say when exactly the first n records of a life came to the disk: the records of a
// killed process end with a Stop that its successor made.
func expected(life, n int) (s sums) {
	last := make(map[string]aaa.Record)
	for i := range n {
		r := produced(life, i)
		last[r.Session] = r
	}
	for r := range maps.Values(last) {
		s.Sessions++
		s.Sequences += int64(r.Sequence)
		s.Up, s.Down, s.Packets = s.Up+int64(r.RxOctets), s.Down+int64(r.TxOctets), s.Packets+int64(r.RxPackets)
		if r.Kind == aaa.RecordStop {
			s.Ended++
		} else {
			s.Rebooted++
			s.Sequences++
		}
	}
	return s
}

// recordsOfALife makes 100,000 in three lives where every test runs at its full size.
func recordsOfALife() int {
	if os.Getenv("LNSGATE_TEST_ALL") == "1" {
		return 33_500
	}
	return 8_000
}

// TestRecordsSurviveEverything makes many records in three processes. The first two are killed with -9 in the
// middle of their work, the database is stopped and started twice, and the second death falls into a time without it.
func TestRecordsSurviveEverything(t *testing.T) {
	part := recordsOfALife()
	server := pgtest.Cluster(t, "fsync=off") // a process that dies loses nothing without it
	server.New()
	dsn, file := server.DSN("lnsgate"), filepath.Join(t.TempDir(), "accounting.spool")
	atLeast := [3]int{part, part, part}

	first, safe := produce(t, dsn, file, 0, 1<<30)
	await(t, safe, part/3)
	server.Stop()
	await(t, safe, 2*part/3)
	server.Start()
	atLeast[0] = await(t, safe, part)
	kill(t, first)

	second, safe := produce(t, dsn, file, 1, 1<<30)
	await(t, safe, part/2)
	server.Stop()
	atLeast[1] = await(t, safe, part)
	kill(t, second)

	third, safe := produce(t, dsn, file, 2, (part/(lanes*steps)+1)*lanes*steps)
	await(t, safe, part/2) // its predecessor's sessions are closed without a database
	server.Start()
	await(t, safe, part)
	for range safe {
	}
	if err := third.Wait(); err != nil {
		t.Fatal(err)
	}

	records := 0
	for life, least := range atLeast {
		got, last := sumsOf(t, dsn, life)
		if last < least {
			t.Errorf("life %d: %d records were on disk, only %d arrived", life, least, last)
		}
		if want := expected(life, last); got != want {
			t.Errorf("life %d, %d records:\n got %+v\nwant %+v", life, last, got, want)
		}
		t.Logf("life %d: %d records (%d were told to be on disk), %+v", life, last, least, got)
		records += last
	}
	if live := one[int](t, openPool(t, dsn, false), "SELECT count(*) FROM sessions"); live != 0 || records < 3*part {
		t.Errorf("%d sessions are alive, %d records", live, records)
	}
}

func kill(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
}
