package postgres

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/jackc/pgx/v5"
)

// AdminProfile is what many accounts share, with lengths of time in seconds and rates in bits per second. Nil leaves a
// setting to the domain.
type AdminProfile struct {
	Name           string         `db:"name" json:"name"`
	Description    *string        `db:"description" json:"description"`
	MaxSessions    *int           `db:"max_sessions" json:"max_sessions"`
	Pools          []string       `db:"pools" json:"pools"`
	DNS            []netip.Addr   `db:"dns" json:"dns"`
	NBNS           []netip.Addr   `db:"nbns" json:"nbns"`
	SessionTimeout *float64       `db:"session_timeout" json:"session_timeout"`
	IdleTimeout    *float64       `db:"idle_timeout" json:"idle_timeout"`
	MTU            *int           `db:"mtu" json:"mtu"`
	RateUp         *int64         `db:"rate_up" json:"rate_up"`
	RateDown       *int64         `db:"rate_down" json:"rate_down"`
	Routes         []netip.Prefix `db:"routes" json:"routes"`
	IPv6Pool       *string        `db:"ipv6_pool" json:"ipv6_pool"`
	DelegatedPool  *string        `db:"delegated_pool" json:"delegated_pool"`
	IPv6DNS        []netip.Addr   `db:"ipv6_dns" json:"ipv6_dns"`
	Accounts       int64          `db:"accounts" json:"accounts"`
}

const sqlProfiles = `
SELECT p.name, p.description, p.max_sessions, p.pools, p.dns, p.nbns, extract(epoch FROM p.session_timeout)::float8 AS session_timeout,
	extract(epoch FROM p.idle_timeout)::float8 AS idle_timeout, p.mtu, p.rate_up, p.rate_down, p.routes, p.ipv6_pool, p.delegated_pool, p.ipv6_dns,
	(SELECT count(*) FROM accounts a WHERE a.profile = p.name) AS accounts
FROM profiles p WHERE $1 = '' OR p.name = $1 ORDER BY p.name`

// Profiles lists the profile of this name, or all of them when it is empty.
func (a *Admin) Profiles(ctx context.Context, name string) ([]AdminProfile, error) {
	return adminRows[AdminProfile](ctx, a, "list profiles", sqlProfiles, name)
}

// AddProfile makes a profile.
func (a *Admin) AddProfile(ctx context.Context, name string, s AdminSettings) error {
	row := AdminSettings{"name": name}
	for k, v := range s {
		row[k] = v
	}
	return a.change(ctx, fmt.Sprintf("add the profile %q", name), func(tx pgx.Tx) error {
		_, err := adminInsert(ctx, tx, "profiles", "", row)
		return err
	})
}

// SetProfile changes a profile. Its accounts follow, and their open sessions as far as they can.
func (a *Admin) SetProfile(ctx context.Context, name string, s AdminSettings) error {
	return a.change(ctx, fmt.Sprintf("change the profile %q", name), func(tx pgx.Tx) error {
		there, err := adminUpdate(ctx, tx, "profiles", name, s)
		if err == nil && !there {
			err = missing("there is no profile of this name", "see: lnsgate profile list")
		}
		return err
	})
}

// DeleteProfile deletes a profile that no account has any more.
func (a *Admin) DeleteProfile(ctx context.Context, name string) error {
	return a.change(ctx, fmt.Sprintf("delete the profile %q", name), func(tx pgx.Tx) error {
		there, err := adminDelete(ctx, tx, "profiles", name)
		if err == nil && !there {
			err = missing("there is no profile of this name", "see: lnsgate profile list")
		}
		return err
	})
}
