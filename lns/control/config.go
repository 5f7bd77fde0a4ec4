package control

import (
	"cmp"
	"crypto/rand"
	"io"
	"time"

	"lnsgate/lns/l2tp"
)

// Role is which end of the tunnel this is.
type Role uint8

const (
	LNS Role = iota // answers incoming calls
	LAC             // places incoming calls
)

// String is "LNS" or "LAC".
func (r Role) String() string {
	if r == LAC {
		return "LAC"
	}
	return "LNS"
}

// Config is everything a Tunnel needs to know. Zero values take the default named with the field.
type Config struct {
	Role                  Role
	HostName              string        // what we call ourselves; must not be empty
	Vendor                string        // "": not sent
	Firmware              uint16        // 0: not sent
	LocalTunnel           l2tp.TunnelID // the id we chose; must not be 0
	ReceiveWindow         uint16        // control messages the peer may send unacknowledged; default 16
	Secret                l2tp.Secret   // shared secret of tunnel authentication and hidden AVPs; nil: none
	PreviousSecrets       []l2tp.Secret // what the peer may still have instead of Secret; see secretAt
	RequireAuthentication bool          // challenge the peer
	HideAVPs              bool          // hide what may be hidden; needs Secret
	SingleTunnel          bool          // Dial sends a Tie Breaker: only one tunnel between the two of us
	HelloInterval         time.Duration // silence of the peer after which a HELLO is sent; 0: never
	RetransmitFirst       time.Duration // first resend interval, doubled each time; default 1 s
	RetransmitCap         time.Duration // longest resend interval; default 8 s, the least that RFC 2661 allows
	MaxTransmissions      int           // sendings of one message before the tunnel is lost; default 6
	SetupTimeout          time.Duration // for the tunnel and for each call; default 30 s
	LingerAfterStop       time.Duration // how long to acknowledge after a StopCCN; default one full resend cycle
	MaxSessions           int           // calls at a time; default and most: 65534

	// TolerateUnknownMandatory accepts messages with unknown AVPs whose M bit is set.
	TolerateUnknownMandatory bool

	// Rand gives challenges, random vectors and tie breakers; default crypto/rand.Reader.
	Rand io.Reader
}

// Defaults of Config.
const (
	DefaultReceiveWindow    = 16
	DefaultRetransmitFirst  = time.Second
	DefaultRetransmitCap    = 8 * time.Second
	DefaultMaxTransmissions = 6
	DefaultSetupTimeout     = 30 * time.Second
	DefaultMaxSessions      = 65534 // every session id but 0 and RefusalSession
)

// withDefaults fills in what is zero.
func (c Config) withDefaults() Config {
	c.ReceiveWindow = cmp.Or(c.ReceiveWindow, DefaultReceiveWindow)
	c.RetransmitFirst = cmp.Or(c.RetransmitFirst, DefaultRetransmitFirst)
	c.RetransmitCap = max(cmp.Or(c.RetransmitCap, DefaultRetransmitCap), c.RetransmitFirst)
	c.MaxTransmissions = cmp.Or(c.MaxTransmissions, DefaultMaxTransmissions)
	c.SetupTimeout = cmp.Or(c.SetupTimeout, DefaultSetupTimeout)
	c.LingerAfterStop = cmp.Or(c.LingerAfterStop, c.resendCycle())
	c.MaxSessions = min(cmp.Or(c.MaxSessions, DefaultMaxSessions), DefaultMaxSessions)
	if c.Rand == nil {
		c.Rand = rand.Reader
	}
	return c
}

// resendCycle is how long a message is resent before the peer is given up: 31 s with the defaults.
func (c Config) resendCycle() time.Duration {
	var sum time.Duration
	d := c.RetransmitFirst
	for range c.MaxTransmissions {
		sum += d
		d = min(2*d, c.RetransmitCap)
	}
	return sum
}
