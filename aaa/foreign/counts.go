package foreign

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"lnsgate/aaa"
)

// Counts is an aaa.Registry of one node, in memory. It is safe for concurrent use.
type Counts struct {
	end func(ctx context.Context, session, reason string)

	mu       sync.Mutex
	entries  map[string]*aaa.Entry
	accounts map[string][]*aaa.Entry // the oldest first
	domains  map[string][]*aaa.Entry // the oldest first
}

var _ aaa.Registry = (*Counts)(nil)

// NewCounts makes a registry. End has a session end that gives way to a newer one: it is called by Enter, and the session does
// not count any more.
func NewCounts(end func(ctx context.Context, session, reason string)) *Counts {
	return &Counts{
		end: end, entries: map[string]*aaa.Entry{}, accounts: map[string][]*aaa.Entry{}, domains: map[string][]*aaa.Entry{},
	}
}

// Enter implements aaa.Registry.
func (c *Counts) Enter(ctx context.Context, e aaa.Entry) error {
	ending, err := c.enter(&e)
	if err != nil {
		return err
	}
	for _, old := range ending {
		c.end(ctx, old.Session, fmt.Sprintf("%s has logged in anew, and has as many sessions as it may", e.Name))
	}
	return nil
}

func (c *Counts) enter(e *aaa.Entry) (ending []*aaa.Entry, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	before := c.entries[e.Session]
	c.remove(before)
	for _, limit := range []struct {
		what, name string
		most       int
		have       []*aaa.Entry
		reason     aaa.Reason
	}{
		{"account", e.Account, e.AccountLimit, c.accounts[e.Account], aaa.AccountSessions},
		{"domain", e.Domain, e.DomainLimit, c.domains[e.Domain], aaa.DomainSessions},
	} {
		if limit.most <= 0 {
			continue
		}
		have := slices.DeleteFunc(slices.Clone(limit.have), func(old *aaa.Entry) bool { return slices.Contains(ending, old) })
		over := len(have) + 1 - limit.most
		switch {
		case over <= 0:
		case e.Policy == aaa.ReplaceOld:
			ending = append(ending, have[:over]...)
		default:
			c.add(before)
			return nil, aaa.Reject(aaa.SessionLimit, "%s %q has %d of %d sessions; the oldest is %s, since %s",
				limit.what, limit.name, len(have), limit.most, have[0].Session, have[0].Since.Format(time.RFC3339)).For(limit.reason)
		}
	}
	for _, old := range ending {
		c.remove(old)
	}
	c.add(e)
	return ending, nil
}

// Leave implements aaa.Registry.
func (c *Counts) Leave(_ context.Context, session string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.remove(c.entries[session])
	return nil
}

func (c *Counts) add(e *aaa.Entry) {
	if e == nil {
		return
	}
	c.entries[e.Session] = e
	for list, name := range c.lists(e) {
		i, _ := slices.BinarySearchFunc(list[name], e, byAge)
		list[name] = slices.Insert(list[name], i, e)
	}
}

func (c *Counts) remove(e *aaa.Entry) {
	if e == nil {
		return
	}
	delete(c.entries, e.Session)
	for list, name := range c.lists(e) {
		if i, there := slices.BinarySearchFunc(list[name], e, byAge); there {
			list[name] = slices.Delete(list[name], i, i+1)
		}
		if len(list[name]) == 0 {
			delete(list, name)
		}
	}
}

// lists yields where an entry stands: in which lists, and of whom.
func (c *Counts) lists(e *aaa.Entry) func(yield func(map[string][]*aaa.Entry, string) bool) {
	return func(yield func(map[string][]*aaa.Entry, string) bool) {
		_ = yield(c.accounts, e.Account) && yield(c.domains, e.Domain)
	}
}

func byAge(a, b *aaa.Entry) int {
	return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.Session, b.Session))
}
