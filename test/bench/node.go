package main

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"lnsgate/aaa"
	"lnsgate/aaa/guard"
	accounts "lnsgate/aaa/postgres"
	"lnsgate/pool"
	pools "lnsgate/pool/postgres"

	"golang.org/x/sync/errgroup"
)

// node is the AAA side of a server in this process: what cmd/lnsgate makes of a configuration that names a database and
// nothing else, with the defaults of the reference configuration.
type node struct {
	connections *accounts.Pool
	gateway     aaa.Authenticator
	registry    aaa.Registry
	leases      *pools.Allocator
	attempts    *accounts.Attempts
	stop        context.CancelFunc
	running     errgroup.Group
}

// The defaults of the configuration.
const (
	connections      = 16
	statementTimeout = 5 * time.Second
)

func openNode(ctx context.Context, s *sqlServer, d *sqlDatabase) (n *node, err error) {
	n = &node{}
	if n.connections, err = accounts.Connect(ctx, aaa.NewSecret(d.url), connections, false); err != nil {
		return nil, err
	}
	log := slog.New(slog.DiscardHandler)
	if n.leases, err = pools.New(pools.Config{Pool: n.connections, Node: "bench", Timeout: statementTimeout, Log: log}); err != nil {
		n.connections.Close()
		return nil, err
	}
	member := accounts.NewNode(n.connections, accounts.NodeConfig{Name: "bench", Log: log, Epoch: n.leases.Epoch})
	backend := accounts.New(n.connections, accounts.Config{Keys: accounts.NewKeyring(s.keys), Timeout: statementTimeout})
	n.registry = accounts.NewRegistry(member)
	n.attempts = accounts.NewAttempts(n.connections, log)
	running, stop := context.WithCancel(context.Background())
	n.stop = stop
	n.running.Go(func() error { return n.leases.Run(running) })
	n.running.Go(func() error { n.attempts.Run(running); return nil })
	n.running.Go(func() error { member.Run(running); return nil })
	if err := n.watch(running, member, backend, d.url, log); err != nil {
		n.close()
		return nil, err
	}
	domains, err := backend.Domains(ctx)
	if err == nil {
		err = n.leases.Ready(ctx)
	}
	var gateway *aaa.Gateway
	if err == nil {
		gateway, err = aaa.NewGateway(aaa.Config{Domains: domains, DefaultDomain: domain, Backends: []aaa.Backend{backend}})
	}
	if err != nil {
		n.close()
		return nil, err
	}
	n.gateway = guard.New(guard.Config{}).Before(gateway)
	return n, nil
}

// watch has the back end hear of changes, without which it would remember nobody.
func (n *node) watch(ctx context.Context, member *accounts.Node, backend *accounts.Backend, url string, log *slog.Logger) error {
	address, err := accounts.ParseAddress(aaa.NewSecret(url))
	if err != nil {
		return err
	}
	watcher := accounts.NewWatcher(accounts.WatcherConfig{
		Connect: address, Node: member, Backend: backend, Log: log, Changed: func([]accounts.Change) {},
	})
	n.running.Go(func() error { watcher.Run(ctx); return nil })
	return nil
}

func (n *node) close() {
	n.stop()
	n.running.Wait() // why it stopped is that we said so
	n.connections.Close()
}

// authorise does for one login what the engine does between the proof and IPCP, and writes it down as that does.
func (n *node) authorise(ctx context.Context, r *aaa.Request, session string) (pool.Lease, error) {
	d, err := n.gateway.Authenticate(ctx, r)
	if err != nil {
		return pool.Lease{}, err
	}
	if d.MaxSessions > 0 || d.DomainSessions > 0 {
		err := n.registry.Enter(ctx, aaa.Entry{
			Session: session, Name: r.Name, Account: d.Account, Domain: d.Domain, Since: time.Now(),
			AccountLimit: d.MaxSessions, DomainLimit: d.DomainSessions, Policy: d.SessionPolicy,
		})
		if err != nil {
			return pool.Lease{}, err
		}
	}
	lease, err := n.leases.Allocate(ctx, pool.Request{Pools: d.Pools, Account: d.Account, Address: d.Address, Holder: session})
	if err == nil {
		n.attempts.Log(aaa.Attempt{
			At: time.Now(), Session: session, Node: "bench", Name: r.Name, Account: d.Account, Domain: d.Domain, Method: r.Proof.Method,
			OK: true, Phase: "open", Address: lease.Address,
		})
	}
	return lease, err
}

// written waits until the table says what this node says: so many leases.
func (n *node) written(ctx context.Context, want int) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var rows int
	err := until(ctx, "all leases are written", func() (bool, error) {
		if n.leases.Stats().Unwritten > 0 {
			return false, nil
		}
		err := n.connections.QueryRow(ctx, "SELECT count(*) FROM leases WHERE state = 'bound'").Scan(&rows)
		return rows == want, err
	})
	if err != nil {
		return fmt.Errorf("%d leases are in the table, not %d: %w", rows, want, err)
	}
	return nil
}

// rate has that many workers do count things, which give leases, and returns how many a second, all of them written.
func (n *node) rate(ctx context.Context, count, workers int, one func(i int) (pool.Lease, error)) (float64, []pool.Lease, error) {
	leases := make([]pool.Lease, count)
	began := time.Now()
	err := inParallel(count, workers, func(i int) (err error) {
		leases[i], err = one(i)
		return err
	})
	if err == nil {
		err = n.written(ctx, count)
	}
	took := time.Since(began)
	if err == nil {
		err = distinct(leases)
	}
	return float64(count) / took.Seconds(), leases, err
}

// release gives all addresses back and waits until that is written.
func (n *node) release(ctx context.Context, leases []pool.Lease) error {
	for _, l := range leases {
		if err := n.leases.Release(ctx, l); err != nil {
			return err
		}
	}
	return n.written(ctx, 0)
}

// inParallel does things 0 to count-1, and stops at the first error.
func inParallel(count, workers int, one func(i int) error) error {
	var next atomic.Int64
	var failed atomic.Pointer[error]
	var all sync.WaitGroup
	for range min(workers, count) {
		all.Go(func() {
			for failed.Load() == nil {
				i := int(next.Add(1)) - 1
				if i >= count {
					return
				}
				if err := one(i); err != nil {
					failed.CompareAndSwap(nil, &err)
				}
			}
		})
	}
	all.Wait()
	if err := failed.Load(); err != nil {
		return *err
	}
	return nil
}

// distinct fails when an address is in two hands.
func distinct(leases []pool.Lease) error {
	holders := make(map[string]string, len(leases))
	for _, l := range leases {
		address := l.Address.String()
		if other, there := holders[address]; there {
			return fmt.Errorf("%s is held by %s and by %s", address, other, l.Holder)
		}
		holders[address] = l.Holder
	}
	return nil
}

// sessionID is a name for a session.
func sessionID(round string, i int) string { return round + "-" + strconv.Itoa(i) }
