package main

import (
	"context"
	"errors"
	"net/http"
	"net/netip"

	"lnsgate/lns/admin"
	"lnsgate/pool"
	"lnsgate/pool/memory"
	sqlpools "lnsgate/pool/postgres"
)

// addressBook tells of single addresses, and what would be given: those of the file, and with a database those of it too.
type addressBook struct {
	file   *memory.Allocator
	both   *bothPools // nil without a database
	shared *sqlpools.Allocator
	node   string
}

func (n *node) addressBook() *addressBook {
	n.mu.Lock()
	b := &addressBook{file: n.filePools, node: n.config.Node}
	n.mu.Unlock()
	if both, ok := n.pools.(*bothPools); ok {
		b.both, b.shared = both, n.db.leases
	}
	return b
}

// of is who has the pool.
func (b *addressBook) of(name string) pool.Observer {
	if b.both == nil || b.both.inFile.Load().pools[name] {
		return b.file
	}
	return b.shared
}

func noPool(err error) error {
	var unknown *pool.UnknownPoolError
	if errors.As(err, &unknown) {
		return &admin.Error{Status: http.StatusNotFound, Message: err.Error(), Hint: "see: lnsgate show pools"}
	}
	return err
}

// Ranges implements admin.AddressBook.
func (b *addressBook) Ranges(_ context.Context, name string) ([]string, error) {
	spans, err := b.of(name).Spans(name)
	return each(spans, pool.Range.String), noPool(err)
}

// Addresses implements admin.AddressBook.
func (b *addressBook) Addresses(ctx context.Context, name string, after netip.Addr, limit int) ([]admin.AddressState, error) {
	list, err := b.of(name).Addresses(ctx, name, after, limit)
	return each(list, b.view), noPool(err)
}

func (b *addressBook) view(o pool.Occupancy) admin.AddressState {
	node := o.Node
	if node == "" && o.State == pool.Leased {
		node = b.node
	}
	return admin.AddressState{Address: o.Address, State: o.State.String(), Static: o.Static, Account: o.Account, Session: o.Holder,
		Node: node, Since: o.Since, Until: o.Until}
}

// forecast tells what would be given, as bothPools.Allocate would give it.
func (b *addressBook) forecast(ctx context.Context, r pool.Request) (pool.Lease, error) {
	switch {
	case b.both == nil:
		return b.file.Forecast(ctx, r)
	case r.Address.IsValid() && b.both.inFile.Load().has(r.Address):
		return b.file.Forecast(ctx, r)
	case r.Address.IsValid():
		return b.shared.Forecast(ctx, r)
	case len(r.Pools) == 0:
		return pool.Lease{}, pool.ErrNoPool
	}
	tried := &pool.ExhaustedError{}
	for _, name := range r.Pools {
		one := r
		one.Pools = []string{name}
		lease, err := b.of(name).Forecast(ctx, one)
		var full *pool.ExhaustedError
		if !errors.As(err, &full) {
			return lease, err
		}
		tried.Pools = append(tried.Pools, full.Pools...)
	}
	return pool.Lease{}, tried
}
