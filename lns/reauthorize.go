package lns

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"lnsgate/aaa"
	"lnsgate/lns/datapath"
	"lnsgate/lns/session"
	"lnsgate/lns/trace"
)

// Configure takes a new configuration. What exists goes on: tunnels keep the group that they matched, sessions what they
// negotiated; their filters are those of the new one. A configuration with faults is refused whole.
func (s *Server) Configure(config *Config) error {
	if err := s.setConfig(config); err != nil {
		return err
	}
	for _, t := range s.tunnels.all() { // nobody waits, so that a tunnel that is busy does it all the same, and before it answers anything later
		t.mail.post(newQuestion(func(t *tunnel, _ time.Time) { t.each((*call).refilter) }), false)
	}
	return nil
}

// Reload is Configure, and every session is reauthorized.
func (s *Server) Reload(ctx context.Context, config *Config) error {
	if err := s.Configure(config); err != nil {
		return err
	}
	// The configuration is in force now, so it goes for every session, whether or not somebody still waits for us.
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(s.life, cancel)()
	return s.Reauthorize(ctx, func(SessionInfo) bool { return true })
}

// Reauthorize asks again what the accounts of the matching sessions may. Sessions whose account may no longer log in, or is
// to have another address, domain or other networks behind it, end; changed timeouts and rates apply at once. A back end that cannot be asked changes
// nothing and is told as an error: ask again later. Logins that are being checked meanwhile are checked again.
func (s *Server) Reauthorize(ctx context.Context, match func(SessionInfo) bool) error {
	s.epoch.Add(1)
	q := inquiry{server: s, away: make(map[string]bool)}
	members := make(chan member)
	var asking sync.WaitGroup
	for range inquirers {
		asking.Go(func() {
			for m := range members {
				q.ask(ctx, m)
			}
		})
	}
	for _, m := range s.loggedIn(match) {
		if ctx.Err() != nil {
			break
		}
		members <- m
	}
	close(members)
	asking.Wait()
	return errors.Join(append(q.faults, ctx.Err())...)
}

// inquirers is how many sessions are asked about at once: enough that many sessions do not hold up the next change, and few
// beside the logins.
const inquirers = 16

// inquiry is one round of questions about sessions that are up.
type inquiry struct {
	server *Server

	mu     sync.Mutex
	away   map[string]bool // back ends that cannot be asked now
	faults []error
}

// ask asks about one session and has it follow the answer.
func (q *inquiry) ask(ctx context.Context, m member) {
	if ctx.Err() != nil || q.isAway(m.request.Backend, nil) {
		return
	}
	d, err := q.server.authorize(ctx, m.request)
	if retryable(err) {
		q.isAway(m.request.Backend, err)
		return
	}
	q.server.askSession(ctx, m.name, func(c *call, now time.Time) {
		if c.uid == m.request.Attempt {
			c.reauthorize(d, err, now)
		}
	})
}

// isAway says whether a back end could not be asked before; with an error it is so from now on.
func (q *inquiry) isAway(backend string, err error) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if err != nil && !q.away[backend] {
		q.away[backend] = true
		q.faults = append(q.faults, fmt.Errorf("sessions of back end %q go on unchecked: %w", backend, err))
	}
	return q.away[backend]
}

// member is a session that has logged in, and what AAA is asked about it: without a proof, and first the back end that knew it.
type member struct {
	name    string
	request *aaa.Request
}

// loggedIn lists the sessions that match, by local tunnel and session id.
func (s *Server) loggedIn(match func(SessionInfo) bool) []member {
	type found struct {
		info    SessionInfo
		request *aaa.Request
	}
	var all []found
	s.askAll(context.Background(), func(t *tunnel, now time.Time) {
		for _, c := range t.calls {
			d := c.core.Decision()
			if d.Account == "" {
				continue
			}
			r := c.question()
			r.Name, r.Backend, r.Inner = c.core.Name(), d.Backend, d.Inner
			all = append(all, found{c.info(now), r})
		}
	})
	slices.SortFunc(all, func(a, b found) int {
		return cmp.Or(cmp.Compare(a.info.LocalTunnel, b.info.LocalTunnel), cmp.Compare(a.info.LocalID, b.info.LocalID))
	})
	var matching []member
	for _, f := range all {
		if match(f.info) {
			matching = append(matching, member{f.info.Name, f.request})
		}
	}
	return matching
}

// authorize asks about an account, for no longer than a login may take.
func (s *Server) authorize(ctx context.Context, r *aaa.Request) (aaa.Decision, error) {
	ctx, cancel := context.WithTimeout(ctx, s.config.Load().Limits.AuthenticationTimeout)
	defer cancel()
	return s.deps.AAA.Authorize(ctx, r)
}

// reauthorize applies what is now said of the session's account.
func (c *call) reauthorize(d aaa.Decision, err error, now time.Time) {
	phase := c.core.Phase()
	if phase == session.Closing || phase == session.Ended {
		return
	}
	before := c.core.Decision()
	if keeps(err, before.Backend) {
		d, err = before, nil
	}
	filter, unknown := c.tunnel.server.config.Load().filter(d.Filter)
	if fault := c.overUs(&d); err == nil {
		err = fault
	}
	template := cmp.Or(d.VirtualTemplate, c.tunnel.group.Template)
	address := c.core.Lease().Address
	if !address.IsValid() { // the lease is still awaited
		address = before.Address
	}
	switch {
	case err != nil:
		c.close(trace.Because(trace.AccountChanged, "%v", err), now)
	case d.Address.IsValid() && d.Address != address:
		c.close(trace.Because(trace.AccountChanged, "its address is now %s", d.Address), now)
	case !d.Address.IsValid() && before.Address.IsValid():
		c.close(trace.Because(trace.AccountChanged, "it has no address of its own any more"), now)
	case d.Domain != before.Domain:
		c.close(trace.Because(trace.AccountChanged, "its domain is now %s", d.Domain), now)
	case template != c.template:
		c.close(trace.Because(trace.AccountChanged, "its virtual template is now %s", template), now)
	case rerouted(before.Routes, d.Routes), rerouted(before.IPv6.Routes, d.IPv6.Routes):
		c.close(trace.Because(trace.AccountChanged, "the networks behind it are others now"), now)
	case c.core.Prefixes().Link.Address.IsValid() && otherPrefixes(before.IPv6, d.IPv6):
		c.close(trace.Because(trace.AccountChanged, "its IPv6 prefixes are others now"), now)
	case unknown != nil:
		c.close(trace.Because(trace.AccountChanged, "%v", unknown), now)
	default:
		c.step(now, func(*session.Out) { c.core.Reauthorized(d, now) })
		c.notedChange(&before, &d, now)
		c.setFilter(filter)
		if c.carrier != nil {
			c.carrier.SetRates(d.RateUp, d.RateDown)
		}
	}
}

// rerouted says that other networks are to be behind the peer than there are. Those that a netmask implies do not count: they
// are left out where they cannot be.
func rerouted(before, after []aaa.Route) bool {
	wanted, err := widest(named(after))
	order := func(a, b aaa.Route) int {
		return cmp.Or(a.Prefix.Compare(b.Prefix), cmp.Compare(a.Metric, b.Metric))
	}
	return err != nil || !slices.Equal(slices.SortedFunc(slices.Values(named(before)), order), slices.SortedFunc(slices.Values(wanted), order))
}

// refilter follows a change of the configuration. A filter that is no longer in it stays in force until the session's account
// has been asked about.
func (c *call) refilter() {
	if f := c.tunnel.server.config.Load().Filters[c.core.Decision().Filter]; f != nil {
		c.setFilter(f)
	}
}

func (c *call) setFilter(f *datapath.Filter) {
	c.filter = f
	if c.carrier != nil {
		c.carrier.SetFilter(f)
	}
}

// retryable says that nobody could tell: the fault is on our side.
func retryable(err error) bool {
	var r interface{ Retryable() bool }
	return errors.As(err, &r) && r.Retryable()
}
