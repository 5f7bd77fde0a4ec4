package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"runtime"
	"slices"
	"sync"

	"lnsgate/aaa"
	"lnsgate/aaa/eap"
	"lnsgate/aaa/guard"
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
)

// node is a running server: the place where the rooms meet. They are made from the host upwards and closed from the top down.
type node struct {
	file string
	log  *slog.Logger

	host      *host.Host
	reach     *reach
	transport *transport.Transport
	path      *tun.DataPath
	fast      fastPath // over path
	filePools *memory.Allocator
	pools     pool.Keeper // those of the file, with a database those of the database too
	gateway   *liveGateway
	bans      *guard.Bans       // who is shut out
	guesses   *guard.Guard      // who has to wait
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
		n.openOperator, n.openOperators, n.openMetrics, n.openDatabase, n.openTracing, n.openRADIUS, n.openPools, n.openBans, n.openGateway, n.openHost, n.openSockets, n.openCapture, n.openPath, n.openReach, n.openEAP, n.openEntrance, n.openAnswering,
	} {
		if err := step(config); err != nil {
			return nil, err
		}
	}
	deps := lns.Deps{
		Node:      config.Node,
		Sender:    n.captures.Sender(n.transport),
		DataPath:  n.carrier(),
		AAA:       n.entrance,
		Registry:  n.registry,
		Pools:     n.pools,
		Admission: n.transport.Admission(),
		Bans:      n.bans,
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
	if t.GRO == transport.Auto && carriesInKernel(c) {
		t.GRO = transport.Off // what user space merges passes the programs by
	}
	if !c.L2TP() {
		t.Listen = nil
	}
	if n.transport, err = transport.New(t); err != nil {
		return err
	}
	n.onClose(n.transport.Close)
	return n.watchIPsec(c)
}

// watchIPsec has the sockets tell what came through IPsec, if anybody wants to know. It stays that way.
func (n *node) watchIPsec(c *configs.Config) error {
	if !c.RequiresIPsec() {
		return nil
	}
	return n.transport.TellSecure(uint32(c.UDP.IPsecMark))
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
			Threads:   t.KernelThreads,
			Log:       n.log,
		})
	}
	if n.path, err = tun.New(templates...); err != nil {
		return err
	}
	return n.openFastPath(c)
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
