package radius

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"layeh.com/radius"

	"lnsgate/aaa"
	"lnsgate/aaa/radius/client"
	"lnsgate/aaa/radius/wire"
)

// ledger is a server that is away at times, and loses answers. It keeps every request it took, by session and status.
type ledger struct {
	mu    sync.Mutex
	away  bool
	taken map[string]map[string]int // "s1 2" -> Event-Timestamp and counters -> how often
	order map[string][]uint32       // of a session: what came, repetitions left out
	lossy *rand.Rand
}

func (l *ledger) Exchange(ctx context.Context, r client.Request) (client.Reply, error) {
	p := radius.New(r.Code, []byte(testSecret))
	if err := r.Build(p); err != nil {
		return client.Reply{}, err
	}
	if !l.take(p) {
		<-ctx.Done() // as if it were repeated without an end
		return client.Reply{}, ctx.Err()
	}
	return client.Reply{Packet: p.Response(radius.CodeAccountingResponse), Server: "one"}, nil
}

// take reports whether an answer gets through.
func (l *ledger) take(p *radius.Packet) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.away {
		return false
	}
	session, status := string(p.Get(wire.TypeAcctSessionID)), binary.BigEndian.Uint32(p.Get(wire.TypeAcctStatusType))
	key := fmt.Sprint(session, " ", status)
	if l.taken[key] == nil {
		l.taken[key] = make(map[string]int)
	}
	event := fmt.Sprintf("%x %x", p.Get(wire.TypeEventTimestamp), p.Get(wire.TypeAcctInputOctets))
	if l.taken[key][event]++; l.taken[key][event] == 1 {
		l.order[session] = append(l.order[session], status)
	}
	return l.lossy.IntN(200) != 0
}

func (l *ledger) set(away bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.away = away
}

// TestAnOutageOfTenMinutes has 1,000 sessions come and go while no server answers, with our process ended in the middle of
// it: each Start has one Stop, whatever had to be repeated.
func TestAnOutageOfTenMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const sessions = 1000
		folder := t.TempDir()
		server := &ledger{taken: map[string]map[string]int{}, order: map[string][]uint32{}, lossy: rand.New(rand.NewPCG(1, 2))}
		recorder := func() *Recorder {
			return newRecorder(t, server, func(c *RecorderConfig) { c.OnOff, c.Since = true, time.Now() })
		}
		event := func(kind aaa.RecordKind, i int, sequence uint32) aaa.Record {
			r := record(kind, fmt.Sprint("s", i), sequence)
			r.Started, r.At, r.RxOctets = time.Now(), time.Now(), uint64(sequence)
			return r
		}
		s, stop := spooled(t, folder, recorder())
		for i := range sessions / 2 {
			s.Account(event(aaa.RecordStart, i, 1))
		}
		time.Sleep(time.Minute)
		server.set(true)
		for i := range sessions / 4 { // a quarter ends while nobody listens, a quarter goes on
			s.Account(event(aaa.RecordInterim, i, 2))
			s.Account(event(aaa.RecordStop, i, 3))
			s.Account(event(aaa.RecordInterim, sessions/4+i, 2))
		}
		time.Sleep(5 * time.Minute)
		stop() // and with it ends what goes on
		s, stop = spooled(t, folder, recorder())
		for i := sessions / 2; i < sessions; i++ {
			s.Account(event(aaa.RecordStart, i, 1))
			s.Account(event(aaa.RecordStop, i, 2))
		}
		time.Sleep(5 * time.Minute)
		server.set(false)
		if err := s.Drain(t.Context()); err != nil {
			t.Fatal(err)
		}
		stop()
		checkLedger(t, server, sessions)
	})
}

func checkLedger(t *testing.T, l *ledger, sessions int) {
	t.Helper()
	for i := range sessions {
		name := fmt.Sprint("s", i)
		starts, stops := l.taken[name+" 1"], l.taken[name+" 2"]
		if len(starts) != 1 || len(stops) != 1 {
			t.Errorf("%s has %d Starts and %d Stops: %v", name, len(starts), len(stops), l.order[name])
		}
		if order := l.order[name]; order[0] != statusStart || order[len(order)-1] != statusStop {
			t.Errorf("%s: %v", name, order)
		}
	}
	nodes := 0
	for name, order := range l.order {
		if name[0] == 'n' {
			nodes += len(order)
		}
	}
	if nodes != 2 {
		t.Errorf("%d Accounting-On of 2 processes", nodes)
	}
}
