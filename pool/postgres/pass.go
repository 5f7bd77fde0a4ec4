package postgres

import (
	"context"
	"slices"
	"time"

	"lnsgate/pool"
)

// pass serves everything that waits: the journal, and the requests, in rounds until each has its answer. What does not need
// the one to be over happens at the same time.
func (r *runner) pass(ctx context.Context) error {
	asks := r.begin()
	j := r.beginJournal(ctx)
	err := r.serve(ctx, asks, j)
	if unwritten := r.finish(ctx, j); err == nil {
		err = unwritten
	}
	if err != nil {
		return r.putBack(asks, err)
	}
	return r.prefetch(ctx)
}

// serve answers the asks.
func (r *runner) serve(ctx context.Context, asks []*ask, j *journal) error {
	lookup, barrier, refresh, returns := false, false, false, false
	for _, q := range asks {
		lookup = lookup || !q.barrier && !q.looked && !q.keep && !q.back
		returns = returns || q.back
		barrier, refresh = barrier || q.barrier, refresh || q.refresh
	}
	if barrier || j.more || lookup && j.leaving {
		if err := r.finish(ctx, j); err != nil {
			return err
		}
	}
	if lookup {
		if err := r.lookUp(ctx, asks); err != nil {
			return err
		}
	}
	if returns {
		if err := r.takeReturns(ctx, asks); err != nil {
			return err
		}
	}
	if barrier {
		if err := r.sweep(ctx); err != nil {
			return err
		}
	}
	if refresh {
		if err := r.reload(ctx); err != nil {
			return err
		}
	}
	open := make([]*ask, 0, len(asks))
	for _, q := range asks {
		if q.barrier {
			q.reply(pool.Lease{}, nil)
		} else if !q.back {
			open = append(open, q)
		}
	}
	for len(open) > 0 {
		var err error
		if open, err = r.round(ctx, open, j); err != nil {
			return err
		}
	}
	return nil
}

// begin takes what waits.
func (r *runner) begin() []*ask {
	r.mu.Lock()
	defer r.mu.Unlock()
	asks := r.asks
	r.asks = nil
	for _, s := range r.stocks {
		s.dry = false
	}
	r.journal = time.Now()
	if len(r.patient) > 0 && !r.journal.Before(r.again) {
		asks = append(asks, r.patient...)
		r.patient = nil
	}
	return slices.DeleteFunc(asks, func(q *ask) bool { return q.gone })
}

// putBack keeps the asks for whoever answers them now that the database is away.
func (r *runner) putBack(asks []*ask, err error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, q := range asks {
		if !q.done && !q.waiting {
			r.asks = append(r.asks, q)
		}
	}
	return err
}

// plan is what the asks of a round need from the database.
type plan struct {
	claims []*claim
	exact  []*ask
	wants  map[*stock]int
	steals map[*stock][]*ask
	waits  []*ask
	empty  []*ask // their pools are exhausted
}

// round brings every ask one step further and returns those that still have no answer.
func (r *runner) round(ctx context.Context, asks []*ask, j *journal) ([]*ask, error) {
	p := r.plan(asks)
	open := append(slices.Clone(p.waits), p.exact...)
	for _, c := range p.claims {
		open = append(open, c.ask)
	}
	for _, stealing := range p.steals {
		open = append(open, stealing...)
	}
	open = append(open, p.empty...)
	if j.released {
		if err := r.finish(ctx, j); err != nil {
			r.unclaim(p.claims)
			return nil, err
		}
	}
	if len(p.claims) > 0 {
		if err := r.claim(ctx, p.claims); err != nil {
			return nil, err
		}
	}
	if len(open) == len(p.claims) {
		return slices.DeleteFunc(open, r.answered), nil
	}
	if err := r.finish(ctx, j); err != nil {
		return nil, err
	}
	if err := r.carryOut(ctx, p); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(open, r.answered), nil
}

// carryOut does what a plan needs besides its claims.
func (r *runner) carryOut(ctx context.Context, p plan) error {
	if len(p.exact) > 0 {
		if err := r.exactly(ctx, p.exact); err != nil {
			return err
		}
	}
	for s, n := range p.wants {
		if err := r.take(ctx, s, n); err != nil {
			return err
		}
	}
	for s, stealing := range p.steals {
		if err := r.steal(ctx, s, stealing); err != nil {
			return err
		}
	}
	if len(p.empty) > 0 {
		if err := r.exhausted(ctx, p.empty); err != nil {
			return err
		}
	}
	return nil
}

// answered reports whether nothing more has to be done for the ask.
func (r *runner) answered(q *ask) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return q.done || q.gone || q.waiting
}

// plan gives what is private at once and sorts the rest by what it needs.
func (r *runner) plan(asks []*ask) plan {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := plan{wants: make(map[*stock]int), steals: make(map[*stock][]*ask)}
	now := r.now()
	for _, q := range asks {
		if q.waiting = false; q.gone {
			continue
		}
		m := r.choose(q, now)
		switch {
		case m.err != nil:
			q.reply(pool.Lease{}, m.err)
		case m.lease != nil:
			q.reply(*m.lease, nil)
		case m.entry != nil && q.lent():
			r.unshelve(m.entry)
			m.entry.state = claiming
			p.claims = append(p.claims, &claim{ask: q, key: m.entry.key, entry: m.entry, fresh: true, why: m.why})
		case m.entry != nil:
			q.reply(r.give(m.entry, q.Request, now, m.why), nil)
			r.mark(m.entry)
		case m.claim != nil:
			p.claims = append(p.claims, m.claim)
		case m.exact:
			p.exact = append(p.exact, q)
		case m.want != nil:
			p.wants[m.want]++
			p.waits = append(p.waits, q)
		case m.steal != nil:
			p.steals[m.steal] = append(p.steals[m.steal], q)
		case q.Address.IsValid():
			p.waits = append(p.waits, q) // another request for the same address is being served
		default:
			p.empty = append(p.empty, q)
		}
	}
	return p
}

// reply answers an ask. Nobody else writes to the channel, which has room for it.
func (q *ask) reply(l pool.Lease, err error) {
	q.done = true
	q.answer <- answer{l, err}
}

// deliver hands a lease that the database has just confirmed to its ask, or takes it back if nobody waits any more. The
// mutex is held.
func (r *runner) deliver(q *ask, e *entry, why string) {
	lease := r.give(e, q.Request, r.now(), why)
	e.bound = true
	if q.gone {
		r.takeBack(e, r.now())
		return
	}
	q.reply(lease, nil)
}

// patientTry is how often it is looked whether other nodes have let go of addresses. It is less often when that takes long.
const patientTry = 50 * time.Millisecond

// exhausted answers asks whose pools have nothing left. If addresses are free on other nodes these are given a moment to
// let go of them.
func (r *runner) exhausted(ctx context.Context, asks []*ask) error {
	names := make(map[string]*definition)
	r.mu.Lock()
	for _, q := range asks {
		for _, name := range q.Pools {
			names[name] = r.stocks[name].def
		}
	}
	r.mu.Unlock()
	began := time.Now()
	if !began.Before(r.swept) {
		if err := r.sweep(ctx); err != nil {
			return err
		}
	}
	usage, err := r.gauge(ctx, names)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	r.again = now.Add(max(patientTry, 4*now.Sub(began)))
	for _, q := range asks {
		e := &pool.ExhaustedError{Pools: make([]pool.Usage, len(q.Pools))}
		stranded := false
		for i, name := range q.Pools {
			e.Pools[i] = usage[name]
			stranded = stranded || usage[name].Free() > 0
		}
		if q.until.IsZero() {
			q.until = now.Add(r.cfg.Patience)
		}
		if stranded && now.Before(q.until) && r.up {
			q.stage, q.waiting = 0, true
			r.patient = append(r.patient, q)
			continue
		}
		q.reply(pool.Lease{}, e)
	}
	return nil
}

// gauge measures pools that have nothing left. Counting a million leases takes a while, and everybody waits for it: then
// the figures of a moment ago will do.
func (r *runner) gauge(ctx context.Context, pools map[string]*definition) (map[string]pool.Usage, error) {
	usage := make(map[string]pool.Usage, len(pools))
	for name, d := range pools {
		last := r.gauged[d]
		if began := time.Now(); last.took < slowGauge || began.After(last.at.Add(20*last.took)) {
			measured, err := r.measure(ctx, []*definition{d})
			if err != nil {
				return nil, err
			}
			last = gauged{measured[name], began, time.Since(began)}
		}
		if len(r.gauged) > len(r.stocks) { // pools that are defined otherwise now
			clear(r.gauged)
		}
		r.gauged[d] = last
		usage[name] = last.usage
	}
	return usage, nil
}

// slowGauge is how long a count may take before its result is kept.
const slowGauge = 25 * time.Millisecond

type gauged struct {
	usage pool.Usage
	at    time.Time
	took  time.Duration
}
