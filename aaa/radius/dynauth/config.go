package dynauth

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"time"

	"lnsgate/aaa"
	"lnsgate/aaa/radius/wire"
)

// Client is who may send requests.
type Client struct {
	Source netip.Prefix // the longest that fits a source counts
	Secret aaa.Secret
	// RequireMessageAuthenticator drops requests without one, and signs every answer.
	RequireMessageAuthenticator bool
}

// Config is what a Server is made of. Zero values take the defaults that are named.
type Config struct {
	Listen   []netip.AddrPort // UDP; the port of RFC 5176 is 3799
	Clients  []Client
	Sessions aaa.Sessions

	Identifiers []string     // NAS-Identifiers that this node goes by
	Addresses   []netip.Addr // NAS-IP-Addresses that it goes by, besides those of this machine

	LeastInterim time.Duration // an interval between interim records is made this long at least; 0 = 60 s
	Window       time.Duration // how old a request may be, and how long its answer is kept; 0 = 300 s (RFC 5176 section 6.3)
	AtOnce       int           // requests that are carried out at the same time; 0 = 64
	Timeout      time.Duration // for carrying out one; 0 = 10 s
	Log          *slog.Logger
}

// mostAnswers is how many answers are kept.
const mostAnswers = 1 << 16

func (c Config) withDefaults() Config {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.AtOnce <= 0 {
		c.AtOnce = 64
	}
	for _, d := range []struct {
		value    *time.Duration
		standard time.Duration
	}{{&c.LeastInterim, time.Minute}, {&c.Window, 300 * time.Second}, {&c.Timeout, 10 * time.Second}} {
		if *d.value <= 0 {
			*d.value = d.standard
		}
	}
	return c
}

// validate tells every fault at once.
func (c *Config) validate() error {
	var faults []error
	if c.Sessions == nil {
		faults = append(faults, errors.New("there are no sessions"))
	}
	if len(c.Listen) == 0 {
		faults = append(faults, errors.New("there is no address to listen on"))
	}
	return errors.Join(append(faults, validateClients(c.Clients))...)
}

func validateClients(clients []Client) error {
	var faults []error
	for _, client := range clients {
		switch {
		case !client.Source.IsValid():
			faults = append(faults, errors.New("a client without a source"))
		case client.Secret.IsZero():
			faults = append(faults, fmt.Errorf("client %s has no secret", client.Source))
		}
	}
	return errors.Join(faults...)
}

// peer is a client with its key.
type peer struct {
	source   netip.Prefix
	key      *wire.Key
	demanded bool // a Message-Authenticator
}

// peersOf makes the list of clients, the longest prefix first.
func peersOf(clients []Client) []peer {
	list := make([]peer, len(clients))
	for i, c := range clients {
		list[i] = peer{c.Source.Masked(), wire.NewKey(c.Secret.Reveal()), c.RequireMessageAuthenticator}
	}
	slices.SortStableFunc(list, func(a, b peer) int { return b.source.Bits() - a.source.Bits() })
	return list
}

// peerOf finds who sends from an address, or nil.
func peerOf(list []peer, source netip.Addr) *peer {
	source = source.Unmap().WithZone("")
	for i := range list {
		if list[i].source.Contains(source) {
			return &list[i]
		}
	}
	return nil
}

// identity is what this node is called.
type identity struct {
	names     []string
	addresses []netip.Addr
}

func (i *identity) named(name string) bool { return slices.Contains(i.names, name) }

// addressed says whether an address is ours. Those of the machine always are: requests for sessions name the end of the tunnel.
func (i *identity) addressed(a netip.Addr) bool {
	if slices.Contains(i.addresses, a) {
		return true
	}
	own, err := net.InterfaceAddrs()
	return err == nil && slices.ContainsFunc(own, func(n net.Addr) bool {
		p, err := netip.ParsePrefix(n.String())
		return err == nil && p.Addr() == a
	})
}
