package transport

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var testKeys = hashKeys{0x0123456789abcdef, 0xfedcba9876543210}

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func at(d time.Duration) time.Time { return epoch.Add(d) }

// allowed counts how many of n requests at one time are admitted, and tells the last refusal.
func allowed(a *Admission, addr string, now time.Duration, n int) (admitted int, last Refusal) {
	for range n {
		ok, refusal := a.Allow(netip.AddrPortFrom(netip.MustParseAddr(addr), 1701), 1, at(now))
		if ok {
			admitted++
		} else {
			last = refusal
		}
	}
	return admitted, last
}

func TestSourceBudget(t *testing.T) {
	a := newAdmission(AdmissionConfig{Source: Budget{10, 5}}, testKeys)
	for _, c := range []struct {
		addr string
		now  time.Duration
		want int
	}{
		{"192.0.2.1", 0, 5},
		{"192.0.2.2", 0, 5},
		{"::ffff:192.0.2.2", 0, 0}, // the same
		{"192.0.2.1", 99 * time.Millisecond, 0},
		{"192.0.2.1", 100 * time.Millisecond, 1},
		{"192.0.2.1", 400 * time.Millisecond, 3},
		{"192.0.2.1", time.Hour, 5},
		{"2001:db8::1", time.Hour, 5},
		{"2001:db8::2", time.Hour, 0},
		{"2001:db8:0:1::1", time.Hour, 5},
	} {
		if got, last := allowed(a, c.addr, c.now, 20); got != c.want || last != OverSource {
			t.Errorf("%s at %v: %d of 20 admitted, the last one %v; want %d", c.addr, c.now, got, last, c.want)
		}
	}
}

func TestNetworkBudget(t *testing.T) {
	a := newAdmission(AdmissionConfig{Source: Budget{10, 5}, Network: Budget{10, 8}}, testKeys)
	for _, c := range []struct {
		addr string
		want int
		last Refusal
	}{
		{"192.0.2.1", 5, OverSource}, {"192.0.2.2", 3, OverNetwork}, {"192.0.2.3", 0, OverNetwork},
		{"192.0.3.1", 5, OverSource},
		{"2001:db8:1::1", 5, OverSource}, {"2001:db8:1:1::1", 3, OverNetwork}, {"2001:db8:2::1", 5, OverSource},
	} {
		if got, last := allowed(a, c.addr, 0, 20); got != c.want || last != c.last {
			t.Errorf("%s: %d admitted, then %v; want %d, then %v", c.addr, got, last, c.want, c.last)
		}
	}
}

func TestNegativeRateMeansNoLimit(t *testing.T) {
	none := Budget{Rate: -1}
	a := newAdmission(AdmissionConfig{Source: none, Network: none, Total: none}, testKeys)
	if got, _ := allowed(a, "192.0.2.1", 0, 100000); got != 100000 {
		t.Errorf("%d admitted", got)
	}
}

func TestWhoIsTurnedAwayByTheTotalGetsInByRepeating(t *testing.T) {
	cfg := AdmissionConfig{Total: Budget{0.001, 3}, Repeat: Budget{0.001, 2}}
	a := newAdmission(cfg, testKeys)
	for _, c := range []struct {
		addr string
		now  time.Duration
		want Refusal
	}{
		{"10.0.0.1", 0, Admitted}, {"10.0.1.1", 0, Admitted}, {"10.0.2.1", 0, Admitted},
		{"10.0.3.1", 0, OverTotal},
		{"10.0.4.1", 0, OverTotal},
		{"10.0.3.1", time.Second, AdmittedAgain},
		{"10.0.4.1", 9 * time.Second, OverTotal}, // too late: forgotten
		{"10.0.4.1", 12 * time.Second, AdmittedAgain},
		{"10.0.4.1", 13 * time.Second, OverRepeat},
		{"10.0.4.1", time.Hour, Admitted}, // the total has recovered
	} {
		if _, got := a.Allow(netip.AddrPortFrom(netip.MustParseAddr(c.addr), 1701), 1, at(c.now)); got != c.want {
			t.Errorf("%s at %v: %v, want %v", c.addr, c.now, got, c.want)
		}
	}
	stats := a.Stats()
	if stats.Admitted != 6 || stats.Refused["over_total_budget"] != 3 || stats.Refused["over_repeat_budget"] != 1 {
		t.Errorf("stats: %+v", stats)
	}
}

func TestFloodFromOneNetworkLeavesOthersAlone(t *testing.T) {
	a := newAdmission(AdmissionConfig{}, testKeys)
	admitted, quiet := 0, 0
	const rate, seconds = 100000, 5
	for i := range rate * seconds {
		now := time.Duration(i) * time.Second / rate
		if ok, _ := a.Allow(netip.AddrPortFrom(netip.AddrFrom4([4]byte{203, 0, 113, byte(i)}), 1701), 1, at(now)); ok {
			admitted++
		}
		if i%(rate/20) == 0 { // a quiet peer uses exactly its 20 per second
			if ok, why := a.Allow(netip.AddrPortFrom(netip.MustParseAddr("198.51.100.7"), 1701), 1, at(now)); !ok {
				t.Fatalf("the quiet peer is refused at %v: %v", now, why)
			}
			quiet++
		}
	}
	if most := 1000 + 100*seconds; admitted > most || admitted < most-1 {
		t.Errorf("%d of the flood admitted, want the network's budget of %d", admitted, most)
	}
	if got, _ := allowed(a, "198.51.100.8", seconds*time.Second, 300); got != 200 {
		t.Errorf("a new peer has %d of its 200 at once; the quiet one had %d", got, quiet)
	}
}

// A flood of 200,000 requests a second, each from a forged address, of the whole Internet or of one network of four million:
// of 2,000 new peers that repeat after 1 and 2 seconds as L2TP does, at least 99 % get in by the second request, and all by
// the third.
func TestFloodOfForgedAddressesLetsNewPeersIn(t *testing.T) {
	for name, forge := range map[string]func(*rand.Rand) uint32{
		"everywhere":  func(chance *rand.Rand) uint32 { return chance.Uint32() },
		"one network": func(chance *rand.Rand) uint32 { return 100<<24 | 64<<16 | chance.Uint32()>>10 },
	} {
		t.Run(name, func(t *testing.T) { floodAdmission(t, forge) })
	}
}

func floodAdmission(t *testing.T, forge func(*rand.Rand) uint32) {
	a := newAdmission(AdmissionConfig{}, testKeys)
	chance := rand.New(rand.NewPCG(1, 2))
	const rate, seconds, peers = 200000, 6, 2000
	waiting := make([]int, peers) // the millisecond of the next request; -1 when admitted
	tries := make([]int, peers)
	for i := range waiting {
		waiting[i] = 500 + i
	}
	var inBy [4]int
	forged := 0
	for ms := range seconds * 1000 {
		now := at(time.Duration(ms) * time.Millisecond)
		for range rate / 1000 {
			var b [4]byte
			binary.BigEndian.PutUint32(b[:], forge(chance))
			u := chance.Uint32()
			if ok, _ := a.Allow(netip.AddrPortFrom(netip.AddrFrom4(b), uint16(u)), uint16(u>>16), now); ok {
				forged++
			}
		}
		for i := range waiting {
			if waiting[i] != ms {
				continue
			}
			peer := netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 1})
			ok, _ := a.Allow(netip.AddrPortFrom(peer, 1701), 1, now)
			if waiting[i] += 1000 << tries[i]; ok {
				waiting[i] = -1
				for n := tries[i] + 1; n < len(inBy); n++ {
					inBy[n]++
				}
			}
			tries[i]++
		}
	}
	t.Logf("in by request 1, 2, 3: %v of %d; %d forged ones admitted in %d s", inBy[1:], peers, forged, seconds)
	if inBy[2] < peers*99/100 || inBy[3] != peers {
		t.Errorf("in by request 1, 2, 3: %v of %d", inBy[1:], peers)
	}
	if most := 5000*(seconds+1) + 2500*(seconds+1); forged > most {
		t.Errorf("%d forged requests admitted, more than all budgets together (%d)", forged, most)
	}
}

// Who has used up its budget does not get a new one by having forged addresses push it out of the table.
func TestAFloodDoesNotWashUsedBudgetsAway(t *testing.T) {
	a := newAdmission(AdmissionConfig{Source: Budget{0.1, 100}, Network: Budget{0.1, 100}, Total: Budget{Rate: -1},
		Slots: 64}, testKeys)
	if got, _ := allowed(a, "192.0.2.1", 0, 200); got != 100 {
		t.Fatalf("%d admitted", got)
	}
	chance := rand.New(rand.NewPCG(1, 2))
	for i := range 100000 {
		var b [4]byte
		binary.BigEndian.PutUint32(b[:], chance.Uint32())
		a.Allow(netip.AddrPortFrom(netip.AddrFrom4(b), 1701), 1, at(time.Duration(i)*10*time.Microsecond))
	}
	if got, _ := allowed(a, "192.0.2.1", time.Second, 100); got != 0 {
		t.Errorf("%d admitted", got)
	}
}

func TestAdmissionDoesNotAllocateOrGrow(t *testing.T) {
	a := newAdmission(AdmissionConfig{Slots: 1000, Total: Budget{1, 1}}, testKeys)
	if len(a.source.slots) != 1024 {
		t.Errorf("%d slots", len(a.source.slots))
	}
	chance := rand.New(rand.NewPCG(1, 2))
	allocate := func() {
		var b [16]byte
		binary.BigEndian.PutUint64(b[:], chance.Uint64())
		a.Allow(netip.AddrPortFrom(netip.AddrFrom16(b), 1701), 1, epoch)
	}
	allocate()
	allocate() // the memory of those turned away
	if n := testing.AllocsPerRun(10000, allocate); n != 0 {
		t.Errorf("%v allocations for each request", n)
	}
}

func TestAdmissionIsSafeForConcurrentUse(t *testing.T) {
	a := NewAdmission(AdmissionConfig{Source: Budget{0.001, 100}})
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 100 {
				a.Allow(netip.AddrPortFrom(netip.MustParseAddr("192.0.2.1"), 1701), 1, epoch)
				a.Stats()
			}
		})
	}
	all.Wait()
	if stats := a.Stats(); stats.Admitted != 100 || stats.Refused["over_source_budget"] != 300 {
		t.Errorf("stats: %+v", stats)
	}
}

// Whatever comes when, no source gets more than its budget, even if time stands still or goes back.
func TestNoSourceGetsMoreThanItsBudget(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		burst := rapid.IntRange(1, 20).Draw(t, "burst")
		a := newAdmission(AdmissionConfig{Source: Budget{10, burst}, Slots: 64}, testKeys)
		now, latest, admitted := time.Duration(0), time.Duration(0), 0
		a.started = epoch
		for range rapid.IntRange(1, 200).Draw(t, "requests") {
			now += time.Duration(rapid.IntRange(-50, 100).Draw(t, "ms")) * time.Millisecond
			latest = max(latest, now)
			if ok, _ := a.Allow(netip.AddrPortFrom(netip.MustParseAddr("192.0.2.1"), 1701), 1, at(now)); ok {
				admitted++
			}
		}
		if most := burst + int(latest/(100*time.Millisecond)); admitted > most {
			t.Fatalf("%d admitted until %v, more than %d", admitted, latest, most)
		}
	})
}

func TestOddBudgetsAndAddressesDoNoHarm(t *testing.T) {
	for _, b := range []Budget{{1e-300, 1 << 30}, {1e300, 1 << 30}, {1e300, -5}, {0, 1}, {1, 0}} {
		a := newAdmission(AdmissionConfig{Source: b, Network: b, Total: b, Repeat: b, Slots: 1}, testKeys)
		for i := range 100 {
			a.Allow(netip.AddrPortFrom(netip.Addr{}, 1701), 1, at(time.Duration(i)*time.Hour))
			a.Allow(netip.AddrPortFrom(netip.MustParseAddr("fe80::1%7"), 1701), 1, at(-time.Duration(i)*time.Hour))
		}
		if a.Stats().Admitted == 0 {
			t.Errorf("%v admits nothing at all", b)
		}
	}
}

func TestRefusalString(t *testing.T) {
	for r, want := range map[Refusal]string{Admitted: "admitted", OverSource: "over_source_budget",
		OverNetwork: "over_network_budget", OverTotal: "over_total_budget", OverRepeat: "over_repeat_budget", 9: "Refusal(9)"} {
		if r.String() != want {
			t.Errorf("got %s, want %s", r, want)
		}
	}
}

func BenchmarkAdmission(b *testing.B) {
	a := newAdmission(AdmissionConfig{}, testKeys)
	i := uint32(0)
	for b.Loop() {
		i += 0x9e3779b9
		var octets [4]byte
		binary.BigEndian.PutUint32(octets[:], i)
		a.Allow(netip.AddrPortFrom(netip.AddrFrom4(octets), 1701), 1, epoch.Add(time.Duration(i)))
	}
}
