package postgres

import (
	"context"
	"fmt"
	"net/netip"
	"strings"

	"github.com/jackc/pgx/v5"
)

// AdminDomain is a domain, with lengths of time in seconds and rates in bits per second.
type AdminDomain struct {
	Name               string         `db:"name" json:"name"`
	Aliases            []string       `db:"aliases" json:"aliases"`
	Description        *string        `db:"description" json:"description"`
	Blocked            bool           `db:"blocked" json:"blocked"`
	Authentication     []string       `db:"authentication" json:"authentication"`
	OnBackendError     string         `db:"on_backend_error" json:"on_backend_error"`
	Methods            []string       `db:"methods" json:"methods"`
	Pools              []string       `db:"pools" json:"pools"`
	VirtualTemplate    *string        `db:"virtual_template" json:"virtual_template"`
	DNS                []netip.Addr   `db:"dns" json:"dns"`
	NBNS               []netip.Addr   `db:"nbns" json:"nbns"`
	ClientRoutes       []netip.Prefix `db:"client_routes" json:"client_routes"`
	DNSSuffix          *string        `db:"dns_suffix" json:"dns_suffix"`
	IPv6Pools          []string       `db:"ipv6_pools" json:"ipv6_pools"`
	DelegatedPools     []string       `db:"delegated_pools" json:"delegated_pools"`
	IPv6DNS            []netip.Addr   `db:"ipv6_dns" json:"ipv6_dns"`
	SessionTimeout     *float64       `db:"session_timeout" json:"session_timeout"`
	IdleTimeout        *float64       `db:"idle_timeout" json:"idle_timeout"`
	MTU                *int           `db:"mtu" json:"mtu"`
	RateUp             *int64         `db:"rate_up" json:"rate_up"`
	RateDown           *int64         `db:"rate_down" json:"rate_down"`
	MaxSessions        *int           `db:"max_sessions" json:"max_sessions"`
	MaxAccountSessions *int           `db:"max_account_sessions" json:"max_account_sessions"`
	SessionPolicy      string         `db:"session_policy" json:"session_policy"`
	AccountingInterim  *float64       `db:"accounting_interim" json:"accounting_interim"`
	Accounts           int64          `db:"accounts" json:"accounts"`
	Sessions           int64          `db:"sessions" json:"sessions"`
}

const sqlDomains = `
SELECT d.name, ARRAY(SELECT a.alias FROM domain_aliases a WHERE a.domain = d.name ORDER BY 1) AS aliases, d.description, d.blocked,
	d.authentication, d.on_backend_error, d.methods,
	ARRAY(SELECT p.pool FROM domain_pools p WHERE p.domain = d.name ORDER BY p.ordinal) AS pools, d.virtual_template, d.dns, d.nbns,
	d.client_routes, d.dns_suffix, d.ipv6_pools, d.delegated_pools, d.ipv6_dns,
	extract(epoch FROM d.session_timeout)::float8 AS session_timeout, extract(epoch FROM d.idle_timeout)::float8 AS idle_timeout,
	d.mtu, d.rate_up, d.rate_down, d.max_sessions, d.max_account_sessions, d.session_policy,
	extract(epoch FROM d.accounting_interim)::float8 AS accounting_interim,
	(SELECT count(*) FROM accounts a WHERE a.domain = d.name) AS accounts,
	(SELECT count(*) FROM sessions s WHERE s.domain = d.name) AS sessions
FROM domains d WHERE $1 = '' OR d.name = lower($1) ORDER BY d.name`

// Domains lists the domain of this name, or all of them when it is empty.
func (a *Admin) Domains(ctx context.Context, name string) ([]AdminDomain, error) {
	return adminRows[AdminDomain](ctx, a, "list domains", sqlDomains, name)
}

// DomainChange is what to do with one domain. Nil leaves a part as it is; an empty list empties it.
type DomainChange struct {
	Settings AdminSettings
	Pools    *[]string // instead of all, in order
	Aliases  *[]string // instead of all
}

// AddDomain makes a domain.
func (a *Admin) AddDomain(ctx context.Context, name string, c DomainChange) error {
	row := AdminSettings{"name": name}
	for k, v := range c.Settings {
		row[k] = v
	}
	return a.change(ctx, fmt.Sprintf("add the domain %q", name), func(tx pgx.Tx) error {
		if _, err := adminInsert(ctx, tx, "domains", "", row); err != nil {
			return err
		}
		return c.lists(ctx, tx, name)
	})
}

// SetDomain changes a domain.
func (a *Admin) SetDomain(ctx context.Context, name string, c DomainChange) error {
	name = strings.ToLower(name)
	return a.change(ctx, fmt.Sprintf("change the domain %q", name), func(tx pgx.Tx) error {
		// The lists come first: a rename may add the old name as an alias, which is not one of those to be dropped.
		if err := c.lists(ctx, tx, name); err != nil {
			return err
		}
		there, err := adminUpdate(ctx, tx, "domains", name, c.Settings)
		if err == nil && !there {
			err = missing("there is no domain of this name", "see: lnsgate domain list")
		}
		return err
	})
}

// Rows that stay are not touched, so that nobody is told of a change that is none.
const (
	sqlDropDomainPools = `DELETE FROM domain_pools WHERE domain = lower($1) AND pool <> ALL ($2::text[])`
	sqlSetDomainPools  = `INSERT INTO domain_pools AS d (domain, pool, ordinal)
		SELECT lower($1), u.pool, u.n FROM unnest($2::text[]) WITH ORDINALITY AS u (pool, n)
		ON CONFLICT (domain, pool) DO UPDATE SET ordinal = EXCLUDED.ordinal WHERE d.ordinal <> EXCLUDED.ordinal`
	sqlDropAliases = `DELETE FROM domain_aliases WHERE domain = lower($1) AND alias <> ALL (SELECT lower(u) FROM unnest($2::text[]) u)`
	sqlAddAliases  = `INSERT INTO domain_aliases (alias, domain) SELECT DISTINCT lower(u), lower($1) FROM unnest($2::text[]) u
		WHERE NOT EXISTS (SELECT FROM domain_aliases a WHERE a.alias = lower(u) AND a.domain = lower($1))`
)

func (c DomainChange) lists(ctx context.Context, tx pgx.Tx, name string) error {
	type step struct {
		statement string
		list      *[]string
	}
	for _, s := range []step{{sqlDropDomainPools, c.Pools}, {sqlSetDomainPools, c.Pools}, {sqlDropAliases, c.Aliases}, {sqlAddAliases, c.Aliases}} {
		if s.list == nil {
			continue
		}
		if _, err := tx.Exec(ctx, s.statement, name, append([]string{}, *s.list...)); err != nil {
			return err
		}
	}
	return nil
}

// DeleteDomain deletes a domain that has no accounts any more.
func (a *Admin) DeleteDomain(ctx context.Context, name string) error {
	return a.change(ctx, fmt.Sprintf("delete the domain %q", name), func(tx pgx.Tx) error {
		there, err := adminDelete(ctx, tx, "domains", strings.ToLower(name))
		if err == nil && !there {
			err = missing("there is no domain of this name", "see: lnsgate domain list")
		}
		return err
	})
}
