package spool

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"lnsgate/aaa"
)

// picky is a sink that stores records one by one and says of each what became of it.
type picky struct {
	mu    sync.Mutex
	fault func(aaa.Record) error
	got   []string
}

func (p *picky) Write(_ context.Context, records []aaa.Record) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	outcome := &PartialError{Errors: make([]error, len(records))}
	held := make(map[string]bool)
	for i, r := range records {
		if held[r.Session] {
			outcome.Errors[i] = errors.New("one before it is not stored")
			continue
		}
		if outcome.Errors[i] = p.fault(r); outcome.Errors[i] != nil {
			held[r.Session] = true
			continue
		}
		p.got = append(p.got, word(r))
	}
	if !slices.ContainsFunc(outcome.Errors, func(err error) bool { return err != nil }) {
		return nil
	}
	return outcome
}

func (p *picky) set(fault func(aaa.Record) error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fault = fault
}

func TestARecordThatIsNotTakenHoldsUpOnlyItsSession(t *testing.T) {
	sink := &picky{fault: func(r aaa.Record) error {
		if r.Session == "b" {
			return errors.New("the server does not like it")
		}
		return nil
	}}
	cfg := quick(t, sink)
	cfg.Batch = 3
	s := mustOpen(t, cfg)
	for _, session := range []string{"a", "b", "c", "d", "e"} {
		s.Account(record(aaa.RecordStart, session, 1))
		s.Account(record(aaa.RecordStop, session, 2))
	}
	start(t, s)
	wait := func(holds func(Stats) bool) {
		t.Helper()
		if err := s.await(t.Context(), func() bool {
			waiting, open, refused := s.store.figures()
			return holds(Stats{Waiting: waiting, Open: open, Refused: refused})
		}); err != nil {
			t.Fatal(err)
		}
	}
	wait(func(f Stats) bool { return f.Waiting == 2 && f.Open == 0 })
	if s.Stats().Delivered != 8 {
		t.Errorf("%+v", s.Stats())
	}
	sink.set(func(aaa.Record) error { return nil })
	drain(t, s)
	want := []string{"a start 1", "a stop 2", "c start 1", "c stop 2", "d start 1", "d stop 2", "e start 1", "e stop 2", "b start 1", "b stop 2"}
	if !slices.Equal(sink.got, want) {
		t.Errorf("%q", sink.got)
	}
}

// More records than fit in a batch are not taken: what comes behind them gets through.
func TestManyRecordsThatAreNotTakenHoldUpNobodyElse(t *testing.T) {
	sink := &picky{fault: func(r aaa.Record) error {
		if r.Session[0] == 'x' {
			return errors.New("the server does not like it")
		}
		return nil
	}}
	cfg := quick(t, sink)
	cfg.Batch = 3
	s := mustOpen(t, cfg)
	for _, session := range []string{"x1", "x2", "x3", "x4", "x5", "a", "b"} {
		s.Account(record(aaa.RecordStart, session, 1))
		s.Account(record(aaa.RecordStop, session, 2))
	}
	start(t, s)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := s.await(ctx, func() bool { waiting, _, _ := s.store.figures(); return waiting == 10 }); err != nil {
		t.Fatalf("%v: the sink got %q", err, sink.got)
	}
	sink.set(func(aaa.Record) error { return nil })
	drain(t, s)
	if n := len(sink.got); n != 14 || !slices.Equal(sink.got[:4], []string{"a start 1", "a stop 2", "b start 1", "b stop 2"}) {
		t.Errorf("%q", sink.got)
	}
}

func TestOneOfManyThatCanNeverBeStoredIsSetAside(t *testing.T) {
	sink := &picky{fault: func(r aaa.Record) error {
		if r.Session == "b" && r.Kind == aaa.RecordStart {
			return hopelessError{}
		}
		return nil
	}}
	s := mustOpen(t, quick(t, sink))
	for _, session := range []string{"a", "b", "c"} {
		s.Account(record(aaa.RecordStart, session, 1))
	}
	start(t, s)
	drain(t, s)
	if f := s.Stats(); f.Refused != 1 || f.Delivered != 2 || f.SinkFault != nil {
		t.Errorf("%+v", f)
	}
}

func TestPartialErrorCounts(t *testing.T) {
	err := &PartialError{Errors: []error{nil, errors.New("first"), errors.New("second")}}
	if got := err.Error(); !strings.Contains(got, "2 of 3") || !strings.Contains(got, "first") {
		t.Error(got)
	}
}

// TestSeveralInOneFolder has a spool for each place that records go to, side by side, over a crash.
func TestSeveralInOneFolder(t *testing.T) {
	folder := t.TempDir()
	open := func(name string, sink Sink) *Spool {
		cfg := quick(t, sink)
		cfg.Path = filepath.Join(folder, name+".spool")
		return mustOpen(t, cfg)
	}
	one, two := newMemory(), newMemory()
	first, second := open("hq", one), open("postgres", two)
	first.Account(granted(record(aaa.RecordStart, "a", 1)))
	second.Account(record(aaa.RecordStart, "b", 1))
	for _, s := range []*Spool{first, second} {
		if err := s.Close(); err != nil { // nothing was delivered: both died
			t.Fatal(err)
		}
	}
	first, second = open("hq", one), open("postgres", two)
	start(t, first)
	start(t, second)
	drain(t, first)
	drain(t, second)
	expect(t, one.all(), "a start 1", "a stop 2")
	expect(t, two.all(), "b start 1", "b stop 2")
	want := granted(record(aaa.RecordStart, "a", 1))
	if got := one.newest["a"]; got.Terminate != aaa.TerminateNASReboot || got.UserName != want.UserName || len(got.Class) != 2 || got.CallSerial != 5 {
		t.Errorf("the Stop of a session that was left open has all that its Start had: %+v", got)
	}
}
