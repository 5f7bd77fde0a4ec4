package postgres

import (
	"encoding/json"
	"fmt"
)

// Table is a table whose changes matter to a running node.
type Table uint8

// The tables. Every is the zero value: whatever there is may have changed.
const (
	Every Table = iota
	Domains
	DomainAliases
	DomainPools
	Accounts
	Credentials
	Profiles
	StaticAddresses
	Pools
	PoolRanges
	Sessions
	Filters
	FilterRules
	NASes
)

var tables = [...]string{
	Every: "every table", Domains: "domains", DomainAliases: "domain_aliases", DomainPools: "domain_pools",
	Accounts: "accounts", Credentials: "credentials", Profiles: "profiles", StaticAddresses: "static_addresses",
	Pools: "pools", PoolRanges: "pool_ranges", Sessions: "sessions", Filters: "filters", FilterRules: "filter_rules",
	NASes: "nas",
}

// String returns the name of the table.
func (t Table) String() string {
	if int(t) < len(tables) {
		return tables[t]
	}
	return fmt.Sprintf("table %d", uint8(t))
}

// Op is what happened.
type Op uint8

// What happened. Expired is not written by anybody: the time of an account is over.
const (
	Unknown Op = iota
	Inserted
	Updated
	Deleted
	Ended   // of Sessions: somebody wants the session to end
	Expired // of Accounts: valid_until has passed
)

var ops = [...]string{Unknown: "changed", Inserted: "insert", Updated: "update", Deleted: "delete", Ended: "end", Expired: "expired"}

// String returns the word of the notification.
func (o Op) String() string {
	if int(o) < len(ops) {
		return ops[o]
	}
	return fmt.Sprintf("op %d", uint8(o))
}

// Change is something that was committed.
type Change struct {
	Table Table
	Op    Op
	Key   string // the name of the domain, account, profile, pool or NAS; for Sessions the session; "" with All
	All   bool   // too many to list, or nobody knows which: compare everything of the table
	Cause string // of Ended: why, in words
}

// parseChange reads the payload of a notification. What it does not understand may mean anything.
func parseChange(payload string) Change {
	var p struct {
		Table, Op, Key, Cause string
		All                   bool
	}
	if err := json.Unmarshal([]byte(payload), &p); err != nil {
		return Change{All: true}
	}
	c := Change{Key: p.Key, All: p.All || p.Key == "", Cause: p.Cause}
	for t, name := range tables {
		if name == p.Table {
			c.Table = Table(t)
		}
	}
	for o, name := range ops {
		if name == p.Op {
			c.Op = Op(o)
		}
	}
	if c.Table == Every {
		return Change{All: true}
	}
	return c
}

// maxBurst bounds the keys of one table that are told one by one.
const maxBurst = 1000

// coalesce folds a burst of changes: of each object only the last, in the order in which the objects came first; of a
// table with All nothing else, except sessions that have to end. With Every, nothing else but those.
func coalesce(burst []Change) []Change {
	if len(burst) < 2 {
		return burst
	}
	whole, counts := map[Table]bool{}, map[Table]int{}
	last := map[object]int{}
	for i, c := range burst {
		if _, seen := last[c.object()]; !seen {
			counts[c.Table]++
		}
		last[c.object()] = i
		whole[c.Table] = whole[c.Table] || c.All || counts[c.Table] > maxBurst && c.Table != Sessions
	}
	var folded []Change
	told := map[object]bool{}
	for _, c := range burst {
		folds := c.Table != Sessions && c.Table != Every
		switch {
		case folds && whole[Every]:
			continue
		case folds && whole[c.Table]:
			c = Change{Table: c.Table, Op: c.Op, All: true}
		default:
			c = burst[last[c.object()]]
		}
		if !told[c.object()] {
			told[c.object()] = true
			folded = append(folded, c)
		}
	}
	return folded
}

// object is what a change is about.
type object struct {
	table Table
	key   string
}

func (c Change) object() object { return object{c.Table, c.Key} }
