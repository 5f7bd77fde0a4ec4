package postgres

import (
	"math/bits"
	"net/netip"
	"slices"

	"lnsgate/pool"
)

// block is a run of addresses that this node owns. The allocator's mutex guards it.
type block struct {
	context string
	span    pool.Range
	length  int      // of the prefixes that it is made of; 0: addresses
	fresh   []uint64 // a bit for each address that has no entry and may be given away: private
	left    int      // how many of them
	held    int      // how many of its addresses are held
}

// offset tells where in the block an address of it lies.
func (b *block) offset(address netip.Addr) int {
	return int(pool.Range{First: b.span.First, Last: address}.Count(b.length) - 1)
}

func (b *block) size() int { return int(b.span.Count(b.length)) }

// nth returns the address at an offset.
func (b *block) nth(i int) netip.Addr { return pool.After(b.span.First, uint64(i), b.length) }

func (b *block) set(i int, fresh bool) {
	bit := uint64(1) << (i % 64)
	switch was := b.fresh[i/64]&bit != 0; {
	case fresh && !was:
		b.fresh[i/64] |= bit
		b.left++
	case !fresh && was:
		b.fresh[i/64] &^= bit
		b.left--
	}
}

func (b *block) isFresh(i int) bool { return b.fresh[i/64]&(1<<(i%64)) != 0 }

// first returns the lowest fresh address.
func (b *block) first() netip.Addr {
	for word, set := range b.fresh {
		if set != 0 {
			return b.nth(word*64 + bits.TrailingZeros64(set))
		}
	}
	return netip.Addr{}
}

// stock is what this node has of one pool. The allocator's mutex guards it.
type stock struct {
	def     *definition
	blocks  []*block // with fresh addresses, the one in use last
	fresh   int      // how many addresses those are
	private line     // released, not yet written
	common  line     // released, others may have them

	size    int      // of a new block; zero: the pool is too small for blocks
	lowest  int      // the reserve of fresh addresses
	owned   int      // blocks of ours
	front   frontier // where the next block may be cut
	used    bool     // this node has given addresses of it
	dry     bool     // nothing was left when blocks were last wanted in this round
	offered bool     // a small pool: every address has a row
}

// frontier is a place in the spans of a pool before which everything belongs to blocks.
type frontier struct {
	span int
	next netip.Addr // invalid: the first of the span
}

// pop takes a fresh address.
func (s *stock) pop() (netip.Addr, *block) {
	for len(s.blocks) > 0 {
		last := len(s.blocks) - 1
		b := s.blocks[last]
		if b.left > 0 {
			address := b.first()
			b.set(b.offset(address), false)
			s.fresh--
			return address, b
		}
		s.blocks = s.blocks[:last]
	}
	return netip.Addr{}, nil
}

// blockOf finds the block of ours that an address lies in, nil if there is none.
func (a *Allocator) blockOf(k key) *block {
	x := a.blocks[k.context]
	i, exact := slices.BinarySearchFunc(x, k.address, func(b *block, address netip.Addr) int { return b.span.First.Compare(address) })
	if !exact {
		i--
	}
	if i < 0 || !x[i].span.Contains(k.address) {
		return nil
	}
	return x[i]
}

// addBlock puts a block that has just become ours into the books. Its entries come after it.
func (a *Allocator) addBlock(b *block) {
	b.fresh = make([]uint64, (b.size()+63)/64)
	x := a.blocks[b.context]
	i, _ := slices.BinarySearchFunc(x, b.span.First, func(b *block, address netip.Addr) int { return b.span.First.Compare(address) })
	a.blocks[b.context] = slices.Insert(x, i, b)
}

// dropBlock takes a block out of the books with all its entries and returns the leases that were held in it.
func (a *Allocator) dropBlock(b *block) []*entry {
	x := a.blocks[b.context]
	if i := slices.Index(x, b); i >= 0 {
		a.blocks[b.context] = slices.Delete(x, i, i+1)
	}
	if s := a.homeOf(b); s != nil {
		s.fresh -= b.left
		s.owned--
	}
	clear(b.fresh)
	b.left = 0
	var lost []*entry
	for i := range b.size() {
		e := a.entries[key{b.context, b.nth(i)}]
		if e == nil || e.block != b {
			continue
		}
		if e.state == held {
			lost = append(lost, e)
		}
		a.forget(e)
	}
	return lost
}

// stockFor returns the pool that an address may be given from, or a prefix of this length; nil if there is none.
func (a *Allocator) stockFor(k key, length int) *stock {
	if l := a.defs.find(k); l.home != nil && l.home.length == length {
		return a.stocks[l.home.name]
	}
	return nil
}

// homeOf returns the pool whose fresh addresses a block holds: that of its first address that lies in any.
func (a *Allocator) homeOf(b *block) *stock {
	if s := a.stockFor(key{b.context, b.span.First}, b.length); s != nil {
		return s
	}
	for _, l := range a.defs.index[b.context] {
		if l.home.length == b.length && l.span.Overlaps(b.span) {
			return a.stocks[l.home.name]
		}
	}
	return nil
}

// survey finds the fresh addresses of a block: those of its pool that have no entry.
func (a *Allocator) survey(b *block) {
	clear(b.fresh)
	b.left = 0
	s := a.homeOf(b)
	if s == nil {
		return
	}
	for i := range b.size() {
		k := key{b.context, b.nth(i)}
		if a.entries[k] == nil && a.defs.find(k).home == s.def {
			b.set(i, true)
		}
	}
	s.owned++
	s.fresh += b.left
	if b.left > 0 {
		s.blocks = append(s.blocks, b)
	}
}

// rehome sorts everything that this node has into the pools as they are defined now.
func (a *Allocator) rehome() {
	before := a.stocks
	a.stocks, a.memory = make(map[string]*stock, len(a.defs.pools)), make(map[string][]*entry)
	for _, d := range a.defs.pools {
		s := &stock{def: d}
		if old := before[d.name]; old != nil {
			s.used = old.used
		}
		a.stocks[d.name] = s
		a.resize(s)
	}
	for _, blocks := range a.blocks {
		for _, b := range blocks {
			a.survey(b)
		}
	}
	for _, e := range a.entries {
		e.in = nil
		e.home = a.stockFor(e.key, e.length)
		if e.state == free {
			a.shelve(e)
		}
	}
	a.version++
}

// resize decides on the size of the pool's new blocks.
func (a *Allocator) resize(s *stock) {
	s.size = a.sizing(s.def.size, a.nodes, a.cfg.BlockSize)
	s.lowest = a.cfg.LowWater
	if s.lowest == 0 {
		s.lowest = s.size / 4
	}
}
