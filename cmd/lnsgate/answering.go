package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"lnsgate/aaa"
	"lnsgate/aaa/foreign"
	"lnsgate/aaa/foreign/file"
	"lnsgate/aaa/radius/order"
	"lnsgate/aaa/radiusserver"
	"lnsgate/configs"
	"lnsgate/lns/admin"
	"lnsgate/pool"
)

// answering is the RADIUS server for other NASes, and the sessions that they carry. Nil methods of a node without it do nothing.
type answering struct {
	node      *node
	store     foreign.Store
	sender    *order.Sender
	sessions  *foreign.Sessions
	server    *radiusserver.Server
	inquiries *inquiries
	nases     nasBook

	stop    context.CancelFunc // nil before start
	running errgroup.Group
	closing sync.Once
	undo    []func() error
}

// openAnswering makes the RADIUS server of the file and opens its sockets, or does nothing when the file has none.
func (n *node) openAnswering(c *configs.Config) (err error) {
	if !c.RADIUSService.Given() {
		return nil
	}
	a := &answering{node: n}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.close())
		}
	}()
	if err := a.openStore(c); err != nil {
		return err
	}
	a.nases.fill(n.nasClients(c))
	a.sender = order.New(order.Config{NAS: a.nases.told, Local: ownAddresses(c.RADIUSService.Listen), Log: n.log})
	a.undo = append(a.undo, a.sender.Close)
	var own func(pool.Lease) bool
	if both, ok := n.pools.(*bothPools); ok {
		own = both.ofFile
	}
	a.sessions, err = foreign.New(foreign.Config{
		Node: c.Node, Own: own, Pools: n.pools, Registry: n.registry, Shared: n.db != nil, Records: n.books, Store: a.store, Sender: a.sender,
		AAA: n.entrance, Clients: a.nases.foreign, Sinks: n.gateway.sinks, Log: n.log,
	})
	if err != nil {
		return err
	}
	a.inquiries = newInquiries(a.sessions.Reauthorize, n.log)
	config := radiusserver.Config{
		Listen: c.RADIUSService.Listen, Accounting: c.RADIUSService.AccountingListen, Clients: a.nases.answered(),
		AAA: a.sessions.Around(n.entrance), Records: a.sessions, RejectDelay: cmp.Or(c.RADIUSService.RejectDelay, -1),
		Timeout: c.Limits.AuthenticationTimeout, StateFile: filepath.Join(c.Spool(), "radius-server.state"), Log: n.log,
	}
	if n.db != nil {
		config.Attempts = n.db.attempts
	}
	if config.TLSConfig, err = radiusServerTLS(c); err != nil {
		return err
	}
	config.TLS = c.RADIUSService.TLS.Listen
	if a.server, err = radiusserver.Listen(config); err != nil {
		return fmt.Errorf("radius_server: %w", err)
	}
	a.undo = append(a.undo, a.server.Close)
	n.answering = a
	n.onClose(a.close)
	return nil
}

// ownAddresses are those that NASes know the server by, one of each family: many take orders from nowhere else.
func ownAddresses(listen []netip.AddrPort) (own []netip.Addr) {
	for _, l := range listen {
		a := l.Addr().Unmap()
		if !a.IsUnspecified() && !slices.ContainsFunc(own, func(o netip.Addr) bool { return o.Is4() == a.Is4() }) {
			own = append(own, a)
		}
	}
	return own
}

// openStore opens the place where the sessions of NASes are known: the database, else a file.
func (a *answering) openStore(c *configs.Config) error {
	if a.node.db != nil {
		a.store = a.node.db.elsewhere
		return nil
	}
	store, err := file.Open(file.Config{Path: filepath.Join(c.Spool(), "nas-sessions.db"), Log: a.node.log})
	if err != nil {
		return fmt.Errorf("sessions of other NASes: %w", err)
	}
	a.store = store
	a.undo = append(a.undo, store.Close)
	return nil
}

// start serves.
func (a *answering) start() {
	if a == nil {
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	a.stop = stop
	run := func(what string, f func(context.Context) error) {
		a.running.Go(func() error {
			err := f(ctx)
			if err != nil && ctx.Err() == nil {
				a.node.log.Error(what+" has stopped; restart lnsgate", "cause", err)
			}
			return err
		})
	}
	run("the keeper of the sessions of other NASes", a.sessions.Run)
	run("who asks again what accounts may", a.inquiries.run)
	run("the RADIUS server", a.server.Run)
	a.node.log.Info("answering as a RADIUS server", "listen", a.server.Addresses(), "clients", a.nases.count())
}

func (a *answering) close() (err error) {
	a.closing.Do(func() {
		if a.stop != nil {
			a.stop()
			_ = a.running.Wait() // told when it happened
		}
		for i := len(a.undo) - 1; i >= 0; i-- {
			err = errors.Join(err, a.undo[i]())
		}
	})
	return err
}

// follow puts the NASes of the file and of the database in force.
func (a *answering) follow(c *configs.Config) error {
	if a == nil {
		return nil
	}
	security, err := radiusServerTLS(c)
	if err != nil {
		return err
	}
	if security != nil {
		if err := a.server.SetTLS(security); err != nil {
			return fmt.Errorf("radius_server.tls: %w", err)
		}
	}
	list := a.node.nasClients(c)
	if err := a.server.Reload(list.answered(), a.sessions.Around(a.node.entrance), nil); err != nil {
		return fmt.Errorf("radius_server: %w", err)
	}
	a.nases.fill(list)
	return nil
}

// reauthorize has the accounts of the sessions asked about that a change is about, and does not wait for that.
func (a *answering) reauthorize(queries ...foreign.Query) {
	if a != nil {
		a.inquiries.put(queries...)
	}
}

// end has a session ended, wherever it is.
func (a *answering) end(ctx context.Context, session, reason string) {
	if a != nil {
		a.sessions.End(ctx, session, reason)
	}
}

// Sessions implements admin.Elsewhere.
func (a *answering) Sessions(ctx context.Context, f admin.SessionFilter) ([]aaa.Record, error) {
	list, err := a.ofUser(ctx, f.User, foreign.Query{Domain: aaa.FoldDomain(f.Domain)})
	return list, err
}

// ofUser finds the sessions of a user, named as typed or as the account is; "" is any.
func (a *answering) ofUser(ctx context.Context, user string, q foreign.Query) ([]aaa.Record, error) {
	if user == "" {
		return a.sessions.List(ctx, q)
	}
	q.Account = user
	list, err := a.sessions.List(ctx, q)
	if err != nil {
		return nil, err
	}
	q.Account, q.Name = "", user
	typed, err := a.sessions.List(ctx, q)
	for _, r := range typed {
		if r.Account != user {
			list = append(list, r)
		}
	}
	return list, err
}

// Kick implements admin.Elsewhere.
func (a *answering) Kick(ctx context.Context, who, reason string) (int, error) {
	list, err := a.sessions.List(ctx, foreign.Query{Session: who})
	if err == nil && len(list) == 0 {
		list, err = a.ofUser(ctx, who, foreign.Query{})
	}
	told := 0
	for _, r := range list {
		if a.sessions.Disconnect(ctx, r.Session, cmp.Or(reason, "ended by the administrator")) {
			told++
		}
	}
	return told, err
}

// elsewhere is nil, and not a pointer that is, for a node without it.
func (a *answering) elsewhere() admin.Elsewhere {
	if a == nil {
		return nil
	}
	return a
}

// figures are what became of requests, of sessions and of what NASes were told.
func (a *answering) figures() map[string]uint64 {
	all := make(map[string]uint64)
	if a == nil {
		return all
	}
	served, kept := a.server.Stats(), a.sessions.Stats()
	for _, o := range radiusserver.Outcomes() {
		all["nas_requests_"+strings.ReplaceAll(o.String(), " ", "_")] = served.Total[o]
	}
	for name, n := range map[string]int{
		"requests_now": served.Answering, "tls_open_now": served.TLS.Open, "rejects_delayed_now": served.Delayed, "answers_remembered_now": served.Remembered,
		"logins_open_now": kept.Logins, "sessions_known_now": kept.Known, "addresses_owed_now": kept.Owed, "orders_now": kept.Orders,
	} {
		all["nas_"+name] = uint64(n)
	}
	for name, n := range map[string]uint64{
		"logins_lapsed": kept.Lapsed, "address_conflicts": kept.Conflicts, "addresses_of_their_own": kept.Moved, "records_late": kept.Late,
		"sessions_ended_by_restart": kept.Restarted, "sessions_ended_silent": kept.Silent, "sessions_ended_lost": kept.Lost,
		"tls_opened": served.TLS.Opened, "tls_refused": served.TLS.Refused, "tls_failed": served.TLS.Failed, "tls_cut": served.TLS.Cut,
		"orders_done": kept.Done, "orders_refused": kept.Refused, "orders_repeated": kept.Repeated, "orders_given_up": kept.GivenUp,
	} {
		all["nas_"+name] = n
	}
	return all
}
