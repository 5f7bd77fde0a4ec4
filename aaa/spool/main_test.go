package spool

import (
	"context"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"lnsgate/aaa"
)

func TestMain(m *testing.M) {
	// What bbolt leaves behind when it panics over a damaged page.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("go.etcd.io/bbolt.(*DB).freepages.func2"))
}

var epoch = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// record makes a complete record; its figures tell session and sequence.
func record(kind aaa.RecordKind, session string, sequence uint32) aaa.Record {
	r := aaa.Record{
		Kind: kind, Session: session, Sequence: sequence, Node: "n1", Started: epoch, At: epoch.Add(time.Duration(sequence) * time.Minute),
		Name: "alice@sales.example", Account: "alice@sales.example", Domain: "sales.example", Method: aaa.MSCHAPv2, Backend: "postgres",
		Address: netip.MustParseAddr("10.20.0.7"), Pool: "sales", VirtualTemplate: "vt1",
		Peer: netip.MustParseAddrPort("198.51.100.7:1701"), Local: netip.MustParseAddr("192.0.2.1"), TunnelName: "laptop",
		LocalTunnel: 1, RemoteTunnel: 2, LocalSession: 3, RemoteSession: 4, CallingNumber: "555", CalledNumber: "556",
		RxPackets: uint64(sequence), RxOctets: uint64(sequence) * 1000, TxPackets: uint64(sequence) * 2, TxOctets: uint64(sequence) * 3000,
	}
	if kind == aaa.RecordStop {
		r.Terminate, r.Reason = aaa.TerminateUserRequest, "the peer hung up"
	}
	return r
}

// memory is a sink that a test can look into and make fail.
type memory struct {
	mu       sync.Mutex
	calls    [][]aaa.Record // of those that succeeded
	newest   map[string]aaa.Record
	fault    func([]aaa.Record) error
	received chan struct{} // a token for each call, whatever came of it
}

func newMemory() *memory {
	return &memory{newest: make(map[string]aaa.Record), received: make(chan struct{}, 1<<16)}
}

func (m *memory) Write(ctx context.Context, records []aaa.Record) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	defer func() {
		select {
		case m.received <- struct{}{}:
		default:
		}
	}()
	if m.fault != nil {
		if err := m.fault(records); err != nil {
			return err
		}
	}
	m.store(records)
	return ctx.Err()
}

func (m *memory) store(records []aaa.Record) {
	m.calls = append(m.calls, slices.Clone(records))
	for _, r := range records {
		if m.newest[r.Session].Sequence < r.Sequence {
			m.newest[r.Session] = r
		}
	}
}

func (m *memory) fail(fault func([]aaa.Record) error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fault = fault
}

// all answers what was stored, in order.
func (m *memory) all() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var words []string
	for _, records := range m.calls {
		for _, r := range records {
			words = append(words, word(r))
		}
	}
	return words
}

func word(r aaa.Record) string { return fmt.Sprintf("%s %s %d", r.Session, r.Kind, r.Sequence) }

// quick is a configuration that does not wait.
func quick(t testing.TB, sink Sink) Config {
	t.Helper()
	return Config{
		Path: filepath.Join(t.TempDir(), "accounting.spool"), Sink: sink,
		Gather: time.Microsecond, Pace: time.Microsecond, RetryMin: time.Microsecond, RetryMax: time.Millisecond,
	}
}

func mustOpen(t testing.TB, cfg Config) *Spool {
	t.Helper()
	s, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// start runs the spool; the function stops and closes it.
func start(t testing.TB, s *Spool) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); s.Run(ctx) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			<-ended
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	t.Cleanup(stop)
	return stop
}

func drain(t testing.TB, s *Spool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := s.Drain(ctx); err != nil {
		t.Fatalf("%v: %+v", err, s.Stats())
	}
}

// discard is a sink that keeps nothing.
type discard struct{ calls, records int }

func (d *discard) Write(_ context.Context, records []aaa.Record) error {
	d.calls++
	d.records += len(records)
	return nil
}
