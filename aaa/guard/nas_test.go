package guard

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"lnsgate/aaa"
)

// Somebody who guesses through a NAS has the accounts banned that he guesses at, on every way in; the NAS, from which all of its
// users come, is never banned for them, whether it tells the number of the caller or not.
func TestAGuesserThroughANASHasTheAccountBannedAndNotTheNAS(t *testing.T) {
	for _, station := range []string{"", "02-00-5E-00-53-01"} {
		g, b := guardianOf(t, Policy{AccountFailures: 3, AccountTime: time.Hour, SourceFailures: 4, SourceTime: time.Hour})
		at := netip.MustParseAddrPort("192.0.2.1:1645")
		through := func(name, caller string) *aaa.Request {
			return &aaa.Request{Name: name, Peer: at, CallingNumber: caller, NAS: &aaa.NAS{Client: "branch", Name: "branch"}}
		}
		for i := range 20 {
			g.ask(t, through(fmt.Sprint("user", i), station), wrong)
		}
		for range 3 {
			g.ask(t, through("bob", station), wrong)
		}
		if b.Banned(at.Addr(), g.clock) {
			t.Errorf("caller %q: the NAS is banned for its users", station)
		}
		if all := b.List(g.clock); len(all) != 1 || all[0].Account != "bob" {
			t.Errorf("caller %q: banned are %+v, want bob alone", station, all)
		}
		if !g.ask(t, through("anna", station), nil) || !g.ask(t, through("carl", "02-00-5E-00-53-02"), nil) {
			t.Errorf("caller %q: others are kept out", station)
		}
		if g.ask(t, through("bob", "02-00-5E-00-53-02"), nil) || g.try(t, "bob", "198.51.100.7", nil) {
			t.Errorf("caller %q: bob gets in by another way", station)
		}
	}
}
