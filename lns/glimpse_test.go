package lns

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"lnsgate/lns/control"
	"lnsgate/lns/l2tp"
	"lnsgate/lns/session"
)

// crowd is a server with sessions that nobody has dialled, a few in each tunnel.
func crowd(tunnels, each int) *Server {
	s := &Server{}
	for i := range tunnels {
		path := netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 51, byte(i >> 8), byte(i)}), 1701)
		t := &tunnel{server: s, id: l2tp.TunnelID(i + 1), group: &Group{}, core: control.New(control.Config{}), calls: make(map[l2tp.SessionID]*call)}
		t.path.Remote = path
		s.tunnels.byID[t.id].Store(t)
		for j := range each {
			c := &call{tunnel: t, id: l2tp.SessionID(j + 1), core: session.New(&session.Policy{}), template: "vt1", dueIndex: -1,
				request: l2tp.ICRQ{CallingNumber: fmt.Sprintf("line-%d-%d", i, j)}}
			t.calls[c.id] = c
		}
	}
	return s
}

func TestAGlimpseSeesIdleAndBusyTunnels(t *testing.T) {
	s := crowd(3, 2)
	busy := s.tunnels.all()[1]
	busy.mail.reading = true
	done := make(chan int)
	go func() {
		n := 0
		s.EachSession(context.Background(), func(*SessionHead) { n++ })
		done <- n
	}()
	var letters []letter
	for len(letters) == 0 {
		letters = busy.mail.take()
	}
	letters[0].deliver(busy, time.Now())
	if n := <-done; n != 6 {
		t.Errorf("%d of 6 are shown", n)
	}
	for _, o := range s.tunnels.all() {
		if o != busy && o.mail.reading {
			t.Error("a tunnel was not given back")
		}
	}
}

func TestATunnelThatDoesNotAnswerIsLeftOut(t *testing.T) {
	s := crowd(2, 1)
	s.tunnels.all()[0].mail.reading = true
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	n := 0
	s.EachSession(ctx, func(*SessionHead) { n++ })
	if n != 1 {
		t.Errorf("%d are shown", n)
	}
}

// TestWhatComesWhileAMailboxIsBorrowedIsRead has many borrow a mailbox while others post into it.
func TestWhatComesWhileAMailboxIsBorrowedIsRead(t *testing.T) {
	const posts = 2000
	tun := &tunnel{}
	tun.mail.readers = &crew{}
	defer tun.mail.readers.close()
	var read, reading int // of one at a time
	done := make(chan struct{})
	tun.mail.read = func() {
		for {
			if reading++; reading != 1 {
				t.Error("two read at once")
			}
			n := len(tun.mail.take())
			if read += n; n > 0 && read == posts {
				close(done)
			}
			reading--
			if tun.mail.rest() {
				return
			}
		}
	}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range posts / 4 {
				tun.mail.post(closeTunnel{}, false)
				if tun.mail.borrow() {
					if reading++; reading != 1 {
						t.Error("borrowed from a reader")
					}
					reading--
					tun.mail.giveBack()
				}
			}
		})
	}
	all.Wait()
	<-done
}

// page is what an operator's page needs: how many sessions match a search, and all about the first of them.
func page(s *Server, size int, wanted func(*SessionHead) bool) (total int, infos []SessionInfo) {
	var refs []SessionRef
	s.EachSession(context.Background(), func(h *SessionHead) {
		if wanted(h) {
			refs = append(refs, h.SessionRef)
		}
	})
	slices.SortFunc(refs, func(a, b SessionRef) int {
		return int(a.Tunnel)<<16 + int(a.Session) - int(b.Tunnel)<<16 - int(b.Session)
	})
	return len(refs), s.SessionInfos(context.Background(), refs[:min(size, len(refs))])
}

func TestAPageOfManyCopiesLittle(t *testing.T) {
	s := crowd(1000, 20)
	wanted := func(h *SessionHead) bool { return strings.Contains(h.CallingNumber, "line-9") }
	if total, infos := page(s, 100, wanted); total != 111*20 || len(infos) != 100 {
		t.Errorf("%d match, %d are shown", total, len(infos))
	}
	if n := testing.AllocsPerRun(3, func() { s.EachSession(context.Background(), func(*SessionHead) {}) }); n > 100 {
		t.Errorf("%.0f allocations to look at 20000 sessions", n)
	}
}

// BenchmarkPageOf100000 searches all for a page: about 0.1 s on two busy cores, however they are spread over tunnels.
func BenchmarkPageOf100000(b *testing.B) {
	for _, shape := range []struct{ tunnels, each int }{{60000, 1}, {2000, 50}, {2, 50000}} {
		b.Run(fmt.Sprintf("%dx%d", shape.tunnels, shape.each), func(b *testing.B) {
			s := crowd(shape.tunnels, shape.each)
			b.ReportAllocs()
			for b.Loop() {
				page(s, 100, func(h *SessionHead) bool { return strings.Contains(h.CallingNumber, "9-1") })
			}
		})
	}
}
