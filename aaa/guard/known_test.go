package guard

import (
	"net/netip"
	"testing"
	"time"

	"lnsgate/aaa"
)

const home, elsewhere = "192.0.2.1", "198.51.100.7"

// TestStrangersDoNotKeepOutWhoIsKnown, neither by delays nor by a ban, wherever they come from.
func TestStrangersDoNotKeepOutWhoIsKnown(t *testing.T) {
	bans := newBans(t, Policy{AccountFailures: 8, AccountTime: time.Hour})
	g := newGuardian(Config{Bans: bans, MaxDelay: time.Second})
	if !g.try(t, "ann", home, nil) {
		t.Fatal("not asked")
	}
	for range 6 {
		g.try(t, "ann", elsewhere, wrong)
	}
	if g.try(t, "ann", "198.51.100.8", nil) {
		t.Error("a stranger is not delayed")
	}
	if !g.try(t, "ann", home, nil) {
		t.Error("who is known is delayed for strangers")
	}
	g.clock = g.clock.Add(time.Second)
	g.try(t, "ann", elsewhere, wrong)
	g.clock = g.clock.Add(time.Second)
	if g.try(t, "ann", elsewhere, wrong); !g.try(t, "ann", home, nil) {
		t.Error("who is known is banned for strangers")
	}
	g.clock = g.clock.Add(time.Minute)
	if g.try(t, "ann", elsewhere, nil) {
		t.Error("the name is not banned: who is known has cleared what strangers did")
	}
	if err := bans.Add(Ban{Account: "ann", Since: g.clock, By: "root"}); err != nil {
		t.Fatal(err)
	}
	if g.try(t, "ann", home, nil) {
		t.Error("an operator's ban lets in who is known")
	}
}

// TestWhoIsKnownWaitsForOwnFailures, and is a stranger again after many.
func TestWhoIsKnownWaitsForOwnFailures(t *testing.T) {
	g := newGuardian(Config{SourceFailures: -1})
	g.try(t, "ann", home, nil)
	for range 6 {
		g.try(t, "ann", home, wrong)
	}
	if g.try(t, "ann", home, wrong) {
		t.Error("not delayed")
	}
	if !g.try(t, "ann", elsewhere, nil) {
		t.Error("another place waits for it")
	}
	for range mostSlips - 6 {
		g.clock = g.clock.Add(2 * time.Minute)
		if !g.try(t, "ann", home, wrong) {
			t.Fatal("still delayed")
		}
	}
	for range 6 {
		g.try(t, "ann", elsewhere, wrong) // known there, so that it counts apart
		g.try(t, "ann", "198.51.100.9", wrong)
	}
	if g.try(t, "ann", home, nil) {
		t.Error("known after all that")
	}
}

// TestNobodyIsKnownWithoutASource, such as the users of a NAS that does not tell who calls.
func TestNobodyIsKnownWithoutASource(t *testing.T) {
	g := newGuardian(Config{})
	r := &aaa.Request{Name: "ann", NAS: &aaa.NAS{Client: "wifi"}}
	g.ask(t, r, nil)
	for range 6 {
		g.ask(t, r, wrong)
	}
	if g.ask(t, r, nil) {
		t.Error("not delayed")
	}
	if n := g.known.Size(); n != 0 {
		t.Errorf("%d are known", n)
	}
}

// TestWhoIsKnownIsForgotten a month after the last time.
func TestWhoIsKnownIsForgotten(t *testing.T) {
	g := newGuardian(Config{})
	g.try(t, "ann", home, nil)
	p := pairOf(&aaa.Request{Name: "ann", Peer: netip.AddrPortFrom(netip.MustParseAddr(home), 1701)})
	if g.clock = g.clock.Add(knownFor - time.Hour); !g.knows(p, g.clock) {
		t.Error("forgotten too soon")
	}
	if g.clock = g.clock.Add(knownFor + 2*time.Hour); g.knows(p, g.clock) {
		t.Error("known for ever")
	}
}
