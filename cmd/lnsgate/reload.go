package main

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync/atomic"

	"lnsgate/aaa"
	"lnsgate/aaa/foreign"
	"lnsgate/aaa/secret"
	"lnsgate/configs"
	"lnsgate/lns/admin"
)

// liveGateway is the gateway now in force. It is safe for concurrent use.
type liveGateway struct{ now atomic.Pointer[gatewayState] }

type gatewayState struct {
	gateway  *aaa.Gateway
	domains  []aaa.Domain
	fallback string
}

func newLiveGateway(g *aaa.Gateway, domains []aaa.Domain, fallback string) *liveGateway {
	l := &liveGateway{}
	l.replace(g, domains, fallback)
	return l
}

func (l *liveGateway) replace(g *aaa.Gateway, domains []aaa.Domain, fallback string) {
	l.now.Store(&gatewayState{gateway: g, domains: domains, fallback: fallback})
}

// Authenticate asks the gateway in force.
func (l *liveGateway) Authenticate(ctx context.Context, r *aaa.Request) (aaa.Decision, error) {
	return l.now.Load().gateway.Authenticate(ctx, r)
}

// Authorize asks the gateway in force.
func (l *liveGateway) Authorize(ctx context.Context, r *aaa.Request) (aaa.Decision, error) {
	return l.now.Load().gateway.Authorize(ctx, r)
}

// First asks the gateway in force who would be asked first.
func (l *liveGateway) First(r *aaa.Request) string { return l.now.Load().gateway.First(r) }

func (l *liveGateway) domains() ([]aaa.Domain, string) {
	s := l.now.Load()
	return s.domains, s.fallback
}

// sinks says where the records of a domain go; nil is where the server's go.
func (l *liveGateway) sinks(domain string) []string {
	for _, d := range l.now.Load().domains {
		if d.Name == domain {
			return d.Accounting
		}
	}
	return nil
}

// reload reads the file again and puts users, domains, pools, groups and limits in force. What it cannot change while
// running keeps its old value, with a warning. A fault anywhere changes nothing; only an *admin.InForceError says that the
// file is in force and something did not follow.
func (n *node) reload(ctx context.Context) (admin.Reloaded, error) {
	n.reloading.Lock()
	defer n.reloading.Unlock()
	next, warnings, err := configs.Load(n.file)
	if err != nil {
		return admin.Reloaded{}, fmt.Errorf("%s cannot be used:\n%w", n.file, err)
	}
	for _, w := range warnings {
		n.log.Warn("configuration", "file", n.file, "warning", w.String())
	}
	keys, err := sealingKeys(next)
	if err != nil {
		return admin.Reloaded{}, fmt.Errorf("database.key_file: %w", err)
	}
	waiting, err := n.put(next, keys)
	if err != nil {
		return admin.Reloaded{}, err
	}
	n.log.Info("configuration reloaded", "file", n.file, "users", len(next.Users), "domains", len(next.Domains), "pools", len(next.Pools))
	if err := n.follow(ctx, next); err != nil {
		n.log.Error("the new configuration is in force, but not everything follows it", "file", n.file, "cause", err)
		return admin.Reloaded{}, &admin.InForceError{Err: err}
	}
	return admin.Reloaded{Waiting: waiting}, nil
}

// put puts a file in force, or nothing of it. It names what waits for the next start.
func (n *node) put(next *configs.Config, keys *secret.Keys) (waiting []string, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	key := next.Database.Key // it can be changed under way
	next.Database.Key = n.config.Database.Key
	waiting = n.keepFixed(next)
	next.Database.Key = key
	if err := inspect(next, n.file); err != nil {
		return nil, fmt.Errorf("%s cannot be used:\n%w", n.file, err)
	}
	if _, err := operatorList(next, n.operators.list); err != nil {
		return nil, err
	}
	groups, err := n.radius.prepare(next)
	if err != nil {
		return nil, err
	}
	defer n.radius.discard(groups) // unless they are in force by then
	gateway, domains, err := n.newGateway(next, groups)
	if err != nil {
		return nil, err
	}
	if err := n.watchIPsec(next); err != nil {
		return nil, err
	}
	if err := n.filePools.Reconfigure(poolConfig(next)); err != nil {
		return nil, err
	}
	if both, ok := n.pools.(*bothPools); ok {
		both.configure(next)
	}
	n.bans.SetPolicy(banPolicy(next))
	n.gateway.replace(gateway, domains, next.DefaultDomain)
	n.radius.put(groups, next.Limits.AuthenticationTimeout)
	if n.db != nil {
		n.db.keys.Set(keys)
		n.db.sealer.Wake()
	}
	n.config = next
	return waiting, nil
}

// follow brings the host and the open sessions to the configuration in force.
func (n *node) follow(ctx context.Context, c *configs.Config) error {
	var faults []error
	n.mu.Lock()
	merged := n.shared.merge(c)
	n.mu.Unlock()
	if err := n.reach.adapt(merged); err != nil {
		faults = append(faults, fmt.Errorf("routes of the new pools: %w", err))
	}
	n.mu.Lock()
	engine := n.engineConfig(c)
	n.mu.Unlock()
	faults = append(faults, n.books.follow(n.radius.groups()), n.engine.Reload(ctx, engine))
	faults = append(faults, n.followEAP(c), n.operators.put(c))
	faults = append(faults, n.followNASes(ctx))
	n.answering.reauthorize(foreign.Query{})
	return errors.Join(append(faults, n.authorization.put(c))...)
}

// keepFixed puts back what is decided once at the start: sockets and their admission, interfaces, the number of checks at
// once, and the socket of the operator. It names what has changed of that.
func (n *node) keepFixed(next *configs.Config) (waiting []string) {
	for _, f := range []struct {
		key       string
		old, next any
	}{
		{"node", &n.config.Node, &next.Node},
		{"database", &n.config.Database, &next.Database},
		{"listen", &n.config.Listen, &next.Listen},
		{"udp", &n.config.UDP, &next.UDP},
		{"admin.listen", &n.config.Admin.Listen, &next.Admin.Listen},
		{"admin_socket", &n.config.AdminSocket, &next.AdminSocket},
		{"state_dir", &n.config.StateDir, &next.StateDir},
		{"spool_dir", &n.config.SpoolDir, &next.SpoolDir},
		{"log", &n.config.Log, &next.Log},
		{"trace", &n.config.Trace, &next.Trace},
		{"forwarding", &n.config.Forwarding, &next.Forwarding},
		{"radius_server.listen", &n.config.RADIUSService.Listen, &next.RADIUSService.Listen},
		{"radius_server.accounting_listen", &n.config.RADIUSService.AccountingListen, &next.RADIUSService.AccountingListen},
		{"radius_server.tls", &n.config.RADIUSService.TLS, &next.RADIUSService.TLS},
		{"radius_server.reject_delay", &n.config.RADIUSService.RejectDelay, &next.RADIUSService.RejectDelay},
		{"limits.pending_authentications", &n.config.Limits.PendingAuthentications, &next.Limits.PendingAuthentications},
		{"limits.waiting_authentications", &n.config.Limits.WaitingAuthentications, &next.Limits.WaitingAuthentications},
		{"limits.new_tunnels_per_second_per_source",
			&n.config.Limits.NewTunnelsPerSecondPerSource, &next.Limits.NewTunnelsPerSecondPerSource},
		{"headquarters", &n.config.Headquarters, &next.Headquarters},
		{"virtual_templates", &n.config.VirtualTemplates, &next.VirtualTemplates},
	} {
		old, now := reflect.ValueOf(f.old).Elem(), reflect.ValueOf(f.next).Elem()
		if !reflect.DeepEqual(old.Interface(), now.Interface()) {
			waiting = append(waiting, f.key)
			now.Set(old)
		}
	}
	waiting = append(waiting, n.keepNAS(next)...)
	for _, key := range waiting {
		n.log.Warn("this change takes effect at the next start", "key", key)
	}
	return waiting
}

// keepNAS puts back what a RADIUS group calls this node: servers know the open sessions by that, and would not recognise their
// last records.
func (n *node) keepNAS(next *configs.Config) (waiting []string) {
	for i := range next.RADIUS {
		now := &next.RADIUS[i]
		at := slices.IndexFunc(n.config.RADIUS, func(g configs.RADIUS) bool { return g.Name == now.Name })
		if at < 0 {
			continue
		}
		old := &n.config.RADIUS[at]
		if old.NASIdentifier == now.NASIdentifier && old.NASAddress == now.NASAddress && old.AccountingOnOff == now.AccountingOnOff {
			continue
		}
		waiting = append(waiting, fmt.Sprintf("radius[%d]: nas_identifier, nas_address, accounting_on_off", i))
		now.NASIdentifier, now.NASAddress, now.AccountingOnOff = old.NASIdentifier, old.NASAddress, old.AccountingOnOff
	}
	return waiting
}
