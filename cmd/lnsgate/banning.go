package main

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"lnsgate/aaa/guard"
	"lnsgate/configs"
	"lnsgate/lns/admin"
)

// openBans says who is shut out, and who has to wait after failed logins.
func (n *node) openBans(c *configs.Config) error {
	if err := os.MkdirAll(c.Spool(), 0o755); err != nil {
		return fmt.Errorf("spool_dir: %w", err)
	}
	bans, err := guard.NewBans(banPolicy(c), guard.File(filepath.Join(c.Spool(), "bans.json")), time.Now())
	if err != nil {
		n.log.Error("bans", "cause", err)
	}
	n.bans, n.guesses = bans, guard.New(guard.Config{Bans: bans})
	return nil
}

func banPolicy(c *configs.Config) guard.Policy {
	return guard.Policy{
		AccountFailures: c.Bans.AccountFailures, AccountTime: c.Bans.AccountTime,
		SourceFailures: c.Bans.SourceFailures, SourceTime: c.Bans.SourceTime, Exempt: c.Bans.Exempt,
	}
}

// banFigures are the counters of bans and delays.
func banFigures(b *guard.Bans, g *guard.Guard) map[string]uint64 {
	if b == nil {
		return nil
	}
	return map[string]uint64{
		"guesses_delayed": g.Delayed(), "bans_now": uint64(len(b.List(time.Now()))), "bans_refused": b.Refused(),
	}
}

// banBook is the bans as operators see them.
type banBook struct{ list *guard.Bans }

func (b banBook) Bans(now time.Time) []admin.Ban {
	var all []admin.Ban
	for _, one := range b.list.List(now) {
		all = append(all, shownBan(one))
	}
	return all
}

func (b banBook) Ban(one admin.Ban) error {
	account, source := banned(one.Who)
	return b.list.Add(guard.Ban{Account: account, Source: source, Since: one.Since, Until: one.Until, Why: one.Why, By: one.By})
}

func (b banBook) Unban(who string, now time.Time) (bool, error) {
	account, source := banned(who)
	return b.list.Lift(account, source, now)
}

func shownBan(b guard.Ban) admin.Ban {
	shown := admin.Ban{Who: b.Who(), Kind: admin.BannedAccount, Since: b.Since, Until: b.Until, Why: b.Why, By: b.By}
	if b.Account == "" {
		shown.Kind = admin.BannedSource
	}
	return shown
}

// banned tells a network, or an address, from the name of an account.
func banned(who string) (account string, source netip.Prefix) {
	if a, err := netip.ParseAddr(who); err == nil {
		a = a.Unmap().WithZone("")
		return "", netip.PrefixFrom(a, a.BitLen())
	}
	if p, err := netip.ParsePrefix(who); err == nil {
		return "", p.Masked()
	}
	return who, netip.Prefix{}
}
