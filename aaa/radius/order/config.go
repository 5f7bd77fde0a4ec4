package order

import (
	"log/slog"
	"net"
	"net/netip"

	"lnsgate/aaa"
	"lnsgate/aaa/radius/client"
	"lnsgate/aaa/radius/dialect"
)

// Port is that of RFC 5176 section 2.1. Older NASes have 1700.
const Port = 3799

// NAS is what has to be known of a client of the RADIUS server to tell its sessions something.
type NAS struct {
	Name      string // of the client, for the log
	Secret    aaa.Secret
	Equipment dialect.Equipment // in whose words it is told
	Port      int               // 0 = it is never told anything
	Address   netip.Addr        // where requests go, such as a proxy's; zero = where the session's NAS is reached
	Within    netip.Prefix      // requests go nowhere else, whatever the NAS says of where it is; zero = anywhere
}

// Config is what a Sender is made of. Zero values take the defaults that are named.
type Config struct {
	NAS    func(client string) (NAS, bool) // by aaa.NAS.Client; false: there is none of that name. It is asked at each Send
	Local  []netip.Addr                    // that requests are sent from, one of each family at most; none = as routing says
	Retry  client.RetryConfig              // zero = RFC 5080's, and no more than 5 transmissions
	AtOnce int                             // requests that wait for an answer at the same time; others wait their turn; 0 = 4096
	Log    *slog.Logger

	// Listen opens the sockets, for tests; nil = UDP.
	Listen func(network, address string) (net.PacketConn, error)
}

func (c Config) withDefaults() Config {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.AtOnce <= 0 {
		c.AtOnce = 4096
	}
	if c.Listen == nil {
		c.Listen = net.ListenPacket
	}
	return c
}
