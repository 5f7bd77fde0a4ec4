package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"lnsgate/aaa"
	"lnsgate/aaa/foreign"
	sqlaccounts "lnsgate/aaa/postgres"
	"lnsgate/configs"
)

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
	return n.guesses.Before(n.gateway)
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
