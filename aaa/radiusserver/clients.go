package radiusserver

import (
	"net/netip"
	"slices"
	"sync/atomic"

	"lnsgate/aaa/radius/wire"
)

// client is a Client in service.
type client struct {
	Client
	key    *wire.Key // for UDP; nil: not for it
	stream *wire.Key // for TLS; nil: not for it
	slots  slots     // its share of those of the server
	counts *counts
	told   *occasions
}

// radSecSecret is what clients and servers have for TLS (RFC 6614 section 2.3). It is TLS that keeps what is secret.
const radSecSecret = "radsec"

// inService makes the keys of a client. One that had this name before, or nil, leaves its counters, and its slots with what is
// under way. Share is how many slots it may have.
func inService(c Client, before *client, share int) *client {
	one := &client{Client: c}
	if before != nil {
		one.slots, one.counts, one.told = before.slots, before.counts, before.told
	} else {
		one.slots, one.counts, one.told = newSlots(share), new(counts), new(occasions)
	}
	one.Source = c.Source.Masked()
	if !c.Secret.IsZero() {
		one.key = wire.NewKey(c.Secret.Reveal())
	}
	switch {
	case !c.TLS:
	case c.TLSSecret.IsZero():
		one.stream = wire.NewKey(radSecSecret)
	default:
		one.stream = wire.NewKey(c.TLSSecret.Reveal())
	}
	return one
}

// counts is one counter for each outcome.
type counts [outcomeCount]atomic.Uint64

// network is the clients whose prefixes have the same length.
type network struct {
	bits    int
	clients map[netip.Prefix]*client
}

// clientTable finds clients by source. It is immutable. Each family has its networks, the longest prefix first.
type clientTable struct {
	four, six []network
	all       []*client
}

// newClientTable makes a table. A client that had this name before keeps its counters; each may
// have so many slots.
func newClientTable(clients []Client, before *clientTable, share int) *clientTable {
	t := &clientTable{}
	for _, c := range clients {
		one := inService(c, before.named(c.Name), share)
		t.all = append(t.all, one)
		family := &t.six
		if one.Source.Addr().Is4() {
			family = &t.four
		}
		i := slices.IndexFunc(*family, func(n network) bool { return n.bits == one.Source.Bits() })
		if i < 0 {
			i = len(*family)
			*family = append(*family, network{one.Source.Bits(), map[netip.Prefix]*client{}})
		}
		(*family)[i].clients[one.Source] = one
	}
	for _, family := range [][]network{t.four, t.six} {
		slices.SortFunc(family, func(a, b network) int { return b.bits - a.bits })
	}
	return t
}

func (t *clientTable) named(name string) *client {
	if t != nil {
		for _, c := range t.all {
			if c.Name == name {
				return c
			}
		}
	}
	return nil
}

// find returns who sends from an address, or nil. It takes no memory.
func (t *clientTable) find(source netip.Addr) *client {
	source = source.Unmap().WithZone("")
	family := t.six
	if source.Is4() {
		family = t.four
	}
	for _, n := range family {
		if prefix, err := source.Prefix(n.bits); err == nil {
			if c := n.clients[prefix]; c != nil {
				return c
			}
		}
	}
	return nil
}
