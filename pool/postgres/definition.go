package postgres

import (
	"context"
	"math"
	"math/bits"
	"net/netip"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"lnsgate/pool"
)

// key is an address in its routing context.
type key struct {
	context string
	address netip.Addr
}

// definition is one pool as the tables pools and pool_ranges describe it. It is never changed, only replaced.
type definition struct {
	name       string
	context    string
	quarantine time.Duration
	sticky     bool
	length     int          // of the prefixes that it gives; 0: addresses
	spans      []pool.Range // what may be given away: no exclusions, nothing that is draining
	size       uint64       // of spans, in prefixes or addresses
}

// definitions is everything the tables say about pools.
type definitions struct {
	pools []*definition // oldest first
	named map[string]*definition
	index map[string][]located // by routing context: disjoint and sorted
}

type located struct {
	span pool.Range
	home *definition
}

const selectPools = `
SELECT p.name, p.routing_context, (extract(epoch FROM p.quarantine) * 1000000)::bigint, p.sticky,
    coalesce(r.kind, ''), r.first_address, r.last_address, p.draining OR coalesce(r.draining, false), coalesce(p.prefix_length, 0)
FROM pools p LEFT JOIN pool_ranges r ON r.pool = p.name
ORDER BY p.created_at, p.name, r.first_address`

// readDefinitions reads all pools in one statement, so that they belong together.
func readDefinitions(ctx context.Context, db querier) (*definitions, error) {
	rows, err := db.Query(ctx, selectPools)
	if err != nil {
		return nil, err
	}
	d := &definitions{named: make(map[string]*definition), index: make(map[string][]located)}
	raw := make(map[*definition]*pool.Pool)
	var name, routing, kind string
	var quarantine int64
	var sticky, draining bool
	var length int
	var first, last *netip.Addr
	_, err = pgx.ForEachRow(rows, []any{&name, &routing, &quarantine, &sticky, &kind, &first, &last, &draining, &length}, func() error {
		p := d.named[name]
		if p == nil {
			p = &definition{name: name, context: routing, quarantine: time.Duration(quarantine) * time.Microsecond, sticky: sticky, length: length}
			d.named[name], d.pools, raw[p] = p, append(d.pools, p), &pool.Pool{PrefixLength: length}
		}
		switch {
		case kind == "exclude":
			raw[p].Exclude = append(raw[p].Exclude, pool.Range{First: *first, Last: *last})
		case kind == "include" && !draining:
			raw[p].Ranges = append(raw[p].Ranges, pool.Range{First: *first, Last: *last})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, p := range d.pools {
		p.spans = raw[p].Spans()
		p.size = total(p.spans, p.length)
		for _, span := range p.spans {
			d.index[p.context] = append(d.index[p.context], located{span, p})
		}
	}
	for _, x := range d.index {
		slices.SortFunc(x, func(a, b located) int { return a.span.First.Compare(b.span.First) })
	}
	return d, nil
}

func total(spans []pool.Range, length int) uint64 {
	var size uint64
	for _, span := range spans {
		sum, carry := bits.Add64(size, span.Count(length), 0)
		if carry != 0 {
			return math.MaxUint64
		}
		size = sum
	}
	return size
}

// find returns the span that the address may be given from, and its pool; nil if there is none.
func (d *definitions) find(k key) located {
	x := d.index[k.context]
	i, exact := slices.BinarySearchFunc(x, k.address, func(l located, a netip.Addr) int { return l.span.First.Compare(a) })
	if !exact {
		i--
	}
	if i < 0 || !x[i].span.Contains(k.address) {
		return located{}
	}
	return x[i]
}

// unfit returns the pool that shares addresses with an exact prefix and gives prefixes of another length; nil if there is none.
func (d *definitions) unfit(k key, length int) *definition {
	if k.address.Is4() {
		return nil
	}
	asked := pool.Range{First: k.address, Last: k.address}.Widen(length)
	for _, l := range d.index[k.context] {
		if l.home.length != length && l.span.Overlaps(asked) {
			return l.home
		}
	}
	return nil
}

// contexts lists the routing contexts there are.
func (d *definitions) contexts() []string {
	all := []string{"default"}
	for _, p := range d.pools {
		if !slices.Contains(all, p.context) {
			all = append(all, p.context)
		}
	}
	return all
}

// ends returns the spans as two arrays for a statement.
func ends(spans []pool.Range) (first, last []netip.Addr) {
	first, last = make([]netip.Addr, len(spans)), make([]netip.Addr, len(spans))
	for i, span := range spans {
		first[i], last[i] = span.First, span.Last
	}
	return first, last
}

// smallestBlock is the size below which blocks are not worth their rows.
const smallestBlock = 4

// sizing is the size of a new block of a pool: eight of them for each node, a power of two. Zero: the pool is too small
// for blocks.
func sizing(pool uint64, nodes, most int) int {
	size := 1
	for size*2 <= most && uint64(size*2) <= pool/uint64(8*max(nodes, 1)) {
		size *= 2
	}
	if size < smallestBlock {
		return 0
	}
	return size
}
