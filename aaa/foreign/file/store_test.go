package file

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"lnsgate/aaa"
	"lnsgate/aaa/boltfile"
	"lnsgate/aaa/foreign"
	"lnsgate/aaa/foreign/foreigntest"
	"lnsgate/pool"
)

func TestMain(m *testing.M) {
	if path := os.Getenv("LNSGATE_TEST_VICTIM"); path != "" {
		victim(path)
	}
	// What bbolt leaves behind when it panics over a damaged page.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("go.etcd.io/bbolt.(*DB).freepages.func2"))
}

func mustOpen(t testing.TB, path string) *Store {
	t.Helper()
	s, err := Open(Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestConformance(t *testing.T) {
	foreigntest.Run(t, func(t *testing.T) foreigntest.Rig {
		return foreigntest.Rig{Store: mustOpen(t, filepath.Join(t.TempDir(), "sessions"))}
	})
}

// reopening is a Store that is closed and opened before each call.
type reopening struct {
	t    *testing.T
	path string

	mu sync.Mutex
	s  *Store
}

func (r *reopening) with(act func(*Store)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.s != nil {
		if err := r.s.Close(); err != nil {
			r.t.Error(err)
		}
	}
	var err error
	if r.s, err = Open(Config{Path: r.path}); err != nil {
		r.t.Fatal(err)
	}
	act(r.s)
}

func (r *reopening) Find(ctx context.Context, q foreign.Query) (found []aaa.Record, err error) {
	r.with(func(s *Store) { found, err = s.Find(ctx, q) })
	return found, err
}

func (r *reopening) Put(ctx context.Context, rec aaa.Record) (err error) {
	r.with(func(s *Store) { err = s.Put(ctx, rec) })
	return err
}

func TestAllOfItIsInTheFile(t *testing.T) {
	r := &reopening{t: t, path: filepath.Join(t.TempDir(), "sessions")}
	ctx := t.Context()
	base := time.Now().Add(-time.Hour).Truncate(time.Second).UTC()
	var all []aaa.Record
	for n := range 5 {
		rec := foreigntest.Start("a", n, base.Add(time.Duration(n)*time.Second))
		if n == 2 {
			rec.Name, rec.NAS.PortID, rec.Session = "\xff\x00name", "\xfe", "a/\xfd" // peers type what they like
		}
		all = append(all, rec)
		if err := r.Put(ctx, rec); err != nil {
			t.Fatal(err)
		}
	}
	found, err := r.Find(ctx, foreign.Query{})
	if err != nil || !reflect.DeepEqual(found, all) {
		t.Errorf("found %+v, %v\nwant  %+v", found, err, all)
	}
	if err := r.Put(ctx, foreigntest.Stop(all[2], time.Minute)); err != nil {
		t.Fatal(err)
	}
	if err := r.Put(ctx, foreigntest.Interim(all[2], time.Minute)); !errors.Is(err, foreign.ErrEnded) {
		t.Errorf("a late record: %v", err)
	}
	if found, _ := r.Find(ctx, foreign.Query{}); len(found) != 4 {
		t.Errorf("%d sessions live", len(found))
	}
}

func TestOrdersOutliveTheProcessAndClaimsDoNot(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sessions")
	s := mustOpen(t, path)
	rec := foreigntest.Start("a", 1, time.Now())
	o := foreign.Order{Key: "k", Kind: foreign.Change, Session: rec, Terms: aaa.Terms{RateUp: 5}, Reason: "r", At: time.Now()}
	if err := s.Put(t.Context(), rec); err != nil {
		t.Fatal(err)
	}
	if ok, err := s.Order(t.Context(), o); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if orders, _ := s.Claim(t.Context(), time.Now().Add(time.Hour), 9, nil); len(orders) != 1 {
		t.Fatalf("claimed %+v", orders)
	}
	s.Close()
	s = mustOpen(t, path)
	orders, err := s.Claim(t.Context(), time.Now().Add(time.Hour), 9, nil)
	if err != nil || len(orders) != 1 || orders[0].Terms != o.Terms || orders[0].Session.NAS.PortID != rec.NAS.PortID {
		t.Fatalf("claimed %+v, %v", orders, err)
	}
	if err := s.Answer(t.Context(), orders[0], foreign.Answer{Done: true, OK: true, Text: "done"}); err != nil {
		t.Fatal(err)
	}
	s.Close()
	s = mustOpen(t, path)
	if h := s.History(9); len(h) != 1 || h[0].Answer.Text != "done" || h[0].Order.Tries != 1 {
		t.Errorf("history %+v", h)
	}
	if found, _ := s.Find(t.Context(), foreign.Query{}); len(found) != 1 || found[0].Terms.RateUp != 5 {
		t.Errorf("found %+v", found)
	}
	if ok, err := s.Order(t.Context(), o); ok || err != nil {
		t.Errorf("the same again: %v, %v", ok, err)
	}
}

func TestHistoryIsBounded(t *testing.T) {
	s := mustOpen(t, filepath.Join(t.TempDir(), "sessions"))
	s.db.NoSync = true
	var wait sync.WaitGroup
	for n := range 1200 {
		wait.Go(func() {
			rec := foreigntest.Start("a", n, time.Now())
			if err := s.Put(t.Context(), rec); err != nil {
				t.Error(err)
			}
			if _, err := s.Order(t.Context(), foreign.Order{Key: "k", Kind: foreign.Disconnect, Session: rec, At: time.Now()}); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	orders, _ := s.Claim(t.Context(), time.Now().Add(time.Minute), 2000, nil)
	for _, o := range orders {
		wait.Go(func() {
			if err := s.Answer(t.Context(), o, foreign.Answer{Done: true}); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if n := len(s.History(5000)); len(orders) != 1200 || n != 1000 {
		t.Errorf("%d orders, %d are remembered", len(orders), n)
	}
	path := s.config.Path
	s.Close()
	if n := len(mustOpen(t, path).History(5000)); n != 1000 {
		t.Errorf("%d are in the file", n)
	}
}

// What could not be written is not said to be, and is written as soon as that is possible.
func TestFileThatCannotBeWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sessions")
	s := mustOpen(t, path)
	rec := foreigntest.Start("a", 1, time.Now().Truncate(time.Second).UTC())
	good := s.db
	closed := mustOpen(t, filepath.Join(t.TempDir(), "other"))
	closed.Close()
	s.db = closed.db
	for range 2 {
		if err := s.Put(t.Context(), rec); err == nil {
			t.Fatal("it says that it is written")
		}
	}
	s.db = good
	if err := s.Put(t.Context(), rec); err != nil {
		t.Fatal(err)
	}
	s.Close()
	if found, _ := mustOpen(t, path).Find(t.Context(), foreign.Query{}); len(found) != 1 {
		t.Errorf("found %+v", found)
	}
}

func TestDamagedFileIsSetAside(t *testing.T) {
	for _, damage := range [][]byte{[]byte("this is no such file"), make([]byte, 1<<16)} {
		folder := t.TempDir()
		path := filepath.Join(folder, "sessions")
		if err := os.WriteFile(path, damage, 0o600); err != nil {
			t.Fatal(err)
		}
		s := mustOpen(t, path)
		if err := s.Put(t.Context(), foreigntest.Start("a", 1, time.Now())); err != nil {
			t.Error(err)
		}
		aside, _ := filepath.Glob(path + ".damaged-*")
		if len(aside) != 1 {
			t.Errorf("set aside are %v", aside)
		}
	}
	path := filepath.Join(t.TempDir(), "sessions")
	mustOpen(t, path)
	if _, err := Open(Config{Path: path}); !errors.Is(err, boltfile.ErrInUse) {
		t.Errorf("a second: %v", err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
}

func TestOffersOutliveTheProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sessions")
	now := time.Now()
	clock := func() time.Time { return now }
	open := func() *Store {
		s, err := Open(Config{Path: path, Now: clock})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := open()
	lease := func(n int, after time.Duration) pool.Lease {
		return pool.Lease{Address: netip.AddrFrom4([4]byte{10, 0, 0, byte(n)}), Pool: "p", Account: "a", Holder: fmt.Sprint(n), Expires: now.Add(after)}
	}
	for n := range 4 {
		if err := s.Offered(t.Context(), lease(n, time.Duration(n)*time.Minute+time.Second)); err != nil {
			t.Fatal(err)
		}
	}
	s.Close()
	raw, _ := os.ReadFile(path + ".offers")
	if err := os.WriteFile(path+".offers", raw[:len(raw)-10], 0o600); err != nil { // a cut in the last
		t.Fatal(err)
	}
	now = now.Add(time.Minute)
	s = open()
	defer s.Close()
	offers, err := s.Offers(t.Context())
	if err != nil || len(offers) != 2 || offers[0].Holder != "1" || offers[1].Holder != "2" || !offers[1].Expires.After(now) {
		t.Errorf("%+v, %v", offers, err)
	}
	s.offers.most = 1 << 16
	for range 1000 {
		if err := s.Offered(t.Context(), lease(9, 0)); err != nil {
			t.Fatal(err)
		}
	}
	if info, _ := os.Stat(path + ".offers"); info.Size() > 1<<16+1000 {
		t.Errorf("the file of offers has %d octets", info.Size())
	}
}

func BenchmarkPut(b *testing.B) {
	s := mustOpen(b, filepath.Join(b.TempDir(), "sessions"))
	var n atomic.Int64
	b.SetParallelism(256)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			i := int(n.Add(1))
			rec := foreigntest.Start("a", i%20000, time.Now())
			if err := s.Put(context.Background(), foreigntest.Interim(rec, time.Duration(i)*time.Second)); err != nil {
				b.Error(err)
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
}

// What JSON has no words for is left out, and holds up nobody else.
func TestASessionThatCannotBeWrittenDownHoldsUpNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sessions")
	var told strings.Builder
	s, err := Open(Config{Path: path, Log: slog.New(slog.NewTextHandler(&told, nil))})
	if err != nil {
		t.Fatal(err)
	}
	base := time.Now().Add(-time.Hour).Truncate(time.Second).UTC()
	before, odd, after := foreigntest.Start("a", 1, base), foreigntest.Start("a", 2, base), foreigntest.Start("a", 3, base)
	odd.Started = time.Date(20_000, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, r := range []aaa.Record{before, odd, after, foreigntest.Interim(before, time.Minute)} {
		if err := s.Put(t.Context(), r); err != nil {
			t.Errorf("%s: %v", r.Session, err)
		}
	}
	if !strings.Contains(told.String(), odd.Session) {
		t.Errorf("nobody is told of it: %s", &told)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	found, err := mustOpen(t, path).Find(t.Context(), foreign.Query{})
	if err != nil || len(found) != 2 || found[0].Session != before.Session || found[0].Sequence != 62 || found[1].Session != after.Session {
		t.Errorf("in the file are %+v: %v", found, err)
	}
}
