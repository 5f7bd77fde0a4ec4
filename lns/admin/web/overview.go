package web

import (
	"cmp"
	"net/url"
	"slices"
	"time"

	"lnsgate/lns/admin"
)

// overviewView is what an administrator wants to see first.
type overviewView struct {
	frame
	Health         admin.Health
	Bad            []admin.Check // what is not well
	Open           int
	Logins, Failed int // of the last hour
	Causes         []tally
	Pools          []poolView // the fullest first
	MorePools      int
	Servers        []admin.RADIUSServer
	Faults         []admin.Attempt // the last that failed
	Day, Hour      chart
	Uptime         time.Duration
	Kinds          []kind
}

// kind is one entry of the legend.
type kind struct{ Class, Text string }

const (
	overviewPools  = 8
	overviewFaults = 8
	overviewCauses = 6
)

func (p *Page) overview(a *ask) error {
	now := p.cfg.Now()
	v := overviewView{}
	var pools struct {
		Pools   []admin.Pool
		Warning string
	}
	var servers struct{ Servers []admin.RADIUSServer }
	var faults struct{ Attempts []admin.Attempt }
	var version admin.Version
	open, err := a.openSessions()
	if err := cmp.Or(err, a.get("/v1/health", nil, &v.Health), a.get("/v1/version", nil, &version), a.get("/v1/radius", nil, &servers)); err != nil {
		return err
	}
	v.Warning = warningOf(a.get("/v1/pools", nil, &pools), pools.Warning)
	if w := warningOf(a.get("/v1/attempts", url.Values{"failed": {"true"}, "limit": {"8"}}, &faults), ""); w != "" {
		v.Warning = w
	}
	for _, c := range v.Health.Checks {
		if !c.Well {
			v.Bad = append(v.Bad, c)
		}
	}
	p.history.sample(open, now)
	hour := p.history.last(60, now)
	v.Logins, v.Failed, v.Causes = tallies(hour)
	v.Causes = v.Causes[:min(len(v.Causes), overviewCauses)]
	v.Day, v.Hour = sessionsChart(p.history.last(day, now)), loginsChart(hour)
	v.Open, v.Servers, v.Faults, v.Uptime = open, servers.Servers, faults.Attempts, now.Sub(version.Started)
	for _, one := range pools.Pools {
		v.Pools = append(v.Pools, viewOfPool(one))
	}
	slices.SortStableFunc(v.Pools, func(a, b poolView) int { return cmp.Compare(b.used(), a.used()) })
	v.MorePools = max(0, len(v.Pools)-overviewPools)
	v.Pools = v.Pools[:len(v.Pools)-v.MorePools]
	for _, k := range loginKinds {
		v.Kinds = append(v.Kinds, kind{k.class, k.what})
	}
	warning := v.Warning
	v.frame = a.frame("overview", "Overview")
	v.frame.Warning = warning
	return a.show("overview", v)
}

// warningOf says what is missing from a view that can be shown without it.
func warningOf(err error, warning string) string {
	if err != nil {
		return err.Error()
	}
	return warning
}

// changesView is what operators did.
type changesView struct {
	frame
	Changes []admin.Change
}

func (p *Page) changes(a *ask) error {
	v := changesView{frame: a.frame("changes", "Changes")}
	var list struct{ Changes []admin.Change }
	if err := a.get("/v1/audit", url.Values{"limit": {"200"}}, &list); err != nil {
		return err
	}
	v.Changes = list.Changes
	return a.show("changes", v)
}
