package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// AdminPool is a pool with its ranges as they were written.
type AdminPool struct {
	Name           string   `db:"name" json:"name"`
	Ranges         []string `db:"ranges" json:"ranges"`
	Draining       []string `db:"draining_ranges" json:"draining_ranges"`
	Exclude        []string `db:"exclude" json:"exclude"`
	RoutingContext string   `db:"routing_context" json:"routing_context"`
	Family         int      `db:"family" json:"family"`
	PrefixLength   *int     `db:"prefix_length" json:"prefix_length"` // nil: it gives addresses
	Quarantine     float64  `db:"quarantine" json:"quarantine"`       // seconds
	Sticky         bool     `db:"sticky" json:"sticky"`
	Drained        bool     `db:"draining" json:"draining"` // the whole pool gives no new leases
	Domains        []string `db:"domains" json:"domains"`
	Description    *string  `db:"description" json:"description"`
}

// PoolUsage is how full a pool is. Counts are addresses, or prefixes; 2^64 stands for more than that.
type PoolUsage struct {
	Pool        string   `db:"pool" json:"pool"`
	Draining    bool     `db:"draining" json:"draining"`
	Size        float64  `db:"size" json:"size"`
	Leased      int64    `db:"leased" json:"leased"`
	Quarantined int64    `db:"quarantined" json:"quarantined"`
	Static      int64    `db:"static" json:"static"`
	Free        float64  `db:"free" json:"free"`
	UsedPercent *float64 `db:"used_percent" json:"used_percent"` // nil: there is nothing to give
	Leaving     int64    `db:"leaving" json:"leaving"`           // held in ranges that are draining
}

const (
	sqlPools = `
SELECT p.name,
	ARRAY(SELECT r.range FROM pool_ranges r WHERE r.pool = p.name AND r.kind = 'include' AND NOT r.draining ORDER BY r.first_address) AS ranges,
	ARRAY(SELECT r.range FROM pool_ranges r WHERE r.pool = p.name AND r.kind = 'include' AND r.draining ORDER BY r.first_address) AS draining_ranges,
	ARRAY(SELECT r.range FROM pool_ranges r WHERE r.pool = p.name AND r.kind = 'exclude' ORDER BY r.first_address) AS exclude,
	p.routing_context, p.family, p.prefix_length, extract(epoch FROM p.quarantine)::float8 AS quarantine, p.sticky, p.draining,
	ARRAY(SELECT d.domain FROM domain_pools d WHERE d.pool = p.name
		UNION SELECT d.name FROM domains d WHERE p.name = ANY (d.ipv6_pools) OR p.name = ANY (d.delegated_pools) ORDER BY 1) AS domains, p.description
FROM pools p WHERE $1 = '' OR p.name = $1 ORDER BY p.name`

	sqlPoolUsage = `
SELECT pool, draining, size::float8, leased::bigint, quarantined::bigint, static::bigint, free::float8, used_percent::float8, leaving::bigint
FROM pool_usage WHERE $1 = '' OR pool = $1 ORDER BY used_percent DESC NULLS FIRST, pool`
)

// Pools lists the pool of this name, or all of them when it is empty.
func (a *Admin) Pools(ctx context.Context, name string) ([]AdminPool, error) {
	return adminRows[AdminPool](ctx, a, "list pools", sqlPools, name)
}

// PoolUsage tells how full the pool of this name is, or all of them, the fullest first.
func (a *Admin) PoolUsage(ctx context.Context, name string) ([]PoolUsage, error) {
	return adminRows[PoolUsage](ctx, a, "ask how full pools are", sqlPoolUsage, name)
}

// PoolChange is what to do with one pool. Ranges are written first-last, as a network, or as one address, and named for
// dropping exactly as they were written.
type PoolChange struct {
	Settings                AdminSettings
	Ranges, Exclude         []string // to add
	DropRanges, DropExclude []string
}

// AddPool makes a pool.
func (a *Admin) AddPool(ctx context.Context, name string, c PoolChange) error {
	row := AdminSettings{"name": name}
	for k, v := range c.Settings {
		row[k] = v
	}
	return a.change(ctx, fmt.Sprintf("add the pool %q", name), func(tx pgx.Tx) error {
		if _, err := adminInsert(ctx, tx, "pools", "", row); err != nil {
			return err
		}
		return c.ranges(ctx, tx, name)
	})
}

// SetPool changes a pool. What has an address of a dropped range keeps it until its session ends.
func (a *Admin) SetPool(ctx context.Context, name string, c PoolChange) error {
	return a.change(ctx, fmt.Sprintf("change the pool %q", name), func(tx pgx.Tx) error {
		there, err := adminUpdate(ctx, tx, "pools", name, c.Settings)
		if err != nil {
			return err
		} else if !there {
			return missing("there is no pool of this name", "see: lnsgate pool list")
		}
		if renamed, ok := c.Settings["name"].(string); ok {
			name = renamed
		}
		return c.ranges(ctx, tx, name)
	})
}

const (
	sqlDropRange  = `DELETE FROM pool_ranges WHERE pool = $1 AND kind = $2 AND range = $3`
	sqlAddRange   = `INSERT INTO pool_ranges (pool, kind, range) VALUES ($1, $2, $3)`
	sqlDrainRange = `UPDATE pool_ranges SET draining = $3 WHERE pool = $1 AND kind = 'include' AND range = $2`
)

// ranges drops first: what is left free by one range may be taken by another.
func (c PoolChange) ranges(ctx context.Context, tx pgx.Tx, name string) error {
	for kind, list := range map[string][]string{"include": c.DropRanges, "exclude": c.DropExclude} {
		for _, r := range list {
			if tag, err := tx.Exec(ctx, sqlDropRange, name, kind, r); err != nil {
				return err
			} else if tag.RowsAffected() == 0 {
				return noRange(r)
			}
		}
	}
	for _, add := range []struct {
		kind string
		list []string
	}{{"include", c.Ranges}, {"exclude", c.Exclude}} {
		for _, r := range add.list {
			if _, err := tx.Exec(ctx, sqlAddRange, name, add.kind, r); err != nil {
				return err
			}
		}
	}
	return nil
}

func noRange(written string) error {
	return missing(fmt.Sprintf("the pool has no range written %s", written), "ranges are named exactly as they were written; see: lnsgate pool list")
}

// DrainPool lets a pool, or one of its ranges, give no new leases, or undoes that. Nobody is disconnected.
func (a *Admin) DrainPool(ctx context.Context, name, written string, drain bool) error {
	if written == "" {
		return a.SetPool(ctx, name, PoolChange{Settings: AdminSettings{"draining": drain}})
	}
	return a.change(ctx, fmt.Sprintf("change the pool %q", name), func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, sqlDrainRange, name, written, drain)
		if err == nil && tag.RowsAffected() == 0 {
			err = noRange(written)
		}
		return err
	})
}

// DeletePool deletes a pool that nothing refers to any more. Sessions keep their addresses.
func (a *Admin) DeletePool(ctx context.Context, name string) error {
	return a.change(ctx, fmt.Sprintf("delete the pool %q", name), func(tx pgx.Tx) error {
		there, err := adminDelete(ctx, tx, "pools", name)
		if err == nil && !there {
			err = missing("there is no pool of this name", "see: lnsgate pool list")
		}
		return err
	})
}
