package spool

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"lnsgate/aaa"
)

func TestDeliversInOrder(t *testing.T) {
	sink := newMemory()
	s := mustOpen(t, quick(t, sink))
	start(t, s)
	const sessions = 50
	for sequence := range uint32(10) {
		for n := range sessions {
			kind := aaa.RecordInterim
			switch sequence {
			case 0:
				kind = aaa.RecordStart
			case 9:
				kind = aaa.RecordStop
			}
			s.Account(record(kind, fmt.Sprint("s", n), sequence+1))
		}
	}
	drain(t, s)
	last := make(map[string]uint32)
	for _, call := range sink.calls {
		for _, r := range call {
			if r.Sequence <= last[r.Session] {
				t.Fatalf("%s after %d", word(r), last[r.Session])
			}
			last[r.Session] = r.Sequence
		}
	}
	for n := range sessions {
		name := fmt.Sprint("s", n)
		if got := sink.newest[name]; !same(got, record(aaa.RecordStop, name, 10)) {
			t.Errorf("%s ended with %+v", name, got)
		}
	}
	if f := s.Stats(); f.Accepted != 500 || f.Lost+uint64(f.Waiting+f.Memory+f.Open) != 0 {
		t.Errorf("%+v", f)
	}
}

// TestRFC2869Section2_1_OneInterimWaits: only one interim of a session may wait.
func TestRFC2869Section2_1_OneInterimWaits(t *testing.T) {
	sink := newMemory()
	s := mustOpen(t, quick(t, sink))
	s.Account(record(aaa.RecordStart, "a", 1))
	s.Account(record(aaa.RecordInterim, "a", 2))
	s.Account(record(aaa.RecordInterim, "a", 3)) // replaced in memory
	mustFlush(t, s)
	s.Account(record(aaa.RecordStart, "b", 1))
	s.Account(record(aaa.RecordInterim, "a", 4)) // replaced in the file
	mustFlush(t, s)
	expect(t, queue(t, s), "a start 1", "a interim 4", "b start 1")
	s.Account(record(aaa.RecordStop, "a", 5)) // a Stop tells all that the interim told
	s.Account(record(aaa.RecordInterim, "b", 2))
	mustFlush(t, s)
	expect(t, queue(t, s), "a start 1", "a stop 5", "b start 1", "b interim 2")
	start(t, s)
	drain(t, s)
	expect(t, sink.all(), "a start 1", "a stop 5", "b start 1", "b interim 2")
}

// TestNewerInterimWhileTheOlderIsDelivered: the newer one must not be taken off with the older.
func TestNewerInterimWhileTheOlderIsDelivered(t *testing.T) {
	for _, next := range []aaa.Record{record(aaa.RecordInterim, "a", 3), record(aaa.RecordStop, "a", 3)} {
		sink := newMemory()
		s := mustOpen(t, quick(t, sink))
		s.Account(record(aaa.RecordStart, "a", 1))
		s.Account(record(aaa.RecordInterim, "a", 2))
		mustFlush(t, s)
		sink.fail(func([]aaa.Record) error {
			sink.fault = nil
			s.Account(next)
			mustFlush(t, s)
			return nil
		})
		start(t, s)
		drain(t, s)
		expect(t, sink.all(), "a start 1", "a interim 2", word(next))
		if open := s.Stats().Open; (open == 1) != (next.Kind == aaa.RecordInterim) {
			t.Errorf("after %s %d sessions are open", word(next), open)
		}
	}
}

func TestSinkThatFailsGetsTheSameAgain(t *testing.T) {
	sink := newMemory()
	log := &lines{}
	cfg := quick(t, sink)
	cfg.Log = slog.New(slog.NewTextHandler(log, nil))
	s := mustOpen(t, cfg)
	left := 5
	sink.fault = func(records []aaa.Record) error {
		if left--; left >= 0 {
			sink.store(records) // stored, but the answer got lost
			return errors.New("connection refused")
		}
		return nil
	}
	s.Account(record(aaa.RecordStart, "a", 1))
	s.Account(record(aaa.RecordStop, "a", 2))
	mustFlush(t, s)
	stop := start(t, s)
	drain(t, s)
	stop()
	want := slices.Repeat([]string{"a start 1", "a stop 2"}, 6)
	expect(t, sink.all(), want...)
	expect(t, log.levels(), "WARN", "INFO") // once when it begins, once when it is over
}

func TestBackOffDoublesUpToItsLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sink := newMemory()
		var at []time.Time
		sink.fault = func([]aaa.Record) error { at = append(at, time.Now()); return errors.New("away") }
		s := mustOpen(t, Config{Path: filepath.Join(t.TempDir(), "f"), Sink: sink})
		stop := start(t, s)
		s.Account(record(aaa.RecordStart, "a", 1))
		time.Sleep(time.Minute)
		synctest.Wait()
		stop()
		want := 100 * time.Millisecond
		for i := 1; i < len(at); i++ {
			if gap := at[i].Sub(at[i-1]); gap < want || gap > want+want/10 {
				t.Errorf("try %d came after %s, want %s and up to a tenth more", i+1, gap, want)
			}
			want = min(2*want, 5*time.Second)
		}
		if len(at) < 15 || len(at) > 20 {
			t.Errorf("%d tries in a minute", len(at))
		}
	})
}

// hopelessError is what a sink says of records that it can never store.
type hopelessError struct{}

func (hopelessError) Error() string   { return "no such time zone" }
func (hopelessError) Retryable() bool { return false }

func TestRefusedRecordHoldsNobodyUp(t *testing.T) {
	sink := newMemory()
	poison := func(records []aaa.Record) error {
		if slices.ContainsFunc(records, func(r aaa.Record) bool { return r.Session == "p" }) {
			return fmt.Errorf("write: %w", hopelessError{})
		}
		return nil
	}
	sink.fail(poison)
	cfg := quick(t, sink)
	s := mustOpen(t, cfg)
	var want []string
	for n := range 100 {
		name := fmt.Sprint("s", n)
		if n == 37 {
			name = "p"
		} else {
			want = append(want, name+" start 1")
		}
		s.Account(record(aaa.RecordStart, name, 1))
	}
	stop := start(t, s)
	drain(t, s)
	expect(t, sink.all(), want...)
	stop()
	if f := s.Stats(); f.Refused != 1 || f.Delivered != 99 {
		t.Errorf("%+v", f)
	}

	sink.fail(nil) // whoever mends the sink gets the record with the next start
	s = mustOpen(t, cfg)
	start(t, s)
	drain(t, s)
	if s.Stats().Refused != 0 || sink.newest["p"].Sequence != 2 {
		t.Errorf("%+v, %+v", s.Stats(), sink.newest["p"])
	}
}

func TestOrphansAreClosedWithTheLastCounters(t *testing.T) {
	sink := newMemory()
	cfg := quick(t, sink)
	s := mustOpen(t, cfg)
	stop := start(t, s)
	s.Account(record(aaa.RecordStart, "start delivered", 1))
	s.Account(record(aaa.RecordStart, "interim delivered", 1))
	s.Account(record(aaa.RecordStart, "interim waits", 1))
	s.Account(record(aaa.RecordStart, "over", 1))
	s.Account(record(aaa.RecordStart, "stop waits", 1))
	drain(t, s)
	s.Account(record(aaa.RecordInterim, "interim delivered", 2))
	s.Account(record(aaa.RecordStop, "over", 2))
	drain(t, s)
	sink.fail(func([]aaa.Record) error { return errors.New("away") })
	s.Account(record(aaa.RecordInterim, "interim waits", 2))
	s.Account(record(aaa.RecordStart, "start waits", 1))
	s.Account(record(aaa.RecordStop, "stop waits", 2))
	stop()

	s = mustOpen(t, cfg) // the database is still away
	if got := s.Stats(); got.Orphans != 4 || got.Open != 4 {
		t.Errorf("%+v", got)
	}
	stop = start(t, s)
	stop()
	sink.fail(nil)
	s = mustOpen(t, cfg)
	if got := s.Stats().Orphans; got != 0 {
		t.Errorf("%d sessions were closed twice", got)
	}
	start(t, s)
	drain(t, s)
	for session, last := range map[string]uint32{"start delivered": 1, "interim delivered": 2, "interim waits": 2, "start waits": 1} {
		got, want := sink.newest[session], record(aaa.RecordInterim, session, last)
		if got.Kind != aaa.RecordStop || got.Sequence != last+1 || got.Terminate != aaa.TerminateNASReboot || got.Reason == "" ||
			got.RxOctets != want.RxOctets || got.TxPackets != want.TxPackets || got.Account != want.Account || got.At.Before(want.At) {
			t.Errorf("%s: %+v", session, got)
		}
	}
	for _, session := range []string{"over", "stop waits"} {
		if got := sink.newest[session]; !same(got, record(aaa.RecordStop, session, 2)) {
			t.Errorf("%s: %+v", session, got)
		}
	}
	if s.Stats().Open != 0 {
		t.Errorf("%+v", s.Stats())
	}
}

func TestOrphanEndsWhenItsProcessWasLastAlive(t *testing.T) {
	alive := epoch.Add(time.Hour)
	got := closeOrphans([]aaa.Record{record(aaa.RecordStart, "a", 1), {Session: "b", At: epoch.Add(2 * time.Hour)}}, alive)
	if !got[0].At.Equal(alive) || !got[1].At.Equal(epoch.Add(2*time.Hour)) {
		t.Errorf("%s, %s", got[0].At, got[1].At)
	}
}

func TestSecondProcessIsRefused(t *testing.T) {
	cfg := quick(t, newMemory())
	mustOpen(t, cfg)
	_, err := Open(cfg)
	if !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), cfg.Path) {
		t.Errorf("%v", err)
	}
}

func TestFullDisk(t *testing.T) {
	sink := newMemory()
	log := &lines{}
	cfg := quick(t, sink)
	cfg.MaxBytes, cfg.Memory, cfg.Log = 64<<10, 400, slog.New(slog.NewTextHandler(log, nil))
	sink.fail(func([]aaa.Record) error { return errors.New("away") })
	s := mustOpen(t, cfg)
	n, full := 0, false
	for ; !full && n < 100_000; n++ {
		s.Account(record(aaa.RecordStart, fmt.Sprint("s", n), 1))
		full = s.flush() != nil
	}
	if !full || s.Stats().DiskFault == nil || s.Stats().Memory != 1 {
		t.Fatalf("after %d records: %+v", n, s.Stats())
	}
	for range 1000 {
		s.Account(record(aaa.RecordInterim, fmt.Sprint("s", n), 2))
		n++
	}
	if f := s.Stats(); f.Memory != 300 || f.Lost != 701 {
		t.Errorf("interims fill three quarters: %+v", f)
	}
	for range 1000 {
		s.Account(record(aaa.RecordStop, fmt.Sprint("s", n), 2))
		n++
	}
	if err := s.Take(record(aaa.RecordStop, "s0", 2)); !errors.Is(err, ErrRefused) { // no room either
		t.Error(err)
	}
	if f := s.Stats(); f.Memory != 400 || f.Lost != 701+901 {
		t.Errorf("starts and stops fill the rest: %+v", f)
	}
	if s.flush() == nil {
		t.Error("there was room on the disk")
	}
	expect(t, log.levels(), "ERROR", "ERROR") // the disk, and the first lost record

	sink.fail(nil) // what is delivered makes room
	start(t, s)
	drain(t, s)
	if got := s.Stats(); got.DiskFault != nil || got.Delivered != got.Accepted {
		t.Errorf("%+v", got)
	}
}

// TestDiskThatIsReallyFull delivers from a file system without a free block, with records of several sizes: how many pages
// are left when all sessions are open differs.
func TestDiskThatIsReallyFull(t *testing.T) {
	for _, octets := range []int{0, 24} {
		t.Run(fmt.Sprint(octets), func(t *testing.T) { fillDisk(t, octets) })
	}
}

func fillDisk(t *testing.T, octets int) {
	folder := t.TempDir()
	if err := unix.Mount("tmpfs", folder, "tmpfs", 0, "size=512k"); err != nil {
		if os.Getenv("LNSGATE_TEST_ALL") == "1" {
			t.Fatalf("mount: %v", err)
		}
		t.Skipf("needs the right to mount: %v", err)
	}
	t.Cleanup(func() { unix.Unmount(folder, unix.MNT_DETACH) })
	sink := newMemory()
	cfg := quick(t, sink)
	cfg.Path = filepath.Join(folder, "f")
	s := mustOpen(t, cfg)
	of := func(kind aaa.RecordKind, i int, sequence uint32) aaa.Record {
		r := record(kind, fmt.Sprint("s", i), sequence)
		r.Class = [][]byte{make([]byte, octets)}
		return r
	}
	n := 0
	for ; s.flush() == nil && n < 10_000; n++ {
		s.Account(of(aaa.RecordStart, n, 1))
	}
	if err := s.Stats().DiskFault; !errors.Is(err, unix.ENOSPC) {
		t.Fatalf("after %d records: %v", n, err)
	}
	for i := range n { // the sessions end while the disk is full
		s.Account(of(aaa.RecordStop, i, 2))
	}
	start(t, s)
	drain(t, s)
	if f := s.Stats(); f.DiskFault != nil || f.Lost != 0 || len(sink.all()) < 2*n || f.Open != 0 {
		t.Errorf("%+v", f)
	}
}

func TestCloseWritesWhatIsInMemory(t *testing.T) {
	sink := newMemory()
	cfg := quick(t, sink)
	s := mustOpen(t, cfg)
	s.Account(record(aaa.RecordStart, "a", 1))
	s.Account(record(aaa.RecordStop, "a", 2))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s.Account(record(aaa.RecordStart, "late", 1))
	if s.stats.Lost != 1 {
		t.Error("a record after the end was not counted")
	}
	s = mustOpen(t, cfg)
	start(t, s)
	drain(t, s)
	expect(t, sink.all(), "a start 1", "a stop 2")
}

func TestRecordWithoutSessionIsRefused(t *testing.T) {
	s := mustOpen(t, quick(t, newMemory()))
	s.Account(record(aaa.RecordStart, "", 1))
	s.Account(record(aaa.RecordStart, strings.Repeat("x", maxSession+1), 1))
	if f := s.Stats(); f.Lost != 2 || f.Memory != 0 {
		t.Errorf("%+v", f)
	}
}

// TestDamagedFileIsSetAside destroys the file in many ways: Open never fails, and never takes the process with it.
func TestDamagedFileIsSetAside(t *testing.T) {
	cfg := quick(t, newMemory())
	s := mustOpen(t, cfg)
	for n := range 500 {
		s.Account(record(aaa.RecordStart, fmt.Sprint("s", n), 1))
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(cfg.Path)
	if err != nil {
		t.Fatal(err)
	}
	page := os.Getpagesize()
	for at := 0; at < len(whole); at += page / 2 {
		cut := slices.Clone(whole[:at])
		zeroed := slices.Clone(whole)
		clear(zeroed[at:min(at+page/2, len(zeroed))])
		noise := slices.Clone(whole)
		for i := at; i < min(at+page/2, len(noise)); i++ {
			noise[i] ^= byte(i*7 + 1)
		}
		for name, content := range map[string][]byte{"cut": cut, "zeroed": zeroed, "noise": noise} {
			bad := cfg
			bad.Path = filepath.Join(t.TempDir(), "f")
			if err := os.WriteFile(bad.Path, content, 0o600); err != nil {
				t.Fatal(err)
			}
			s, err := Open(bad)
			if err != nil {
				t.Errorf("%s at %d of %d: %v", name, at, len(whole), err)
				continue
			}
			s.Account(record(aaa.RecordStart, "new", 1))
			if err := s.Close(); err != nil {
				t.Errorf("%s at %d: %v", name, at, err)
			}
		}
	}
}

// queue is what waits in the file.
func queue(t *testing.T, s *Spool) []string {
	t.Helper()
	items, err := s.store.head(1 << 20)
	if err != nil {
		t.Fatal(err)
	}
	var words []string
	for _, i := range items {
		words = append(words, word(i.record))
	}
	return words
}

func mustFlush(t *testing.T, s *Spool) {
	t.Helper()
	if err := s.flush(); err != nil {
		t.Fatal(err)
	}
}

func expect(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("\n got %v\nwant %v", got, want)
	}
}

// lines counts what is logged.
type lines struct{ text strings.Builder }

func (l *lines) Write(p []byte) (int, error) { return l.text.Write(p) }

func (l *lines) levels() []string {
	var levels []string
	for line := range strings.Lines(l.text.String()) {
		_, rest, _ := strings.Cut(line, "level=")
		level, _, _ := strings.Cut(rest, " ")
		levels = append(levels, level)
	}
	return levels
}

var _ Sink = (*memory)(nil)
