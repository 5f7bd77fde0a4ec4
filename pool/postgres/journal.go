package postgres

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"lnsgate/pool"
)

// groupMost is the most rows of one statement. From groupLeast on, half of them are worth a statement of their own.
const (
	groupMost  = 4096
	groupLeast = 256
)

// row is a line of the table leases as it is to become.
type row struct {
	*entry
	pool, account, holder string
	bound                 bool
	since                 time.Time
	expires               time.Time // zero: none
}

// columns are rows turned on their side, as unnest takes them. Times are microseconds from now on, so that the database's
// clock counts and not ours.
type columns struct {
	contexts                []string
	addresses               []netip.Addr
	lengths                 []int16
	pools, accounts, holder []string
	bound                   []bool
	since                   []int64
	expires                 []*int64
}

// add appends a row. With the first, room is made for that many.
func (c *columns) add(r row, now time.Time, most int) {
	if c.contexts == nil {
		c.contexts, c.addresses, c.pools = make([]string, 0, most), make([]netip.Addr, 0, most), make([]string, 0, most)
		c.lengths = make([]int16, 0, most)
		c.accounts, c.holder, c.bound = make([]string, 0, most), make([]string, 0, most), make([]bool, 0, most)
		c.since, c.expires = make([]int64, 0, most), make([]*int64, 0, most)
	}
	c.contexts, c.addresses = append(c.contexts, r.context), append(c.addresses, r.address)
	c.lengths = append(c.lengths, int16(r.length))
	c.pools, c.accounts, c.holder = append(c.pools, r.pool), append(c.accounts, r.account), append(c.holder, r.holder)
	c.bound, c.since = append(c.bound, r.bound), append(c.since, r.since.Sub(now).Microseconds())
	var expires *int64
	if !r.expires.IsZero() {
		at := r.expires.Sub(now).Microseconds()
		expires = &at
	}
	c.expires = append(c.expires, expires)
}

// journalled is what the columns of a group become. In a list of results, unnest takes the arrays side by side; as tables,
// each would be copied first. The database's clock is read at the beginning of the transaction, after the group was made.
const journalled = `
SELECT v.context, v.address, nullif(v.pool, ''), nullif(v.account, ''), v.holder, $1, $2,
    CASE WHEN v.bound THEN 'bound' ELSE 'quarantine' END,
    coalesce($3::timestamptz, now()) + v.since * interval '1 microsecond',
    coalesce($3::timestamptz, now()) + v.expires * interval '1 microsecond', nullif(v.length, 0)
FROM (SELECT unnest($4::text[]) AS context, unnest($5::inet[]) AS address, unnest($6::text[]) AS pool,
    unnest($7::text[]) AS account, unnest($8::text[]) AS holder, unnest($9::boolean[]) AS bound,
    unnest($10::bigint[]) AS since, unnest($11::bigint[]) AS expires, unnest($12::smallint[]) AS length) v`

// Addresses that never had a row. It is twice as fast as asking first whether there is one; if there is after all, the
// group is written by the other statement.
const insertLeases = `
INSERT INTO leases (routing_context, address, pool, account, holder, node, epoch, state, since, expires_at, prefix_length)` + journalled

// Rows of ours become what memory says, whatever they say. Others may have come to have a row in the meantime: one that
// is free we may take, one that is bound we may not.
const writeLeases = `
INSERT INTO leases AS l (routing_context, address, pool, account, holder, node, epoch, state, since, expires_at, prefix_length)` + journalled + `
ON CONFLICT (routing_context, address) DO UPDATE
SET pool = EXCLUDED.pool, account = EXCLUDED.account, holder = EXCLUDED.holder, node = EXCLUDED.node,
    epoch = EXCLUDED.epoch, state = EXCLUDED.state, since = EXCLUDED.since, expires_at = EXCLUDED.expires_at,
    prefix_length = EXCLUDED.prefix_length
WHERE (l.node = EXCLUDED.node AND l.epoch = EXCLUDED.epoch) OR (l.state = 'quarantine' AND EXCLUDED.state = 'bound')`

const deleteLeases = `
DELETE FROM leases l USING unnest($3::text[], $4::inet[]) v(context, address)
CROSS JOIN LATERAL (SELECT f.ctid FROM leases f WHERE f.routing_context = v.context AND f.address = v.address OFFSET 0) f
WHERE l.ctid = f.ctid AND l.node = $1 AND l.epoch = $2`

// group is what one journal transaction writes.
type group struct {
	rows     []row
	fresh    columns // of addresses that never had a row
	columns  columns
	deleted  columns
	now      time.Time
	released bool // not all of it is news of leases
	leaving  bool // accounts have released what this node does not remember
}

// gather takes what is to be written: one group, or two if there is much. More says that it was too much for that.
func (r *runner) gather() (groups []group, more bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := min(len(r.dirty), groupMost)
	half := n
	if n >= 2*groupLeast {
		half = (n + 1) / 2
	}
	for entries := range slices.Chunk(r.dirty[:n], max(half, 1)) {
		if g := r.gatherGroup(entries); len(g.rows) > 0 {
			groups = append(groups, g)
		}
	}
	r.dirty = slices.Delete(r.dirty, 0, n)
	return groups, len(r.dirty) > 0
}

// gatherGroup makes a group of entries. Released addresses of ours are common from this moment on. The mutex is held.
func (a *Allocator) gatherGroup(entries []*entry) group {
	g := group{now: a.now(), rows: make([]row, 0, len(entries))}
	for _, e := range entries {
		e.dirty = false
		if e.state == away || e.state == claiming || e.state == free && (e.block == nil || e.offer) {
			continue
		}
		line := a.rowOf(e, g.now)
		g.released, g.leaving = g.released || !line.bound, g.leaving || e.state == leaving
		to := &g.fresh
		switch {
		case e.state == leaving && line.pool == "":
			to = &g.deleted
		case e.row:
			to = &g.columns
		}
		e.row = e.row || to == &g.fresh
		to.add(line, g.now, len(entries)-len(g.rows))
		g.rows = append(g.rows, line)
		e.bound = e.bound && line.bound
		if e.state == free && !e.common {
			a.unshelve(e)
			e.common = true
			a.shelve(e)
		}
	}
	return g
}

// rowOf is the row that an entry should have.
func (a *Allocator) rowOf(e *entry, now time.Time) row {
	line := row{entry: e, account: e.account, since: now, expires: now}
	if home := a.defs.find(e.key).home; home != nil {
		line.pool = home.name
		if !e.released.IsZero() {
			line.expires = e.released.Add(home.quarantine)
		}
	}
	if e.state != held {
		line.holder, line.since = e.lease.Holder, e.lease.Since
		if e.lease.Since.IsZero() {
			line.since = now
		}
		if line.pool == "" && e.block != nil { // the range is gone
			line.pool = e.lease.Pool
		}
		return line
	}
	line.pool, line.holder, line.bound, line.since, line.expires = e.lease.Pool, e.lease.Holder, true, e.lease.Since, time.Time{}
	if e.block == nil {
		line.expires = now.Add(a.cfg.LeaseLife)
	}
	return line
}

// journal is one writing of everything that was to be written. Only Run waits for it.
type journal struct {
	groups   []group
	more     bool // there was too much for one time
	released bool // some addresses are free now: claims of them must come later
	leaving  bool // only the table remembers who released some of them: it must be asked later
	result   chan error
	over     bool
	err      error
}

// beginJournal begins to write. Other statements may be sent meanwhile.
func (r *runner) beginJournal(ctx context.Context) *journal {
	j := &journal{result: make(chan error, 1)}
	j.groups, j.more = r.gather()
	for _, g := range j.groups {
		j.released, j.leaving = j.released || g.released, j.leaving || g.leaving
	}
	if len(j.groups) == 0 && !j.more {
		j.over = true
		return j
	}
	go func() { j.result <- r.writeGroups(ctx, j.groups) }()
	return j
}

// finish waits until everything is written.
func (r *runner) finish(ctx context.Context, j *journal) error {
	if j.over {
		return j.err
	}
	j.over = true
	err := <-j.result
	for more := j.more; more || errors.Is(err, errAgain); {
		var groups []group
		groups, more = r.gather()
		err = r.writeGroups(ctx, groups)
	}
	j.err = err
	return err
}

func (r *runner) writeGroups(ctx context.Context, groups []group) error {
	var tasks []func() error
	for _, g := range groups {
		tasks = append(tasks, func() error { return r.write(ctx, g) })
	}
	return together(tasks)
}

// together does all tasks at the same time, each on a connection of its own. It returns the first error, errAgain last.
func together(tasks []func() error) error {
	if len(tasks) == 1 {
		return tasks[0]()
	}
	errs := make(chan error, len(tasks))
	for _, task := range tasks {
		go func() { errs <- task() }()
	}
	var first error
	for range tasks {
		if err := <-errs; first == nil || err != nil && errors.Is(first, errAgain) {
			first = err
		}
	}
	return first
}

// errAgain says that somebody was in the way.
var errAgain = errors.New("the same once more")

// write writes a group. What could not be written is written next time; it may have been nevertheless.
func (r *runner) write(ctx context.Context, g group) error {
	err := r.bounded(ctx, func(ctx context.Context) error { return r.writeGroup(ctx, g) })
	if err == nil {
		return nil
	}
	r.ungather(g)
	if overlap(err) {
		if err = r.resolve(ctx, g); err == nil {
			return errAgain
		}
	}
	if transient(err) || len(g.fresh.addresses) > 0 && duplicate(err) {
		return errAgain
	}
	return err
}

// writeGroup sends the group as one transaction.
func (r *runner) writeGroup(ctx context.Context, g group) error {
	var batch pgx.Batch
	batch.Queue(keptPlan)
	if c := g.fresh; len(c.addresses) > 0 {
		batch.Queue(insertLeases, r.cfg.Node, r.epoch, r.stamp(g.now), c.contexts, c.addresses, c.pools, c.accounts, c.holder, c.bound, c.since, c.expires, c.lengths)
	}
	written := len(g.columns.addresses)
	if c := g.columns; written > 0 {
		batch.Queue(writeLeases, r.cfg.Node, r.epoch, r.stamp(g.now), c.contexts, c.addresses, c.pools, c.accounts, c.holder, c.bound, c.since, c.expires, c.lengths).
			Exec(func(tag pgconn.CommandTag) error {
				written = int(tag.RowsAffected())
				return nil
			})
	}
	if c := g.deleted; len(c.addresses) > 0 {
		batch.Queue(deleteLeases, r.cfg.Node, r.epoch, c.contexts, c.addresses)
	}
	if err := r.cfg.Pool.SendBatch(ctx, &batch).Close(); err != nil {
		return err
	}
	return r.settle(ctx, g, written)
}

// ungather keeps the group for the next time.
func (r *runner) ungather(g group) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, line := range g.rows {
		if r.entries[line.key] == line.entry {
			r.mark(line.entry)
		}
	}
}

// settle notes what has been written. If a row was not, it looks for the leases that somebody else has.
func (r *runner) settle(ctx context.Context, g group, written int) error {
	var bad map[key]string
	if written < len(g.columns.addresses) {
		var err error
		if bad, err = r.contradictions(ctx, g); err != nil {
			return err
		}
	}
	r.mu.Lock()
	var lost []pool.Lease
	for _, line := range g.rows {
		e := line.entry
		if line.bound {
			r.stats.Written++
		}
		if r.entries[e.key] != e {
			continue
		}
		holder, foreign := bad[e.key]
		e.bound = line.bound && !foreign
		switch {
		case !foreign && e.state == leaving && !e.dirty:
			r.forget(e)
		case foreign && e.state == held:
			lost = append(lost, e.lease)
			r.conflict(e, holder)
		case foreign && e.state == free:
			r.setAside(e)
		case foreign && e.state == leaving:
			r.forget(e)
		}
	}
	r.mu.Unlock()
	r.report(lost)
	return nil
}

// conflict handles the last line of defence: a lease that was given as private is somebody else's by the primary key.
func (r *runner) conflict(e *entry, holder string) {
	r.stats.Conflicts++
	r.cfg.Log.Error("pools: an address was in two hands; the session of this node must end",
		"address", e.address, "ours", e.lease.Holder, "other", holder)
	b := e.block
	if b != nil {
		b.held--
	}
	e.state = free
	r.setAside(e)
	if b == nil {
		r.forget(e)
	}
}

// setAside notes that another node has an address of ours.
func (a *Allocator) setAside(e *entry) {
	a.unshelve(e)
	a.noteLone(e.account, e.released)
	e.state, e.common, e.row, e.bound, e.offer = away, true, true, false, false
	a.aside[e] = true
	a.version++
}

const selectForeign = `
SELECT l.routing_context, l.address, l.holder
FROM unnest($3::text[], $4::inet[]) v(context, address)
CROSS JOIN LATERAL (SELECT * FROM leases l WHERE l.routing_context = v.context AND l.address = v.address OFFSET 0) l
WHERE l.state <> 'quarantine' AND NOT (l.node = $1 AND l.epoch = $2)`

// contradictions finds the rows of a group that others hold, and the holders.
func (r *runner) contradictions(ctx context.Context, g group) (map[key]string, error) {
	bad := make(map[key]string)
	err := r.askOften(ctx, selectForeign, []any{r.cfg.Node, r.epoch, g.columns.contexts, g.columns.addresses}, func(rows pgx.Rows) error {
		var k key
		var holder string
		_, err := pgx.ForEachRow(rows, []any{&k.context, &k.address, &holder}, func() error {
			bad[k] = holder
			return nil
		})
		return err
	})
	return bad, err
}

// stamp is the time for a statement: the database's own, unless this allocator was given a clock.
func (a *Allocator) stamp(now time.Time) *time.Time {
	if a.cfg.Now == nil {
		return nil
	}
	return &now
}
