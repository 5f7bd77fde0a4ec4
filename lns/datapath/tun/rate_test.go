package tun

import (
	"sync"
	"testing"

	"pgregory.net/rapid"
)

func TestRateLetsTheBoundPassAndNoMore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		bits := rapid.Uint64Range(8_000, 10_000_000_000).Draw(t, "bits")
		octets := rapid.IntRange(40, 1500).Draw(t, "octets")
		var r rate
		r.set(bits)
		const seconds = 20
		passed, now := uint64(0), int64(1e18)
		tries := 4000
		for range tries { // twice the rate is offered, or as much as tries allow
			if r.allow(octets, now) {
				passed += uint64(octets)
			}
			now += seconds * 1e9 / int64(tries)
		}
		offered := uint64(tries * octets)
		allowed := bits/8*seconds + bits/8/5 + burstOctets + uint64(octets)
		if passed > allowed {
			t.Fatalf("%d octets passed, %d are allowed", passed, allowed)
		}
		if want := min(offered, bits/8*seconds*9/10); passed < want {
			t.Fatalf("%d octets passed, at least %d should", passed, want)
		}
	})
}

func TestRateZeroIsNoBound(t *testing.T) {
	var r rate
	for range 1000 {
		if !r.allow(65535, 1) {
			t.Fatal("a packet was dropped")
		}
	}
}

func TestRateIsSharedByQueues(t *testing.T) {
	var r rate
	r.set(8_000_000) // a million octets per second
	var passed [4]int
	var group sync.WaitGroup
	for i := range passed {
		group.Go(func() {
			for k := range 1000 {
				if r.allow(1000, 1e18+int64(k)*1e6) {
					passed[i] += 1000
				}
			}
		})
	}
	group.Wait()
	if sum := passed[0] + passed[1] + passed[2] + passed[3]; sum > 1_000_000+200_000+burstOctets {
		t.Errorf("%d octets passed in one second", sum)
	}
}
