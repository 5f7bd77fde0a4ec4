package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"lnsgate/lns/admin"
)

// poolNearlyFull is the part of a pool, in percent, from which on it is not well.
const poolNearlyFull = 95

// health says what the server needs for people to log in, and whether it has it.
func (n *node) health(ctx context.Context) []admin.Check {
	checks := []admin.Check{n.socketsHealth()}
	if n.db != nil {
		checks = append(checks, n.databaseHealth())
	}
	checks = append(checks, n.radiusHealth()...)
	return append(checks, n.poolHealth(ctx)...)
}

func (n *node) socketsHealth() admin.Check {
	c := admin.Check{Name: "sockets", Needed: true, Well: true}
	n.mu.Lock()
	wanted := n.config.L2TP()
	n.mu.Unlock()
	if wanted && len(n.transport.Addrs()) == 0 {
		c.Well, c.Reason = false, "no address is listened on"
	}
	return c
}

// databaseHealth is a warning alone: users of the file can log in, and those that are remembered.
func (n *node) databaseHealth() admin.Check {
	c := admin.Check{Name: "database", Well: n.db.leases.Stats().Attached, Needed: n.onlyDatabase()}
	if !c.Well {
		c.Reason = "it does not answer"
	}
	return c
}

// onlyDatabase says that no domain has another back end.
func (n *node) onlyDatabase() bool {
	domains, _ := n.gateway.domains()
	for i := range domains {
		if slices.ContainsFunc(domains[i].Chain, func(name string) bool { return name != "postgres" }) {
			return false
		}
	}
	return true
}

// radiusHealth has a check for each group: it is well while one of its servers for authentication is.
func (n *node) radiusHealth() []admin.Check {
	var checks []admin.Check
	for _, s := range n.radius.servers() {
		if s.Role != "authentication" {
			continue
		}
		name := "radius " + s.Group
		i := slices.IndexFunc(checks, func(c admin.Check) bool { return c.Name == name })
		if i < 0 {
			i = len(checks)
			checks = append(checks, admin.Check{Name: name})
		}
		if s.State == "dead" {
			checks[i].Reason = fmt.Sprintf("%s is dead since %s", s.Address, s.Since.Format(time.TimeOnly))
		} else {
			checks[i].Well = true
		}
	}
	for i := range checks {
		if checks[i].Well {
			checks[i].Reason = ""
		}
	}
	return checks
}

func (n *node) poolHealth(ctx context.Context) []admin.Check {
	usages, err := n.pools.Usage(ctx)
	var checks []admin.Check
	if err != nil {
		checks = append(checks, admin.Check{Name: "pools", Reason: err.Error()})
	}
	for _, u := range usages {
		c := admin.Check{Name: "pool " + u.Pool, Well: true}
		used := float64(u.Size-u.Free()) * 100 / float64(max(1, u.Size))
		if used >= poolNearlyFull {
			c.Well, c.Reason = false, fmt.Sprintf("%d of %d addresses are free", u.Free(), u.Size)
		}
		checks = append(checks, c)
	}
	return checks
}
