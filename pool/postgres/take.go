package postgres

import (
	"context"
	"net/netip"
	"time"

	"github.com/jackc/pgx/v5"

	"lnsgate/pool"
)

const (
	takeBlocks = `
WITH unowned AS (
    SELECT b.routing_context, b.first_address FROM pool_blocks b
    WHERE b.node IS NULL AND b.pool = $5 AND b.routing_context = $6 AND coalesce(b.prefix_length, 0) = $10
        AND EXISTS (SELECT FROM unnest($7::inet[], $8::inet[]) r(first, last) WHERE b.first_address <= r.last AND b.last_address >= r.first)
    ORDER BY b.first_address LIMIT $9 FOR UPDATE SKIP LOCKED)
UPDATE pool_blocks b SET node = $1, epoch = $2, expires_at = coalesce($3::timestamptz, clock_timestamp()) + $4 * interval '1 microsecond'
FROM unowned u WHERE b.routing_context = u.routing_context AND b.first_address = u.first_address
RETURNING b.first_address, b.last_address`

	// The first line finds a block that begins before $2 and reaches over it.
	selectBlocks = `
SELECT first_address, last_address FROM pool_blocks
WHERE routing_context = $1 AND first_address >= coalesce((SELECT max(first_address) FROM pool_blocks WHERE routing_context = $1 AND first_address <= $2), $2)
    AND first_address <= $3
ORDER BY first_address LIMIT $4`

	insertBlocks = `
INSERT INTO pool_blocks (routing_context, first_address, last_address, pool, node, epoch, expires_at, prefix_length)
SELECT $6, v.first, v.last, $5, $1, $2, coalesce($3::timestamptz, clock_timestamp()) + $4 * interval '1 microsecond', nullif($9, 0)
FROM unnest($7::inet[], $8::inet[]) v(first, last)`

	// Block by block, by the order of the primary key: the planner cannot know how few rows lie between two addresses
	// and would read the whole table.
	selectLeasesOfBlocks = `
SELECT l.address, coalesce(l.prefix_length, 0), coalesce(l.account, ''), l.holder, l.state = 'bound', l.node = $1 AND l.epoch = $2, l.expires_at, l.state = 'offered'
FROM unnest($4::inet[], $5::inet[]) b(first, last)
CROSS JOIN LATERAL (SELECT * FROM leases l WHERE l.routing_context = $3 AND l.address BETWEEN b.first AND b.last
    ORDER BY l.routing_context, l.address LIMIT 1000000000) l`

	selectStaticsOfBlocks = `
SELECT s.routing_context, s.address, s.account FROM unnest($1::text[], $2::inet[], $3::inet[]) b(context, first, last)
CROSS JOIN LATERAL (SELECT * FROM static_addresses s WHERE s.routing_context = b.context AND s.address BETWEEN b.first AND b.last
    ORDER BY s.routing_context, s.address LIMIT 1000000000) s`
)

// takeMost is the most blocks that are taken at once.
const takeMost = 64

// take gets blocks for n more addresses of a pool: those that nobody owns, then new ones. A pool of which nothing is
// left is dry for the rest of the pass.
func (r *runner) take(ctx context.Context, s *stock, n int) error {
	r.mu.Lock()
	blocks := min(max((n+s.size-1)/s.size, min(s.owned/4, takeMost)), takeMost)
	r.mu.Unlock()
	got, err := r.acquire(ctx, s, func(ctx context.Context, tx pgx.Tx, now time.Time) ([]pool.Range, error) {
		// Nobody may make addresses of these blocks common behind our back; see offer.
		if _, err := tx.Exec(ctx, lockShared, []string{s.def.context}); err != nil {
			return nil, err
		}
		first, last := ends(s.def.spans)
		rows, err := tx.Query(ctx, takeBlocks, r.cfg.Node, r.epoch, r.stamp(now), r.cfg.BlockLife.Microseconds(),
			s.def.name, s.def.context, first, last, blocks, s.def.length)
		if err != nil {
			return nil, err
		}
		return pgx.CollectRows(rows, pgx.RowToStructByPos[pool.Range])
	})
	if err == nil && got < blocks && s.front.span < len(s.def.spans) {
		var more int
		more, err = r.acquire(ctx, s, func(ctx context.Context, tx pgx.Tx, now time.Time) ([]pool.Range, error) {
			return r.cut(ctx, tx, s, blocks-got, now)
		})
		got += more
	}
	if transient(err) {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	s.dry = got == 0
	return err
}

// acquire makes blocks ours, with all that the database knows of their addresses, in one transaction.
func (r *runner) acquire(ctx context.Context, s *stock, get func(context.Context, pgx.Tx, time.Time) ([]pool.Range, error)) (int, error) {
	var spans []pool.Range
	var lines []known
	var statics map[key]string
	err := r.within(ctx, func(ctx context.Context, tx pgx.Tx) error {
		r.mu.Lock()
		now := r.now()
		r.mu.Unlock()
		var err error
		if spans, err = get(ctx, tx, now); err != nil || len(spans) == 0 {
			return err
		}
		first, last := ends(spans)
		rows, err := tx.Query(ctx, selectLeasesOfBlocks, r.cfg.Node, r.epoch, s.def.context, first, last)
		if err != nil {
			return err
		}
		if lines, err = pgx.CollectRows(rows, pgx.RowToStructByPos[known]); err != nil {
			return err
		}
		contexts := make([]string, len(spans))
		for i := range contexts {
			contexts[i] = s.def.context
		}
		statics, err = readStatics(ctx, tx, contexts, first, last)
		return err
	})
	if err != nil || len(spans) == 0 {
		return 0, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, span := range spans {
		r.addBlock(&block{context: s.def.context, span: span, length: s.def.length})
	}
	for _, l := range lines {
		r.learn(s.def.context, l)
	}
	r.reserve(statics)
	for _, span := range spans {
		r.survey(r.blockOf(key{s.def.context, span.First}))
	}
	return len(spans), nil
}

// known is what the database knows of an address of a block.
type known struct {
	Address netip.Addr
	Length  int
	Account string
	Holder  string
	Bound   bool
	Ours    bool
	Expires *time.Time
	Offered bool
}

// learn makes the entry of an address of a new block that has a row.
func (r *runner) learn(routing string, l known) {
	b := r.blockOf(key{routing, l.Address})
	k := key{routing, pool.First(l.Address, b.length)} // one of another length takes what it lies in
	e := r.entries[k]
	if e != nil { // we had it before we had the block
		e.block = b
		if e.state == held {
			b.held++
			r.mark(e)
		}
		return
	}
	e = r.enter(k, b)
	e.common, e.row = true, true
	switch {
	case l.Bound && !l.Ours:
		r.setAside(e)
		return
	case l.Bound:
		r.mark(e)
	default:
		e.account, e.offer = l.Account, l.Offered
		e.released = *l.Expires
		if e.home != nil && !l.Offered {
			e.released = e.released.Add(-e.home.def.quarantine)
		}
	}
	r.shelve(e)
}

func readStatics(ctx context.Context, db querier, contexts []string, first, last []netip.Addr) (map[key]string, error) {
	statics := make(map[key]string)
	rows, err := db.Query(ctx, selectStaticsOfBlocks, contexts, first, last)
	if err != nil {
		return nil, err
	}
	var k key
	var account string
	_, err = pgx.ForEachRow(rows, []any{&k.context, &k.address, &account}, func() error {
		statics[k] = account
		return nil
	})
	return statics, err
}

// reserve notes static addresses in our blocks. They become common, so that the account may have them on any node.
func (r *runner) reserve(statics map[key]string) {
	for k, account := range statics {
		b := r.blockOf(k)
		e := r.entries[k]
		switch {
		case b == nil:
			continue
		case e == nil:
			r.wear(b, k)
			e = r.enter(k, b)
		}
		e.static = account
		r.unshelve(e)
		if e.state == free && !e.common {
			e.account, e.released = "", time.Time{}
			r.mark(e)
		}
	}
}

// cut makes new blocks where there are none. Nobody else cuts at the same time.
func (r *runner) cut(ctx context.Context, tx pgx.Tx, s *stock, n int, now time.Time) ([]pool.Range, error) {
	if _, err := tx.Exec(ctx, lockExclusive, s.def.context); err != nil {
		return nil, err
	}
	pieces, err := r.gaps(ctx, tx, s, n)
	if err != nil || len(pieces) == 0 {
		return nil, err
	}
	first, last := ends(pieces)
	_, err = tx.Exec(ctx, insertBlocks, r.cfg.Node, r.epoch, r.stamp(now), r.cfg.BlockLife.Microseconds(),
		s.def.name, s.def.context, first, last, s.def.length)
	return pieces, err
}

// gaps finds the next n pieces of a pool that belong to no block, and moves the frontier to the first of them: all
// before it is covered for good.
func (r *runner) gaps(ctx context.Context, db querier, s *stock, n int) ([]pool.Range, error) {
	var pieces []pool.Range
	front := s.front
	for front.span < len(s.def.spans) && len(pieces) < n {
		span := s.def.spans[front.span]
		if !front.next.IsValid() {
			front.next = span.First
		}
		const most = 1024
		rows, err := db.Query(ctx, selectBlocks, s.def.context, front.next, span.Last, most)
		if err != nil {
			return nil, err
		}
		blocks, err := pgx.CollectRows(rows, pgx.RowToStructByPos[pool.Range])
		if err != nil {
			return nil, err
		}
		for i, b := range blocks { // those of a pool that gave prefixes of another length take whole ones of this one
			blocks[i] = b.Widen(s.def.length)
		}
		if len(blocks) < most { // behind the last one all is free up to the end
			blocks = append(blocks, pool.Range{})
		}
		for _, b := range blocks {
			for front.next.IsValid() && len(pieces) < n && (!b.First.IsValid() || front.next.Less(b.First)) {
				piece := pool.Range{First: front.next, Last: span.Last}
				if b.First.IsValid() && b.First.Prev().Less(span.Last) {
					piece.Last = b.First.Prev()
				}
				if piece.Count(s.def.length) > uint64(s.size) {
					last := pool.After(piece.First, uint64(s.size-1), s.def.length)
					piece.Last = pool.Range{First: last, Last: last}.Widen(s.def.length).Last
				}
				pieces = append(pieces, piece)
				front.next = after(piece.Last, span)
			}
			if front.next.IsValid() && b.First.IsValid() && len(pieces) < n && !b.Last.Less(front.next) {
				front.next = after(b.Last, span)
			}
			if !front.next.IsValid() {
				break
			}
		}
		if len(pieces) == 0 && front.next.IsValid() {
			s.front = front
		}
		if !front.next.IsValid() {
			front = frontier{span: front.span + 1}
			if len(pieces) == 0 {
				s.front = front
			}
		}
	}
	return pieces, nil
}

// after is the address behind a in the span; invalid if there is none.
func after(a netip.Addr, span pool.Range) netip.Addr {
	if !a.Less(span.Last) {
		return netip.Addr{}
	}
	return a.Next()
}

// giveBack gives up the blocks that which chooses, if nothing of them is on its way to the database.
func (r *runner) giveBack(ctx context.Context, which func(*block) bool) error {
	contexts, firsts, pools := r.surrender(which)
	if len(contexts) == 0 {
		return nil
	}
	return r.change(ctx, freeBlocks, r.cfg.Node, r.epoch, contexts, firsts, pools)
}

// surrender takes the blocks out of the books: from then on nothing of them is given.
func (r *runner) surrender(which func(*block) bool) (contexts []string, firsts []netip.Addr, pools []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	busy := make(map[*block]bool)
	for _, e := range r.dirty {
		busy[e.block] = true
	}
	var chosen []*block
	for _, blocks := range r.blocks {
		for _, b := range blocks {
			if !busy[b] && which(b) {
				chosen = append(chosen, b)
			}
		}
	}
	for _, b := range chosen {
		home := ""
		if s := r.homeOf(b); s != nil {
			home = s.def.name
		}
		contexts, firsts, pools = append(contexts, b.context), append(firsts, b.span.First), append(pools, home)
		r.dropBlock(b)
	}
	return contexts, firsts, pools
}
