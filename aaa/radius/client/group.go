package client

import (
	"context"
	"errors"
)

// Group is a set of servers that stand in for each other.
type Group struct {
	config Config
}

// New makes a group. A configuration that cannot work is an error that names every fault.
func New(c Config) (*Group, error) {
	if len(c.Servers) == 0 {
		return nil, errors.New("a group needs a server")
	}
	return &Group{config: c}, nil
}

// Exchange asks a server and returns its answer.
func (g *Group) Exchange(ctx context.Context, r Request) (Reply, error) {
	return Reply{}, ErrNoServer
}

// Stats tells how each server is, in the order of the configuration.
func (g *Group) Stats() []Stats { return nil }

// Close ends the group and returns when no goroutine of it is left. Exchanges that wait return ErrClosed.
func (g *Group) Close() {}
