package postgres

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"lnsgate/aaa"
)

// AdminAccount is an account as it works in the end: what it does not say itself its profile or its domain says. Times of
// length are in seconds, rates in bits per second. It holds no password, only the names of the forms that are stored.
type AdminAccount struct {
	Name           string         `db:"name" json:"name"`
	Domain         *string        `db:"domain" json:"domain"`
	Status         string         `db:"status" json:"status"`
	Password       []string       `db:"password" json:"password"`
	Profile        *string        `db:"profile" json:"profile"`
	Addresses      []netip.Addr   `db:"addresses" json:"addresses"`
	Pools          []string       `db:"pools" json:"pools"`
	DNS            []netip.Addr   `db:"dns" json:"dns"`
	NBNS           []netip.Addr   `db:"nbns" json:"nbns"`
	SessionTimeout *float64       `db:"session_timeout" json:"session_timeout"`
	IdleTimeout    *float64       `db:"idle_timeout" json:"idle_timeout"`
	MTU            *int           `db:"mtu" json:"mtu"`
	RateUp         *int64         `db:"rate_up" json:"rate_up"`
	RateDown       *int64         `db:"rate_down" json:"rate_down"`
	MaxSessions    *int           `db:"max_sessions" json:"max_sessions"`
	Sessions       int64          `db:"sessions" json:"sessions"`
	Routes         []netip.Prefix `db:"routes" json:"routes"`
	IPv6Prefix     *netip.Prefix  `db:"ipv6_prefix" json:"ipv6_prefix"`
	Delegated      *netip.Prefix  `db:"delegated_prefix" json:"delegated_prefix"`
	IPv6Pools      []string       `db:"ipv6_pools" json:"ipv6_pools"`
	DelegatedPools []string       `db:"delegated_pools" json:"delegated_pools"`
	IPv6DNS        []netip.Addr   `db:"ipv6_dns" json:"ipv6_dns"`
	Description    *string        `db:"description" json:"description"`
	ValidFrom      *time.Time     `db:"valid_from" json:"valid_from"`
	ValidUntil     *time.Time     `db:"valid_until" json:"valid_until"`
	CreatedAt      time.Time      `db:"created_at" json:"created_at"`
	ChangedAt      time.Time      `db:"changed_at" json:"changed_at"`
}

// AccountFilter selects accounts. Empty fields select all.
type AccountFilter struct {
	Name    string // exactly
	Match   string // a part of the name, in small or capital letters alike
	Domain  string
	Status  string // active, disabled, ...
	Address string // fixed, as text
	Profile string
	After   string // names behind this one
	Limit   int    // 0: all
}

const sqlAccounts = `
SELECT name, domain, status, password, profile, addresses, pools, dns, nbns,
	extract(epoch FROM session_timeout)::float8 AS session_timeout, extract(epoch FROM idle_timeout)::float8 AS idle_timeout,
	mtu, rate_up, rate_down, max_sessions, sessions, routes, ipv6_prefix, delegated_prefix, ipv6_pools, delegated_pools, ipv6_dns, description, valid_from, valid_until, created_at, changed_at
FROM account_overview o
WHERE ($1 = '' OR name = $1) AND ($2 = '' OR position(lower($2) IN lower(name)) > 0) AND ($3 = '' OR domain = lower($3)
	OR domain = (SELECT d.domain FROM domain_aliases d WHERE d.alias = lower($3)))
	AND ($4 = '' OR status = $4) AND ($5 = '' OR name IN (SELECT s.account FROM static_addresses s WHERE s.address = host(nullif($5, '')::inet)::inet))
	AND ($6 = '' OR profile = $6) AND name > $7
ORDER BY name LIMIT nullif($8, 0)`

// Accounts lists accounts by name.
func (a *Admin) Accounts(ctx context.Context, f AccountFilter) ([]AdminAccount, error) {
	return adminRows[AdminAccount](ctx, a, "list accounts", sqlAccounts, f.Name, f.Match, f.Domain, f.Status, f.Address, f.Profile, f.After, f.Limit)
}

// Account is the account of exactly this name.
func (a *Admin) Account(ctx context.Context, name string) (AdminAccount, error) {
	list, err := a.Accounts(ctx, AccountFilter{Name: name})
	switch {
	case err != nil:
		return AdminAccount{}, err
	case len(list) == 0:
		return AdminAccount{}, a.noAccount(ctx, name)
	}
	return list[0], nil
}

// AccountChange is what to do with one account. Nil leaves a part as it is.
type AccountChange struct {
	Settings AdminSettings
	Password *aaa.Secret
	Address  *string // the fixed address instead of all it has; empty: none

	IPv6Prefix      *string // the fixed prefix of its link; empty: none
	DelegatedPrefix *string // the fixed prefix for the networks behind it; empty: none
}

// AddAccount makes an account and returns what became of its password.
func (a *Admin) AddAccount(ctx context.Context, name string, c AccountChange) (note string, err error) {
	row := AdminSettings{"name": name}
	for k, v := range c.Settings {
		row[k] = v
	}
	err = a.change(ctx, fmt.Sprintf("add the account %q", name), func(tx pgx.Tx) error {
		if _, err := adminInsert(ctx, tx, "accounts", "", row); err != nil {
			return err
		}
		note, err = c.rest(ctx, tx, name)
		return err
	})
	return note, err
}

// SetAccount changes an account.
func (a *Admin) SetAccount(ctx context.Context, name string, c AccountChange) (note string, err error) {
	err = a.change(ctx, fmt.Sprintf("change the account %q", name), func(tx pgx.Tx) error {
		there, err := adminUpdate(ctx, tx, "accounts", name, c.Settings)
		if err != nil {
			return err
		} else if !there {
			return missing("there is no account of this name", "")
		}
		if renamed, ok := c.Settings["name"].(string); ok {
			name = renamed
		}
		note, err = c.rest(ctx, tx, name)
		return err
	})
	return note, a.near(ctx, name, err)
}

const (
	sqlSetPassword = `SELECT set_password($1, $2)`
	sqlDropStatic  = `DELETE FROM static_addresses WHERE account = $1 AND prefix_length IS NULL AND address <> coalesce(nullif($2, '')::inet, '::')`
	sqlAddStatic   = `INSERT INTO static_addresses(account, address) SELECT $1, $2::text::inet
		WHERE NOT EXISTS (SELECT FROM static_addresses WHERE account = $1 AND address = $2::text::inet)`

	// What stays is not touched, so that nobody is told of a change that is none.
	sqlDropPrefix = `DELETE FROM static_addresses WHERE account = $1 AND delegated = $2 AND prefix_length IS NOT NULL
		AND set_masklen(address, prefix_length) <> coalesce(nullif($3, '')::inet, '::')`
	sqlAddPrefix = `INSERT INTO static_addresses(account, delegated, address) SELECT $1, $2, $3::text::inet
		WHERE NOT EXISTS (SELECT FROM static_addresses WHERE account = $1 AND delegated = $2 AND prefix_length IS NOT NULL)`
)

func (c AccountChange) rest(ctx context.Context, tx pgx.Tx, name string) (note string, err error) {
	if c.Password != nil {
		if err := tx.QueryRow(ctx, sqlSetPassword, name, c.Password.Reveal()).Scan(&note); err != nil {
			return "", err
		}
	}
	if c.Address != nil {
		if _, err := tx.Exec(ctx, sqlDropStatic, name, *c.Address); err != nil {
			return "", err
		}
		if *c.Address != "" {
			if _, err := tx.Exec(ctx, sqlAddStatic, name, *c.Address); err != nil {
				return "", err
			}
		}
	}
	for delegated, p := range map[bool]*string{false: c.IPv6Prefix, true: c.DelegatedPrefix} {
		if err := setPrefix(ctx, tx, name, delegated, p); err != nil {
			return "", err
		}
	}
	return note, nil
}

// setPrefix gives an account its one fixed prefix for a purpose.
func setPrefix(ctx context.Context, tx pgx.Tx, name string, delegated bool, p *string) error {
	if p == nil {
		return nil
	}
	if _, err := tx.Exec(ctx, sqlDropPrefix, name, delegated, *p); err != nil || *p == "" {
		return err
	}
	if prefix, err := netip.ParsePrefix(*p); err != nil || !prefix.Addr().Is6() {
		return &AdminError{Text: fmt.Sprintf("%q is not an IPv6 prefix", *p), Advice: "write it like 2001:db8:0:7::/64"}
	}
	_, err := tx.Exec(ctx, sqlAddPrefix, name, delegated, *p)
	return err
}

// DeleteAccount deletes an account; its sessions end.
func (a *Admin) DeleteAccount(ctx context.Context, name string) error {
	err := a.change(ctx, fmt.Sprintf("delete the account %q", name), func(tx pgx.Tx) error {
		there, err := adminDelete(ctx, tx, "accounts", name)
		if err == nil && !there {
			err = missing("there is no account of this name", "")
		}
		return err
	})
	return a.near(ctx, name, err)
}

const sqlNearAccounts = `SELECT name FROM accounts WHERE lower(user_of(name)) = lower(user_of($1)) ORDER BY name LIMIT 3`

func (a *Admin) noAccount(ctx context.Context, name string) error {
	return a.near(ctx, name, &AdminError{What: fmt.Sprintf("account %q", name), Text: "there is no account of this name", Err: pgx.ErrNoRows})
}

// near adds the names that may have been meant to the error of a name that is not there.
func (a *Admin) near(ctx context.Context, name string, err error) error {
	e, ok := err.(*AdminError)
	if !ok || e.Err != pgx.ErrNoRows {
		return err
	}
	rows, queryErr := a.conn.Query(ctx, sqlNearAccounts, name)
	if queryErr != nil {
		return err
	}
	if near, queryErr := pgx.CollectRows(rows, pgx.RowTo[string]); queryErr == nil && len(near) > 0 {
		e.Advice = "there is " + strings.Join(near, ", ")
	}
	return err
}

// AdminHolder is one session that had an address.
type AdminHolder struct {
	Account       string      `db:"account" json:"account"`
	Name          string      `db:"name" json:"name"`
	Domain        *string     `db:"domain" json:"domain"`
	Session       string      `db:"session" json:"session"`
	Node          string      `db:"node" json:"node"`
	StartedAt     time.Time   `db:"started_at" json:"started_at"`
	StoppedAt     *time.Time  `db:"stopped_at" json:"stopped_at"`
	Peer          *netip.Addr `db:"peer" json:"peer"`
	PeerName      *string     `db:"peer_name" json:"peer_name"`
	CallingNumber *string     `db:"calling_number" json:"calling_number"`
	NAS           *string     `db:"nas" json:"nas,omitempty"` // which other NAS carried it
}

const sqlWhoHad = `SELECT account, name, domain, session, node, started_at, stopped_at, peer, peer_name, calling_number, nas FROM who_had($1::inet, $2)`

// WhoHad tells who had an address at a time, the one who got it last first.
func (a *Admin) WhoHad(ctx context.Context, address netip.Addr, at time.Time) ([]AdminHolder, error) {
	return adminRows[AdminHolder](ctx, a, fmt.Sprintf("ask who had %v", address), sqlWhoHad, address, at)
}
