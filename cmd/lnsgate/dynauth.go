package main

import (
	"context"
	"net/netip"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"lnsgate/aaa"
	"lnsgate/aaa/radius/dynauth"
	"lnsgate/configs"
)

// authorization lets RADIUS servers end and change sessions, as the file in force says.
type authorization struct {
	node *node

	mu      sync.Mutex // guards the rest
	listen  []netip.AddrPort
	server  *dynauth.Server // nil: nobody may
	stop    context.CancelFunc
	running errgroup.Group
}

// put makes the file count. What stays as it is goes on undisturbed.
func (a *authorization) put(c *configs.Config) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	next := a.node.authorizationConfig(c)
	if a.server != nil && slices.Equal(a.listen, c.DynamicAuthorization.Listen) {
		a.server.SetIdentity(next.Identifiers, next.Addresses)
		return a.server.SetClients(next.Clients)
	}
	a.end()
	if len(c.DynamicAuthorization.Listen) == 0 {
		return nil
	}
	server, err := dynauth.Listen(next)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	a.listen, a.server, a.stop = c.DynamicAuthorization.Listen, server, stop
	a.running.Go(func() error {
		err := server.Run(ctx)
		if err != nil {
			a.node.log.Error("RADIUS servers cannot end or change sessions any more; restart lnsgate", "cause", err)
		}
		return err
	})
	a.node.log.Info("RADIUS servers may end and change sessions", "listen", server.Addresses())
	return nil
}

// end stops the server that runs.
func (a *authorization) end() {
	if a.server == nil {
		return
	}
	a.stop()
	_ = a.running.Wait() // told when it happened
	a.server.Close()
	a.server, a.running = nil, errgroup.Group{}
}

func (a *authorization) close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.end()
	return nil
}

// figures counts requests by what became of them.
func (a *authorization) figures() map[string]uint64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	all := make(map[string]uint64)
	if a.server == nil {
		return all
	}
	counts := a.server.Stats()
	for _, o := range dynauth.Outcomes() {
		all["dynauth_"+o.String()] = counts[o]
	}
	return all
}

func (n *node) authorizationConfig(c *configs.Config) dynauth.Config {
	d := dynauth.Config{Listen: c.DynamicAuthorization.Listen, Sessions: n.engine, Identifiers: []string{c.Node}, Log: n.log}
	for _, client := range c.DynamicAuthorization.Clients {
		d.Clients = append(d.Clients, dynauth.Client{
			Source: client.Source, Secret: aaa.NewSecret(client.Secret.Reveal()),
			RequireMessageAuthenticator: client.RequireMessageAuthenticator,
		})
	}
	for _, g := range c.RADIUS {
		if g.NASIdentifier != "" {
			d.Identifiers = append(d.Identifiers, g.NASIdentifier)
		}
		if g.NASAddress.IsValid() {
			d.Addresses = append(d.Addresses, g.NASAddress)
		}
	}
	return d
}
