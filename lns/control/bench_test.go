package control

import (
	"runtime"
	"testing"
	"time"

	"lnsgate/lns/l2tp"
)

// idle is what an established tunnel with one call holds, in octets of heap.
func idle(b testing.TB, n int) float64 {
	var before, after runtime.MemStats
	keep := make([]*Tunnel, 0, n)
	runtime.GC()
	runtime.ReadMemStats(&before)
	for range n {
		s := idleWithCall(b)
		s.tun.Deadline()
		keep = append(keep, s.tun)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	runtime.KeepAlive(keep)
	return float64(after.HeapAlloc-before.HeapAlloc) / float64(n)
}

func idleWithCall(t testing.TB) *script {
	s := newScript(t, Config{HelloInterval: time.Minute})
	s.say(0, goodSCCRQ)
	s.say(0, l2tp.SCCCN{})
	s.say(0, l2tp.ICRQ{AssignedSession: 3})
	s.do(func(now time.Time, out *Out) { s.err = s.tun.AcceptCall(1, 3, now, out) })
	s.say(1, l2tp.ICCN{TxSpeed: 1})
	return s
}

func TestMemoryOfThousandsOfIdleTunnels(t *testing.T) {
	if got := idle(t, 2000); got > 2048 {
		t.Errorf("%.0f octets per idle tunnel with one call, want less than 2048", got)
	} else {
		t.Logf("%.0f octets per idle tunnel with one call", got)
	}
}

// BenchmarkLogin is the control part of a login and logout, both ends.
func BenchmarkLogin(b *testing.B) {
	b.ReportAllocs()
	for range b.N {
		p := newPair(b, Config{}, Config{})
		p.dial()
		p.place(1)
		p.do(p.lac, func(now time.Time, out *Out) { p.lac.Close(l2tp.ResultCode{Result: 6}, now, out) })
		p.settle()
	}
}

// BenchmarkCallInAFullTunnel is one more call where thousands are up.
func BenchmarkCallInAFullTunnel(b *testing.B) {
	p := newPair(b, Config{}, Config{})
	p.dial()
	for id := range l2tp.SessionID(10000) {
		p.place(id + 1)
	}
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		p.lns.nextID = 40000
		p.place(30000)
		p.do(p.lac, func(now time.Time, out *Out) { p.lac.CloseCall(30000, l2tp.ResultCode{Result: 3}, now, out) })
		p.settle()
	}
}
