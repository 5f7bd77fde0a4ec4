package postgres

import "context"

// AdminCounts says how much there is in a database.
type AdminCounts struct {
	Domains  int64 `db:"domains" json:"domains"`
	Pools    int64 `db:"pools" json:"pools"`
	Accounts int64 `db:"accounts" json:"accounts"`
}

const sqlCounts = `SELECT (SELECT count(*) FROM domains) AS domains, (SELECT count(*) FROM pools) AS pools, (SELECT count(*) FROM accounts) AS accounts`

// Counts counts what administrators write.
func (a *Admin) Counts(ctx context.Context) (AdminCounts, error) {
	list, err := adminRows[AdminCounts](ctx, a, "count what is there", sqlCounts)
	if err != nil {
		return AdminCounts{}, err
	}
	return list[0], nil
}

// Poolless says that accounts of a domain get no address: neither they nor their profiles nor the domain name a pool, and
// they have no fixed address.
type Poolless struct {
	Domain   *string `db:"domain"` // nil: accounts without one
	Accounts int64   `db:"accounts"`
	Example  string  `db:"example"`
}

const sqlPoolless = `
SELECT a.domain, count(*) AS accounts, min(a.name) AS example
FROM accounts a LEFT JOIN profiles p ON p.name = a.profile
WHERE coalesce(cardinality(coalesce(a.pools, p.pools)), 0) = 0
	AND NOT EXISTS (SELECT FROM domain_pools d WHERE d.domain = a.domain)
	AND NOT EXISTS (SELECT FROM static_addresses s WHERE s.account = a.name)
GROUP BY a.domain ORDER BY a.domain NULLS FIRST`

// Poolless lists the domains some of whose accounts get no address.
func (a *Admin) Poolless(ctx context.Context) ([]Poolless, error) {
	return adminRows[Poolless](ctx, a, "look for accounts that get no address", sqlPoolless)
}
