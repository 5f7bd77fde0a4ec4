package negotiate

import (
	"slices"
	"testing"
	"time"
	"unsafe"

	"lnsgate/lns/ppp"

	"pgregory.net/rapid"
)

// The round trip is that of the request that is answered; a request without an answer is lost once the next one leaves.
func TestQualityOfALine(t *testing.T) {
	l := serverLCP()
	openedLCP(t, l)
	var out Out
	ask := func() (id uint8, at time.Time) {
		t.Helper()
		at = tick(t, l, &out)
		return last(t, &out).Identifier, at
	}
	id, at := ask()
	l.Receive(packet(ppp.EchoReply, id, 9, 9, 9, 9), at.Add(20*time.Millisecond), &out)
	l.Receive(packet(ppp.EchoReply, id, 9, 9, 9, 9), at.Add(90*time.Millisecond), &out) // once more
	ask()
	stale, _ := ask()
	id, at = ask()
	l.Receive(packet(ppp.EchoReply, stale, 9, 9, 9, 9), at.Add(time.Millisecond), &out) // of the one before
	l.Receive(packet(ppp.EchoReply, id, 9, 9, 9, 9), at.Add(100*time.Millisecond), &out)
	ask() // on its way
	q := l.Quality()
	want := []time.Duration{20 * time.Millisecond, Unanswered, Unanswered, 100 * time.Millisecond}
	if got := q.Recent(); q.Sent != 5 || q.Lost != 2 || !slices.Equal(got, want) || q.Smoothed != 30*time.Millisecond {
		t.Errorf("%d sent, %d lost, smoothed %v, %v", q.Sent, q.Lost, q.Smoothed, got)
	}
	if last, shortest, longest := q.Bounds(); last != 100*time.Millisecond || shortest != 20*time.Millisecond || longest != 100*time.Millisecond {
		t.Errorf("%v, %v to %v", last, shortest, longest)
	}
}

func TestQualityOfALineThatDies(t *testing.T) {
	l := serverLCP()
	openedLCP(t, l)
	var out Out
	for range 4 {
		tick(t, l, &out)
	}
	q := l.Quality()
	if l.Reason() != EchoTimeout || q.Sent != 3 || q.Lost != 3 || len(q.Recent()) != 3 {
		t.Errorf("%v: %d sent, %d lost", l.Reason(), q.Sent, q.Lost)
	}
	if last, shortest, longest := q.Bounds(); last+shortest+longest+q.Smoothed != 0 {
		t.Errorf("%v, %v to %v, %v", last, shortest, longest, q.Smoothed)
	}
}

// A peer that does not know echoes has no line that is lost.
func TestQualityOfAPeerWithoutEchoes(t *testing.T) {
	l := serverLCP()
	openedLCP(t, l)
	var out Out
	at := tick(t, l, &out)
	l.Receive(packet(ppp.CodeReject, 1, byte(ppp.EchoRequest), 1, 0, 8, 1, 1, 1, 1), at, &out)
	if q := l.Quality(); q != (Quality{}) {
		t.Errorf("%+v", q)
	}
}

func TestRecentKeepsTheLast(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var w echoWatch
		var want []time.Duration
		now := start
		for range rapid.IntRange(0, 100).Draw(t, "requests") {
			w.asked(now)
			trip := rapid.SampledFrom([]time.Duration{Unanswered, 0, time.Millisecond, time.Second, time.Hour}).Draw(t, "trip")
			if trip == Unanswered {
				w.gaveUp()
			} else {
				w.answered(now.Add(trip))
			}
			want = append(want, trip)
			if trip == 0 {
				want[len(want)-1] = sampleStep
			} else if trip == time.Hour {
				want[len(want)-1] = (1<<16 - 1) * sampleStep
			}
			now = now.Add(10 * time.Second)
		}
		if got := w.quality.Recent(); !slices.Equal(got, want[max(0, len(want)-samples):]) || int(w.quality.Sent) != len(want) {
			t.Fatalf("%v, want %v", got, want)
		}
	})
}

// It is in the memory of every session.
func TestQualityIsSmall(t *testing.T) {
	if n := unsafe.Sizeof(echoWatch{}); n > 128 {
		t.Errorf("%d octets", n)
	}
}
