package guard

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"lnsgate/aaa"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func newBans(t *testing.T, p Policy) *Bans {
	t.Helper()
	b, err := NewBans(p, File(filepath.Join(t.TempDir(), "bans.json")), noon)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func mustAdd(t *testing.T, b *Bans, all ...Ban) {
	t.Helper()
	for _, one := range all {
		if err := b.Add(one); err != nil {
			t.Fatal(err)
		}
	}
}

func network(s string) netip.Prefix { return netip.MustParsePrefix(s) }

func TestANetworkIsBannedWithAllItsAddresses(t *testing.T) {
	b := newBans(t, Policy{})
	mustAdd(t, b, Ban{Source: network("203.0.113.0/24"), Since: noon, Why: "outer"}, Ban{Source: network("203.0.113.7/32"), Since: noon, Why: "inner"},
		Ban{Source: network("2001:db8::/48"), Since: noon, Why: "six"})
	for address, why := range map[string]string{
		"203.0.113.0": "outer", "203.0.113.255": "outer", "203.0.113.7": "inner", "203.0.112.255": "", "203.0.114.0": "",
		"2001:db8:0:1::1": "six", "2001:db8:1::": "", "::ffff:203.0.113.9": "outer", "::": "", "0.0.0.0": "",
	} {
		got, banned := b.Source(netip.MustParseAddr(address), noon)
		if banned != (why != "") || got.Why != why && banned {
			t.Errorf("%s: %v %+v", address, banned, got)
		}
	}
	if _, banned := b.Source(netip.Addr{}, noon); banned {
		t.Error("nowhere is banned")
	}
	var none *Bans
	if none.Banned(netip.MustParseAddr("203.0.113.1"), noon) {
		t.Error("no list bans nobody")
	}
}

func TestABanEndsByItself(t *testing.T) {
	b := newBans(t, Policy{})
	mustAdd(t, b, Ban{Source: network("203.0.113.7/32"), Since: noon, Until: noon.Add(time.Hour)}, Ban{Account: "bob", Since: noon, Until: noon.Add(time.Hour)},
		Ban{Account: "eve", Since: noon})
	last, over := noon.Add(time.Hour-1), noon.Add(time.Hour)
	for _, at := range []time.Time{last, over} {
		_, account := b.Account("bob", false, at)
		source := b.Banned(netip.MustParseAddr("203.0.113.7"), at)
		_, forever := b.Account("eve", false, at)
		if account != (at == last) || source != account || !forever {
			t.Errorf("%v: %v, %v, %v", at, account, source, forever)
		}
	}
	if all := b.List(over); len(all) != 1 || all[0].Who() != "eve" {
		t.Errorf("%+v", all)
	}
}

// A name is exact: another that looks like it is not banned.
func TestABannedNameIsExact(t *testing.T) {
	b := newBans(t, Policy{})
	mustAdd(t, b, Ban{Account: "bob@sales", Since: noon})
	for _, other := range []string{"bob", "Bob@sales", "bob@sales ", ""} {
		if _, banned := b.Account(other, false, noon); banned {
			t.Errorf("%q is banned", other)
		}
	}
}

func TestALiftedBanIsGone(t *testing.T) {
	b := newBans(t, Policy{})
	mustAdd(t, b, Ban{Source: network("203.0.113.0/24"), Since: noon}, Ban{Account: "bob", Since: noon})
	for range 2 {
		for _, who := range []Ban{{Source: network("203.0.113.0/24")}, {Account: "bob"}} {
			there := len(b.List(noon)) > 0
			if found, err := b.Lift(who.Account, who.Source, noon); found != there && len(b.List(noon)) != 1 || err != nil {
				t.Errorf("%s: %v %v", who.Who(), found, err)
			}
		}
	}
	if b.Banned(netip.MustParseAddr("203.0.113.1"), noon) || len(b.List(noon)) != 0 {
		t.Error("still banned")
	}
}

// A restart knows the bans of operators, but for those that are over; those that follow from failures it has forgotten.
func TestOperatorsBansOutliveARestart(t *testing.T) {
	file := File(filepath.Join(t.TempDir(), "bans.json"))
	b, err := NewBans(Policy{AccountFailures: 1, AccountTime: time.Hour}, file, noon)
	if err != nil {
		t.Fatal(err)
	}
	mustAdd(t, b, Ban{Account: "anna", Since: noon, Until: noon.Add(time.Hour), Why: "stolen", By: "root"},
		Ban{Source: network("2001:db8::/32"), Since: noon, By: "root"}, Ban{Account: "short", Since: noon, Until: noon.Add(time.Minute), By: "root"})
	if !b.account("guessed", 1, noon) {
		t.Fatal("not banned for its failures")
	}
	before := slices.DeleteFunc(b.List(noon), func(one Ban) bool { return one.By == Automatic || one.Account == "short" })
	again, err := NewBans(Policy{}, file, noon.Add(2*time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	if got := again.List(noon.Add(2 * time.Minute)); !slices.Equal(got, before) {
		t.Errorf("%+v\nwant %+v", got, before)
	}
}

func TestAFileThatCannotBeReadBansNobodyAndSaysSo(t *testing.T) {
	name := filepath.Join(t.TempDir(), "bans.json")
	if err := os.WriteFile(name, []byte("[{"), 0o600); err != nil {
		t.Fatal(err)
	}
	b, err := NewBans(Policy{}, File(name), noon)
	if err == nil || !strings.Contains(err.Error(), name) {
		t.Errorf("%v", err)
	}
	if b == nil || len(b.List(noon)) != 0 {
		t.Error("no usable list")
	}
	lost, _ := NewBans(Policy{}, File("/nowhere/at/all/bans.json"), noon)
	if err := lost.Add(Ban{Account: "bob", Since: noon}); err == nil {
		t.Error("that a restart will not know of it is not said")
	}
	if _, banned := lost.Account("bob", false, noon); !banned {
		t.Error("not in force")
	}
}

// guardianOf is a guardian whose bans follow a policy.
func guardianOf(t *testing.T, p Policy) (*guardian, *Bans) {
	b := newBans(t, p)
	g := newGuardian(Config{Failures: -1, SourceFailures: -1, Bans: b})
	g.clock = noon
	return g, b
}

func TestFailuresInARowBanTheName(t *testing.T) {
	g, b := guardianOf(t, Policy{AccountFailures: 3, AccountTime: 15 * time.Minute})
	for i := range 3 {
		if !g.try(t, "bob", fmt.Sprintf("192.0.2.%d", i), wrong) {
			t.Errorf("failure %d was not looked at", i)
		}
	}
	_, err := g.Before(&g.next).Authenticate(context.Background(), &aaa.Request{Name: "bob"})
	if reasonOf(err) != aaa.AccountBanned || causeOf(err) != aaa.TooManyFailures {
		t.Errorf("%v", err)
	}
	for _, part := range []string{"bob", "until 2026-03-01 12:15:00 UTC", "3 failed logins in a row", "lnsgate bans lift bob"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not say %q", err, part)
		}
	}
	if !g.try(t, "eve", "192.0.2.9", nil) {
		t.Error("another name is banned")
	}
	g.clock = noon.Add(15 * time.Minute)
	if !g.try(t, "bob", "192.0.2.9", wrong) || len(b.List(g.clock)) != 0 {
		t.Error("the ban does not end")
	}
	if !g.try(t, "bob", "192.0.2.9", wrong) {
		t.Error("it does not begin anew after the ban")
	}
}

func TestASuccessBeginsAnew(t *testing.T) {
	g, b := guardianOf(t, Policy{AccountFailures: 3, AccountTime: time.Hour, SourceFailures: 3, SourceTime: time.Hour})
	for range 5 {
		g.try(t, "bob", "192.0.2.1", wrong)
		g.try(t, "bob", "192.0.2.1", wrong)
		g.try(t, "bob", "192.0.2.1", nil)
	}
	if all := b.List(noon); len(all) != 0 {
		t.Errorf("%+v", all)
	}
}

func TestFailuresInARowBanTheSource(t *testing.T) {
	g, b := guardianOf(t, Policy{SourceFailures: 4, SourceTime: time.Hour, Exempt: []netip.Prefix{network("198.51.100.0/24")}})
	for i := range 4 {
		g.try(t, fmt.Sprint("a", i), "192.0.2.1", wrong)
		g.try(t, fmt.Sprint("b", i), "198.51.100.1", wrong)
	}
	if !b.Banned(netip.MustParseAddr("192.0.2.1"), noon) || b.Banned(netip.MustParseAddr("192.0.2.2"), noon) {
		t.Error("not the source alone is banned")
	}
	if b.Banned(netip.MustParseAddr("198.51.100.1"), noon) || !g.try(t, "x", "198.51.100.1", nil) {
		t.Error("an exempt network is banned")
	}
	_, err := g.Before(&g.next).Authenticate(context.Background(), &aaa.Request{Name: "new", Peer: netip.MustParseAddrPort("192.0.2.1:1701")})
	if reasonOf(err) != aaa.SourceBanned || !strings.Contains(err.Error(), "192.0.2.1") {
		t.Errorf("%v", err)
	}
}

// Whoever has a /64 has a new address for each guess, and is one source all the same; an exempt address in it is still exempt, and a
// ban that an operator gave to one address of it is that address's.
func TestAHostOfIPv6IsOneSource(t *testing.T) {
	g, b := guardianOf(t, Policy{SourceFailures: 4, SourceTime: time.Hour, Exempt: []netip.Prefix{network("2001:db8:9::1/128")}})
	for i := range 4 {
		g.try(t, fmt.Sprint("a", i), fmt.Sprintf("2001:db8:1::%d", i+1), wrong)
		g.try(t, fmt.Sprint("b", i), fmt.Sprintf("2001:db8:2:%d::1", i), wrong)
		g.try(t, fmt.Sprint("c", i), "2001:db8:9::1", wrong)
	}
	mustAdd(t, b, Ban{Source: network("2001:db8:3::7/128"), Since: noon})
	for address, gets := range map[string]bool{
		"2001:db8:1::99": false, "2001:db8:1:1::1": true, "2001:db8:2::1": true, "2001:db8:9::1": true, "2001:db8:3::7": false, "2001:db8:3::8": true,
	} {
		if g.try(t, "new", address, nil) != gets {
			t.Errorf("%s: gets in: %v", address, !gets)
		}
	}
	if all := b.List(noon); len(all) != 2 || all[0].Who() != "2001:db8:1::/64" || all[0].By != Automatic || all[0].Why != "4 failed logins in a row" || all[0].Until != noon.Add(time.Hour) {
		t.Errorf("%+v", all)
	}
}

func TestAHostOfIPv6WaitsAsOneSource(t *testing.T) {
	g := newGuardian(Config{Failures: -1, SourceFailures: 2})
	for i := range 3 {
		if !g.try(t, fmt.Sprint("a", i), fmt.Sprintf("2001:db8:1::%d", i+1), wrong) {
			t.Errorf("guess %d waits", i)
		}
	}
	_, err := g.Before(&g.next).Authenticate(context.Background(), &aaa.Request{Name: "new", Peer: netip.MustParseAddrPort("[2001:db8:1::9]:1701")})
	if reasonOf(err) != aaa.SourceDelayed || !strings.Contains(err.Error(), "from 2001:db8:1::/64 in a row") {
		t.Errorf("%v", err)
	}
}

// An operator whose name is that of the automaton, as the service's own user is, is an operator.
func TestTheBanOfAnOperatorCalledAsTheServiceOutlivesARestart(t *testing.T) {
	file := File(filepath.Join(t.TempDir(), "bans.json"))
	b, err := NewBans(Policy{}, file, noon)
	if err != nil {
		t.Fatal(err)
	}
	mustAdd(t, b, Ban{Account: "anna", Since: noon, By: Automatic})
	again, err := NewBans(Policy{}, file, noon)
	if err != nil {
		t.Fatal(err)
	}
	if got := again.List(noon); len(got) != 1 || got[0].By != "operator lnsgate" {
		t.Errorf("%+v", got)
	}
}

// An account that is banned as it is stored is banned however it is typed.
func TestAnAccountIsBannedHoweverItIsTyped(t *testing.T) {
	b := newBans(t, Policy{})
	mustAdd(t, b, Ban{Account: "anna@sales", Since: noon, Why: "laptop stolen", By: "root"})
	next := granting{"anna@sales"}
	_, err := New(Config{Bans: b}).Before(next).Authenticate(context.Background(), &aaa.Request{Name: `SALES\anna`})
	if reasonOf(err) != aaa.AccountBanned || !strings.Contains(err.Error(), "laptop stolen") {
		t.Errorf("%v", err)
	}
}

// granting lets everybody in as one account.
type granting struct{ account string }

func (g granting) Authenticate(context.Context, *aaa.Request) (aaa.Decision, error) {
	return aaa.Decision{Account: g.account}, nil
}

func (g granting) Authorize(context.Context, *aaa.Request) (aaa.Decision, error) {
	return aaa.Decision{}, errors.ErrUnsupported
}

// What strangers bring about is bounded, and does not replace what an operator has said.
func TestBansForFailuresAreBounded(t *testing.T) {
	b := newBans(t, Policy{AccountFailures: 1, AccountTime: time.Hour})
	b.most = 500
	mustAdd(t, b, Ban{Account: "n5", Since: noon, By: "root"})
	for i := range 600 {
		b.account(fmt.Sprint("n", i), 1, noon)
	}
	all := b.List(noon)
	if len(all) != 501 {
		t.Errorf("%d bans", len(all))
	}
	if one, _ := b.Account("n5", false, noon); one.By != "root" {
		t.Errorf("%+v", one)
	}
	if !b.account("later", 1, noon.Add(time.Hour)) {
		t.Error("no room when they are over")
	}
}

// TestWhatARADIUSServerRefusesWaitsAndBansNobody: it may have been a guess, or a server that refuses everybody since its own database is
// away. By EAP it may have been another's name.
func TestWhatARADIUSServerRefusesWaitsAndBansNobody(t *testing.T) {
	b := newBans(t, Policy{AccountFailures: 7, AccountTime: time.Hour, SourceFailures: 7, SourceTime: time.Hour})
	g := newGuardian(Config{Bans: b})
	no := aaa.Reject(aaa.Refused, "RADIUS server hq says no")
	for _, name := range []string{"ann", "bob"} {
		for i := range 20 {
			if asked := g.try(t, name, home, no); asked != (i < 6) {
				t.Errorf("%s: refusal %d: asked %v", name, i+1, asked)
			}
		}
	}
	for i := range 20 {
		g.clock = g.clock.Add(time.Minute)
		if !g.try(t, "ann", home, no) || !g.try(t, fmt.Sprint("user", i), home, no) {
			t.Fatalf("after %d minutes they still wait", i+1)
		}
	}
	if all := b.List(g.clock); len(all) != 0 {
		t.Errorf("banned are %+v", all)
	}
	for range 20 {
		if !g.ask(t, &aaa.Request{Name: "wifi", Proof: aaa.Proof{Method: aaa.EAP}}, no) {
			t.Fatal("a name outside of EAP waits")
		}
	}
}
