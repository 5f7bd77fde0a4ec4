package foreign

import (
	"context"

	"lnsgate/aaa"
)

// Counted tells how many sessions of an account and of a domain count towards their limits.
func (c *Counts) Counted(_ context.Context, account, domain string) (ofAccount, ofDomain int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.accounts[account]), len(c.domains[domain]), nil
}

var _ interface {
	aaa.Registry
	Counted(ctx context.Context, account, domain string) (int, int, error)
} = (*Counts)(nil)
