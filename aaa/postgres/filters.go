package postgres

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/jackc/pgx/v5"
)

// Filter is a filter of traffic as it stands in the database, in its words. It is checked and compiled where it is used.
type Filter struct {
	Name          string
	DefaultAction string // deny or allow
	Rules         []FilterRule
}

// FilterRule is one rule of a filter.
type FilterRule struct {
	Action      string       // deny or allow
	Direction   string       // both, up or down
	Network     netip.Prefix // invalid: anywhere
	Protocol    string       // a name or a number; "" = any
	Ports       []string     // "443" or "8000-8100"; none = any
	Types       []uint8      // of ICMP messages; none = any
	Established bool
}

const filtersSQL = `
SELECT f.name, f.default_action, r.action, coalesce(r.direction, ''), r.network, coalesce(r.protocol, ''), r.ports, r.types,
	coalesce(r.established, false)
FROM filters f LEFT JOIN filter_rules r ON r.filter = f.name
ORDER BY f.name, r.ordinal`

// Filters reads all filters, with their rules in order. The error is a *aaa.Rejection.
func (b *Backend) Filters(ctx context.Context) ([]Filter, error) {
	var filters []Filter
	err := b.db.ask(ctx, "read the filters", func(ctx context.Context) error {
		rows, err := b.db.pool.Query(ctx, filtersSQL)
		if err != nil {
			return err
		}
		filters, err = collectFilters(rows)
		return err
	})
	return filters, err
}

func collectFilters(rows pgx.Rows) (filters []Filter, err error) {
	var (
		f       Filter
		r       FilterRule
		action  *string
		network *netip.Prefix
		types   []int16
	)
	columns := []any{&f.Name, &f.DefaultAction, &action, &r.Direction, &network, &r.Protocol, &r.Ports, &types, &r.Established}
	_, err = pgx.ForEachRow(rows, columns, func() error {
		if n := len(filters); n == 0 || filters[n-1].Name != f.Name {
			filters = append(filters, f)
		}
		if action == nil {
			return nil // a filter without rules
		}
		rule := r
		rule.Action, rule.Network = *action, value(network)
		for _, t := range types {
			if t < 0 || t > 255 {
				return fmt.Errorf("filter %q: there is no ICMP type %d", f.Name, t)
			}
			rule.Types = append(rule.Types, uint8(t))
		}
		last := &filters[len(filters)-1]
		last.Rules = append(last.Rules, rule)
		return nil
	})
	return filters, err
}
