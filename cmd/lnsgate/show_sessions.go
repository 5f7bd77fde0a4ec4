package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"lnsgate/lns/admin"

	"github.com/spf13/cobra"
)

// sessionQuestion is which sessions are to be shown.
type sessionQuestion struct {
	cmd           *cobra.Command
	filter        admin.SessionFilter
	page          admin.PageOf
	address, peer string
}

// tableRows is how many sessions a table has that is not told how many.
const tableRows = 1000

func (q *sessionQuestion) flags(cmd *cobra.Command) {
	q.cmd = cmd
	f := cmd.Flags()
	f.StringVar(&q.filter.User, "user", "", "only this user: the name as typed or the account, exactly")
	f.StringVar(&q.filter.Domain, "domain", "", "only this domain")
	f.StringVar(&q.address, "address", "", "only the one with this address")
	f.StringVar(&q.peer, "peer", "", "only those from this address or network")
	f.StringVar(&q.filter.Phase, "phase", "", "only those in this phase, such as open")
	f.StringVar(&q.filter.Pool, "pool", "", "only those with an address of this pool")
	f.StringVar(&q.filter.Search, "search", "", "only those with this in a name, an address or a number")
	f.StringVar(&q.page.Sort, "sort", "", "session, user, domain, address, peer, since, received or sent; with - before it downwards: --sort=-received")
	f.IntVar(&q.page.Limit, "limit", tableRows, "at most so many; 0: all")
}

// ask has a table say when there are more than it shows.
func (q *sessionQuestion) ask(ctx context.Context, c *admin.Client) (any, error) {
	var err error
	if q.address != "" {
		if q.filter.Address, err = netip.ParseAddr(q.address); err != nil {
			return nil, fmt.Errorf("--address: %q is not an address", q.address)
		}
	}
	if q.peer != "" {
		if q.filter.Peer, err = parseNetwork(q.peer); err != nil {
			return nil, fmt.Errorf("--peer: %w", err)
		}
	}
	if q.page.Limit < 0 {
		return nil, errors.New("--limit: give 0 for all, or how many")
	}
	if output, _ := q.cmd.Flags().GetString("output"); output == "json" && !q.cmd.Flags().Changed("limit") {
		q.page.Limit = 0
	}
	page, err := c.SessionPage(ctx, q.filter, q.page)
	if err == nil && page.Next != "" {
		err = &admin.PartialError{Warning: fmt.Sprintf("%d of %d sessions are shown; --limit 0 shows all", len(page.Sessions), page.Total)}
	}
	return page.Sessions, err
}

// parseNetwork takes an address for the network of it alone.
func parseNetwork(text string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(text); err == nil {
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return p, fmt.Errorf("%q is neither an address nor a network", text)
	}
	return p.Masked(), nil
}
