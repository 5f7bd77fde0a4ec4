package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"runtime"
	"slices"
	"sync"
	"time"

	"lnsgate/aaa"
	"lnsgate/aaa/eap"
	"lnsgate/aaa/foreign"
	sqlaccounts "lnsgate/aaa/postgres"
	"lnsgate/configs"
	"lnsgate/lns"
	"lnsgate/lns/admin"
	"lnsgate/lns/admin/metrics"
	"lnsgate/lns/admin/web"
	"lnsgate/lns/capture"
	"lnsgate/lns/datapath/tun"
	"lnsgate/lns/host"
	"lnsgate/lns/recorder"
	"lnsgate/lns/transport"
	"lnsgate/pool"
	"lnsgate/pool/memory"

	"golang.org/x/sync/errgroup"
)

// farewell is how long peers may take to acknowledge our goodbye.
const farewell = 5 * time.Second

// node is a running server: the place where the rooms meet. They are made from the host upwards and closed from the top down.
type node struct {
	file string
	log  *slog.Logger

	host      *host.Host
	reach     *reach
	transport *transport.Transport
	path      *tun.DataPath
	filePools *memory.Allocator
	pools     pool.Keeper // those of the file, with a database those of the database too
	gateway   *liveGateway
	eap       *eap.Server       // nil: nobody is offered EAP
	entrance  aaa.Authenticator // who is asked first: EAP, then who delays guesses, then the gateway
	registry  aaa.Registry
	answering *answering // nil: no NAS of others is answered
	db        *database  // nil without one
	radius    *radiusGroups
	books     *books
	recorder  *recorder.Recorder // of how logins went
	captures  *capture.Hub
	metrics   *metrics.Metrics

	authorization *authorization
	engine        *lns.Server

	reloading sync.Mutex // lets one reload in at a time; held while back ends are asked

	mu     sync.Mutex // guards the two below; never held while a back end is asked
	config *configs.Config
	shared content

	operator  net.Listener
	operators *operators
	page      *web.Page // nil: operators cannot come over the network

	undo []func() error // what close runs, last first
}

// newNode makes all rooms, or none.
func newNode(config *configs.Config, file string, log *slog.Logger) (_ *node, err error) {
	n := &node{file: file, log: log, config: config}
	defer func() {
		if err != nil {
			err = errors.Join(err, n.close())
		}
	}()
	for _, step := range []func(*configs.Config) error{
		n.openOperator, n.openOperators, n.openMetrics, n.openDatabase, n.openTracing, n.openRADIUS, n.openPools, n.openGateway, n.openHost, n.openSockets, n.openCapture, n.openPath, n.openReach, n.openEAP, n.openEntrance, n.openAnswering,
	} {
		if err := step(config); err != nil {
			return nil, err
		}
	}
	deps := lns.Deps{
		Node:      config.Node,
		Sender:    n.captures.Sender(n.transport),
		DataPath:  n.path,
		AAA:       n.entrance,
		Registry:  n.registry,
		Pools:     n.pools,
		Admission: n.transport.Admission(),
		Host:      n.reach,
		Router:    n.reach,
		Accounter: n.metrics.Accounter(n.books),
		Attempts:  n.attempts(),
		Recorder:  n.recorder,
		Log:       log,
	}
	if n.engine, err = lns.New(n.engineConfig(config), deps); err != nil {
		return n, err
	}
	n.authorization = &authorization{node: n}
	n.onClose(n.authorization.close)
	return n, n.authorization.put(config)
}

// openOperator comes first: a second server started by mistake finds the socket answered, before it has touched the host.
func (n *node) openOperator(c *configs.Config) (err error) {
	if n.operator, err = admin.Listen(c.AdminSocket); err != nil {
		return fmt.Errorf("admin_socket: %w", err)
	}
	n.onClose(func() error {
		if err := n.operator.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			return err
		}
		return nil
	})
	return nil
}

// openRADIUS makes room for the groups; the gateway opens them.
func (n *node) openRADIUS(c *configs.Config) error {
	if err := os.MkdirAll(c.StateDir, 0o755); err != nil {
		return fmt.Errorf("state_dir: %w", err)
	}
	n.radius = newRADIUSGroups(c.Node, c.StateDir, n.log)
	n.onClose(n.radius.close)
	n.books = newBooks(c, n.db, n.log)
	n.onClose(n.books.close)
	return nil
}

func (n *node) openDatabase(c *configs.Config) (err error) {
	if !c.Database.Given() {
		return nil
	}
	if err := os.MkdirAll(c.StateDir, 0o755); err != nil {
		return fmt.Errorf("state_dir: %w", err)
	}
	if n.db, err = openDatabase(c, n.log); err != nil {
		return err
	}
	n.onClose(n.db.close)
	if n.shared, err = n.db.content(); err != nil {
		n.log.Warn("the domains and filters of the database are not known yet", "cause", err)
	}
	return nil
}

func (n *node) openPools(c *configs.Config) (err error) {
	n.filePools, err = memory.New(poolConfig(c))
	n.pools = n.filePools
	if n.db != nil {
		n.pools = newBothPools(n.filePools, n.db.leases, c)
	}
	return err
}

func (n *node) openGateway(c *configs.Config) error {
	groups, err := n.radius.prepare(c)
	if err != nil {
		return err
	}
	n.radius.put(groups, 0)
	if err := n.books.follow(groups); err != nil {
		return fmt.Errorf("accounting spool: %w", err)
	}
	g, domains, err := n.newGateway(c, groups)
	n.gateway = newLiveGateway(g, domains, c.DefaultDomain)
	return err
}

// openEntrance says who is asked about people, and who counts their sessions.
func (n *node) openEntrance(*configs.Config) error {
	n.entrance, n.registry = n.guarded(), foreign.NewCounts(n.giveWay)
	if n.eap != nil {
		n.entrance = n.eap
	}
	if n.db != nil {
		n.registry = n.db.registry
	}
	return nil
}

// guarded is the gateway behind who delays guesses: behind EAP, so that what is guessed inside of it counts by its name.
func (n *node) guarded() aaa.Authenticator {
	if n.db == nil {
		return n.gateway
	}
	return n.db.guard.Before(n.gateway)
}

// giveWay ends a session in whose place a newer one comes.
func (n *node) giveWay(ctx context.Context, session, reason string) {
	n.engine.Drop(ctx, session, reason)
	n.answering.end(ctx, session, reason)
}

// newGateway makes the gateway of the file's domains and the database's, and tells which those are.
func (n *node) newGateway(c *configs.Config, groups []*radiusGroup) (*aaa.Gateway, []aaa.Domain, error) {
	config, fault := gatewayConfig(c)
	for _, g := range groups {
		config.Backends = append(config.Backends, g.backend)
	}
	config.Possible = n.shared.possible(c)
	if n.db != nil {
		config.Backends = append(config.Backends, n.db.backend)
		config = n.shared.addDomains(config, n.log)
	}
	g, err := aaa.NewGateway(config)
	return g, config.Domains, errors.Join(fault, err)
}

// newGateway makes the gateway of a file alone. What lives in the database is not known to it.
func newGateway(c *configs.Config) (*aaa.Gateway, error) {
	config, fault := gatewayConfig(c)
	for _, g := range c.RADIUS {
		config.Backends = append(config.Backends, absentBackend(g.Name))
	}
	if c.Database.Given() {
		config.Backends = append(config.Backends, absentBackend(sqlaccounts.Name))
		config = content{}.addDomains(config, slog.New(slog.DiscardHandler))
	}
	g, err := aaa.NewGateway(config)
	return g, errors.Join(fault, err)
}

// openHost removes what a predecessor has left behind that was killed.
func (n *node) openHost(c *configs.Config) (err error) {
	if !c.L2TP() {
		return nil // nothing of it is touched, and any number may run beside each other
	}
	if err := os.MkdirAll(c.StateDir, 0o755); err != nil {
		return fmt.Errorf("state_dir: %w", err)
	}
	if n.host, err = host.New(host.Config{StateDir: c.StateDir, Log: n.log}); err != nil {
		return err
	}
	n.onClose(n.host.Close)
	left, err := n.host.CleanUp(templateNames(c)...)
	if left.Any() {
		n.log.Warn("removed what a killed predecessor left", "interfaces", left.Interfaces, "routes", left.Routes,
			"proxy_arp", left.Proxies, "sysctls", left.Sysctls)
	}
	return err
}

func templateNames(c *configs.Config) []string {
	var names []string
	for _, t := range c.VirtualTemplates {
		names = append(names, t.Name)
	}
	return names
}

func (n *node) openSockets(c *configs.Config) (err error) {
	t := transportConfig(c)
	t.Log = n.log
	if !c.L2TP() {
		t.Listen = nil
	}
	if n.transport, err = transport.New(t); err != nil {
		return err
	}
	n.onClose(n.transport.Close)
	return nil
}

func (n *node) openPath(c *configs.Config) (err error) {
	var templates []tun.Config
	for _, t := range c.VirtualTemplates {
		queues := t.Queues
		if queues == 0 {
			queues = min(runtime.NumCPU(), 8)
		}
		templates = append(templates, tun.Config{
			Interface: t.Name,
			MTU:       t.MRU,
			Sender:    n.captures.Sender(n.transport),
			Queues:    queues,
			Offload:   t.Offload != configs.Off,
			Log:       n.log,
		})
	}
	if n.path, err = tun.New(templates...); err != nil {
		return err
	}
	n.onClose(n.path.Close)
	return nil
}

func (n *node) openReach(c *configs.Config) (err error) {
	if c.Forwarding && c.L2TP() {
		if err := n.host.EnableForwarding(); err != nil {
			return err
		}
		if slices.ContainsFunc(c.VirtualTemplates, func(t configs.VirtualTemplate) bool { return t.IPv6 }) {
			if err := n.host.EnableIPv6Forwarding(); err != nil {
				return err
			}
		}
	}
	if n.reach, err = newReach(n.host, c, n.log); err != nil || n.db == nil {
		return err
	}
	if err := n.reach.adapt(n.shared.merge(c)); err != nil {
		n.log.Error("a domain of the database cannot be served as it is", "cause", err)
	}
	return nil
}

func (n *node) onClose(f func() error) { n.undo = append(n.undo, f) }

// close takes back whatever has been made.
func (n *node) close() error {
	var faults []error
	for i := len(n.undo) - 1; i >= 0; i-- {
		faults = append(faults, n.undo[i]())
	}
	n.undo = nil
	return errors.Join(faults...)
}

// run serves until the context ends. The readers go on until the peers have acknowledged the goodbye.
func (n *node) run(ctx context.Context, hangups <-chan os.Signal) (err error) {
	defer func() { err = errors.Join(err, n.close()) }()
	operator, err := n.newAdmin()
	if err != nil {
		return err
	}
	if n.db != nil {
		n.db.start()
		n.db.settle(ctx)
	}
	domains, _ := n.gateway.domains()
	n.books.settle(ctx, domains)
	n.answering.start()
	addresses, templates, socket := n.transport.Addrs(), templateNames(n.config), n.config.AdminSocket // a reload may come any moment
	reading, stopReading := context.WithCancel(context.Background())
	defer stopReading()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		return n.transport.Run(reading, func(int) transport.Receiver { return n.captures.Receiver(n.engine.Receiver()) })
	})
	group.Go(func() error { return operator.Serve(ctx, n.operator) })
	n.operators.serve(ctx, operator, group)
	if n.page != nil {
		group.Go(func() error { return n.page.Run(ctx) })
	}
	group.Go(func() error { return n.watch(ctx, hangups) })
	group.Go(func() error { return n.guard(ctx) })
	if n.db != nil {
		group.Go(func() error { return n.followDatabase(ctx) })
		group.Go(func() error { return n.dropLost(ctx) })
	}
	group.Go(func() error {
		<-ctx.Done()
		n.tell(notifyStopping)
		n.sayGoodbye()
		stopReading()
		return n.captures.Close() // with the verdict of that
	})
	n.log.Info("serving", "listen", addresses, "virtual_templates", templates, "admin_socket", socket)
	n.tell(notifyReady)
	// The sockets are closed first, so that nothing is on its way to a peer any more when the devices go.
	return errors.Join(group.Wait(), n.transport.Close())
}

// guard ends the server when a virtual template's device is gone: the logins that it went on accepting would carry
// nothing. Peers are told goodbye and dial again; the service manager starts a new server with new devices.
func (n *node) guard(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case err := <-n.path.Failed():
		return err
	}
}

func (n *node) sayGoodbye() {
	n.log.Info("stopping", "sessions", len(n.engine.Sessions()))
	ctx, cancel := context.WithTimeout(context.Background(), farewell)
	defer cancel()
	n.engine.Close(ctx)
}

// watch reloads at every hangup signal.
func (n *node) watch(ctx context.Context, hangups <-chan os.Signal) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-hangups:
			n.tell(notifyReloading)
			var inForce *admin.InForceError // reload has logged it
			if err := n.reload(ctx); err != nil && !errors.As(err, &inForce) {
				n.log.Error("the configuration is not changed", "file", n.file, "cause", err)
			}
			n.tell(notifyReady)
		}
	}
}

func (n *node) tell(state string) {
	if err := notify(state); err != nil {
		n.log.Warn("service manager", "cause", err)
	}
}
