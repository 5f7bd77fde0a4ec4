package main

import (
	"context"
	"fmt"
	"reflect"
	"sync/atomic"

	"lnsgate/aaa"
	"lnsgate/configs"
)

// liveGateway is the gateway now in force. It is safe for concurrent use.
type liveGateway struct{ now atomic.Pointer[gatewayState] }

type gatewayState struct {
	gateway  *aaa.Gateway
	domains  []aaa.Domain
	fallback string
}

func newLiveGateway(g *aaa.Gateway, c *configs.Config) *liveGateway {
	l := &liveGateway{}
	l.replace(g, c)
	return l
}

func (l *liveGateway) replace(g *aaa.Gateway, c *configs.Config) {
	l.now.Store(&gatewayState{gateway: g, domains: domains(c), fallback: c.DefaultDomain})
}

// Authenticate asks the gateway in force.
func (l *liveGateway) Authenticate(ctx context.Context, r *aaa.Request) (aaa.Decision, error) {
	return l.now.Load().gateway.Authenticate(ctx, r)
}

// Authorize asks the gateway in force.
func (l *liveGateway) Authorize(ctx context.Context, r *aaa.Request) (aaa.Decision, error) {
	return l.now.Load().gateway.Authorize(ctx, r)
}

func (l *liveGateway) domains() ([]aaa.Domain, string) {
	s := l.now.Load()
	return s.domains, s.fallback
}

// reload reads the file again and puts users, domains, pools, groups and limits in force. What it cannot change while
// running keeps its old value, with a warning. A fault anywhere changes nothing.
func (n *node) reload(ctx context.Context) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	next, warnings, err := configs.Load(n.file)
	if err != nil {
		return fmt.Errorf("%s cannot be used:\n%w", n.file, err)
	}
	for _, w := range warnings {
		n.log.Warn("configuration", "file", n.file, "warning", w.String())
	}
	n.keepFixed(next)
	engine := engineConfig(next)
	if err := engine.Validate(); err != nil {
		return err
	}
	gateway, err := newGateway(next)
	if err != nil {
		return err
	}
	if err := n.reach.check(next); err != nil {
		return err
	}
	if err := n.pools.Reconfigure(poolConfig(next)); err != nil {
		return err
	}
	n.gateway.replace(gateway, next)
	n.config = next
	if err := n.reach.configure(next); err != nil {
		n.log.Error("routes of the new pools", "cause", err)
	}
	if err := n.engine.Reload(ctx, engine); err != nil {
		return err
	}
	n.log.Info("configuration reloaded", "file", n.file, "users", len(next.Users), "domains", len(next.Domains), "pools", len(next.Pools))
	return nil
}

// keepFixed puts back what is decided once at the start: sockets, interfaces and the socket of the operator.
func (n *node) keepFixed(next *configs.Config) {
	for _, f := range []struct {
		key       string
		old, next any
	}{
		{"listen", &n.config.Listen, &next.Listen},
		{"udp", &n.config.UDP, &next.UDP},
		{"admin_socket", &n.config.AdminSocket, &next.AdminSocket},
		{"state_dir", &n.config.StateDir, &next.StateDir},
		{"log", &n.config.Log, &next.Log},
		{"forwarding", &n.config.Forwarding, &next.Forwarding},
		{"headquarters", &n.config.Headquarters, &next.Headquarters},
		{"virtual_templates", &n.config.VirtualTemplates, &next.VirtualTemplates},
	} {
		old, now := reflect.ValueOf(f.old).Elem(), reflect.ValueOf(f.next).Elem()
		if !reflect.DeepEqual(old.Interface(), now.Interface()) {
			n.log.Warn("this change takes effect at the next start", "key", f.key)
			now.Set(old)
		}
	}
}
