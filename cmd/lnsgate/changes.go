package main

import (
	"context"
	"errors"
	"slices"
	"time"

	"lnsgate/aaa/foreign"
	sqlaccounts "lnsgate/aaa/postgres"
	"lnsgate/lns"
)

// followDatabase applies changes in the database to a running node, until the context ends. Once the database is reached for the
// first time all of it is a change.
func (n *node) followDatabase(ctx context.Context) error {
	retry := time.NewTimer(0)
	retry.Stop()
	defer retry.Stop()
	reached := make(chan struct{})
	go func() {
		if n.db.leases.Ready(ctx) == nil {
			close(reached)
		}
	}()
	for known := false; ; {
		var changes []sqlaccounts.Change
		select {
		case <-ctx.Done():
			return nil
		case <-reached:
			if err := n.db.checkSchema("now that it is reached"); err != nil {
				return err
			}
			reached, known = nil, true
			changes = anyChange
		case <-retry.C:
			changes = anyChange
		case <-n.db.changes.wake:
			changes = n.db.changes.take()
		}
		if !known {
			continue // nothing is in force yet that could have changed
		}
		n.db.sealer.Changed(changes)
		if err := n.applyChanges(ctx, changes); err != nil {
			n.log.Warn("a change in the database is not in force yet", "cause", err)
			retry.Reset(retryChanges)
		}
	}
}

// anyChange is the change of which nobody knows what it was.
var anyChange = []sqlaccounts.Change{{Table: sqlaccounts.Every, All: true}}

// retryChanges is how long to wait after a change could not be read.
const retryChanges = 2 * time.Second

// dropLost ends the sessions whose addresses this node may hold no longer, until the context ends. Nothing else holds it up:
// another node may give those addresses away soon.
func (n *node) dropLost(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-n.db.lost.wake:
		}
		for _, l := range n.db.lost.take() {
			n.engine.LoseLease(ctx, l.Holder, "the lease of its address could not be renewed in the database")
		}
	}
}

// applyChanges brings the node to what the database says now. Which sessions are concerned follows from the tables.
func (n *node) applyChanges(ctx context.Context, changes []sqlaccounts.Change) error {
	var faults []error
	touched := func(tables ...sqlaccounts.Table) bool {
		return slices.ContainsFunc(changes, func(c sqlaccounts.Change) bool {
			return c.Table == sqlaccounts.Every || slices.Contains(tables, c.Table)
		})
	}
	for _, c := range changes {
		if c.Table == sqlaccounts.Sessions {
			n.engine.Drop(ctx, c.Key, c.Cause)
			n.answering.end(ctx, c.Key, c.Cause)
		}
	}
	if touched(sqlaccounts.Pools, sqlaccounts.PoolRanges, sqlaccounts.StaticAddresses) {
		faults = append(faults, n.db.leases.Refresh(ctx))
	}
	if touched(sqlaccounts.Domains, sqlaccounts.DomainAliases, sqlaccounts.DomainPools, sqlaccounts.Pools, sqlaccounts.PoolRanges,
		sqlaccounts.Filters, sqlaccounts.FilterRules) {
		faults = append(faults, n.readDomains(ctx))
	}
	if err := errors.Join(faults...); err != nil {
		return err // the database is away: asking about every session would tell the same
	}
	if touched(sqlaccounts.Pools, sqlaccounts.PoolRanges, sqlaccounts.Filters, sqlaccounts.FilterRules) {
		if err := n.configureEngine(); err != nil {
			return err
		}
	}
	if touched(sqlaccounts.NASes) {
		if err := n.followNASes(ctx); err != nil {
			return err
		}
	}
	match := concerned(changes)
	if match == nil {
		return nil
	}
	n.answering.reauthorize(concernedElsewhere(changes)...)
	return n.engine.Reauthorize(ctx, match)
}

// followNASes puts the NASes in force that the file and the database hold now.
func (n *node) followNASes(ctx context.Context) error {
	if n.answering == nil {
		return nil
	}
	if n.db != nil {
		list, err := n.db.nases(ctx)
		if err != nil {
			return err
		}
		n.mu.Lock()
		n.shared.nases = list
		n.mu.Unlock()
	}
	n.mu.Lock()
	config := n.config
	n.mu.Unlock()
	return n.answering.follow(config)
}

// concernedElsewhere says the same of sessions on other NASes.
func concernedElsewhere(changes []sqlaccounts.Change) (queries []foreign.Query) {
	for _, c := range changes {
		var q foreign.Query
		switch c.Table {
		case sqlaccounts.Sessions, sqlaccounts.Pools, sqlaccounts.PoolRanges, sqlaccounts.Credentials, sqlaccounts.NASes:
			continue
		case sqlaccounts.Accounts, sqlaccounts.StaticAddresses:
			q.Account = c.Key
		case sqlaccounts.Domains, sqlaccounts.DomainAliases, sqlaccounts.DomainPools:
			q.Domain = c.Key
		}
		if q == (foreign.Query{}) || c.All {
			return []foreign.Query{{}}
		}
		if !slices.Contains(queries, q) {
			queries = append(queries, q)
		}
	}
	return queries
}

// configureEngine has the engine follow the pools and filters of the database. It waits for a reload of the file, which would put
// what it knew of them before over it.
func (n *node) configureEngine() error {
	n.reloading.Lock()
	defer n.reloading.Unlock()
	n.mu.Lock()
	engine := n.engineConfig(n.config)
	n.mu.Unlock()
	return n.engine.Configure(engine)
}

// concerned says which sessions a change may be about; nil is none.
func concerned(changes []sqlaccounts.Change) func(lns.SessionInfo) bool {
	names := make(map[string]bool) // accounts
	domains := make(map[string]bool)
	every := false
	for _, c := range changes {
		switch c.Table {
		case sqlaccounts.Sessions, sqlaccounts.Pools, sqlaccounts.PoolRanges, sqlaccounts.Credentials, sqlaccounts.NASes:
		case sqlaccounts.Accounts, sqlaccounts.StaticAddresses:
			names[c.Key] = true
			every = every || c.All
		case sqlaccounts.Domains, sqlaccounts.DomainAliases, sqlaccounts.DomainPools:
			domains[c.Key] = true
			every = every || c.All
		default:
			every = true
		}
	}
	if !every && len(names)+len(domains) == 0 {
		return nil
	}
	return func(s lns.SessionInfo) bool { return every || names[s.Account] || domains[s.Domain] }
}
