package tun

import (
	"sync"
	"testing"

	"pgregory.net/rapid"

	"lnsgate/lns/datapath"
)

// departures offers packets to a rate for so many seconds and tells when each one that is carried leaves.
func departures(r *rate, octets, tries int, start, seconds int64) (at []int64, longest int64) {
	for i := range tries {
		now := start + seconds*1e9*int64(i)/int64(tries)
		switch due, v := r.admit(octets, now); v {
		case passes:
			at = append(at, now)
		case waits:
			at = append(at, due)
			longest = max(longest, due-now)
		}
	}
	return at, longest
}

func TestRateLetsTheBoundPassAndNoMore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		bits := rapid.Uint64Range(200_000, 10_000_000_000).Draw(t, "bits")
		octets := rapid.IntRange(40, 1500).Draw(t, "octets")
		var r rate
		r.set(bits)
		const start, seconds, tries = int64(1e18), 10, 4000 // twice the rate is offered, or as much as tries allow
		at, longest := departures(&r, octets, tries, start, seconds)
		if most := max(patienceTime, costOf(patienceOctets, bits)); longest > most {
			t.Fatalf("a packet waits %d ns, at most %d", longest, most)
		}
		passed := uint64(0)
		for i, when := range at {
			if i > 0 && when < at[i-1] {
				t.Fatalf("packet %d leaves before the one before it", i)
			}
			if when < start+seconds*1e9 {
				passed += uint64(octets)
			}
		}
		credit := max(bits/8/20, creditOctets)
		if most := bits*seconds/8 + credit + 2*uint64(octets); passed > most {
			t.Fatalf("%d octets passed, at most %d should", passed, most)
		}
		if least := min(uint64(tries*octets), bits*seconds/8) * 98 / 100; passed < least {
			t.Fatalf("%d octets passed, at least %d should", passed, least)
		}
	})
}

// With little offered nothing waits: a packet now and then, and a burst as long as the credit.
func TestRateLetsASilentSessionSpeakAtOnce(t *testing.T) {
	var r rate
	r.set(2_000_000)
	now := int64(1e18)
	for range creditOctets / 1000 {
		if _, v := r.admit(1000, now); v != passes {
			t.Fatal("a packet within the credit waits")
		}
	}
	now += 1e9
	for range 100 {
		if _, v := r.admit(1000, now); v != passes {
			t.Fatal("a packet below the rate waits")
		}
		now += 5e6 // 1.6 Mbit/s
	}
}

func TestRateBehindThoseThatWait(t *testing.T) {
	var r rate
	r.set(1_000_000)
	r.waiting.Add(1)
	if due, v := r.admit(100, 1e18); v != waits || due != 1e18 {
		t.Errorf("overtakes: %d, %d", due, v)
	}
	r.set(0)
	if _, v := r.admit(100, 1e18); v != waits {
		t.Errorf("overtakes when the bound is gone: %d", v)
	}
	r.waiting.Add(-1)
	if _, v := r.admit(100, 1e18); v != passes {
		t.Errorf("waits for nothing: %d", v)
	}
}

// A packet at 1 bit/s costs hours. They end when the rate changes.
func TestRateChangeForgetsAnEarlierOne(t *testing.T) {
	var r rate
	now := int64(1e18)
	r.change(1, now)
	for v := passes; v != over; {
		_, v = r.admit(1500, now)
	}
	now += 1e9
	r.change(1, now)
	if _, v := r.admit(1500, now); v != over {
		t.Fatalf("the same rate again is no change: %d", v)
	}
	r.change(1_000_000, now)
	if due, v := r.admit(1500, now+longestWait); v == over || due > now+longestWait {
		t.Errorf("a second after the change: %d, due in %d ns", v, due-now)
	}
}

func TestRateZeroIsNoBound(t *testing.T) {
	var r rate
	for range 1000 {
		if _, v := r.admit(65535, 1); v != passes {
			t.Fatal("a packet was held up")
		}
	}
}

func TestRateIsSharedByQueues(t *testing.T) {
	var r rate
	r.set(8_000_000) // a million octets per second
	var left [4]int
	var group sync.WaitGroup
	for i := range left {
		group.Go(func() {
			at, _ := departures(&r, 1000, 1000, 1e18, 1)
			for _, when := range at {
				if when < 1e18+1e9 {
					left[i] += 1000
				}
			}
		})
	}
	group.Wait()
	if sum := left[0] + left[1] + left[2] + left[3]; sum > 1_000_000+50_000+creditOctets+1000 {
		t.Errorf("%d octets passed in one second", sum)
	}
}

// Another data path pays at the same place: what it has carried is not carried again.
func TestRateIsKeptWhereAnotherPathKeepsIt(t *testing.T) {
	const now = int64(1e18)
	place := now + 10e6
	r := rate{lane: datapath.Lane{Paid: &place}}
	r.set(8_000_000)
	if due, v := r.admit(1000, now); v != waits || due != now+10e6 || place != now+11e6 {
		t.Errorf("due %d ns from now (%d), and the place says %d", due-now, v, place-now)
	}
	place = now - 20e6 // the other one was silent
	if _, v := r.admit(1000, now); v != passes || place != now-19e6 {
		t.Errorf("%d, and the place says %d", v, place-now)
	}
}
