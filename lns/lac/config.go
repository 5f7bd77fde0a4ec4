package lac

import (
	"io"
	"time"

	"lnsgate/lns/control"
	"lnsgate/lns/l2tp"
)

// firmware is what our SCCRQ says of us.
const firmware = 0x0100

// defaultTimeout is how long the tunnel may take, and then each login.
const defaultTimeout = 30 * time.Second

// lingerAfterStop is how long we acknowledge a StopCCN of the server's: long enough for one that it sends again.
const lingerAfterStop = 1500 * time.Millisecond

// Config is what a Caller needs to know of its tunnel.
type Config struct {
	// HostName and Vendor are what we call ourselves in the SCCRQ. An empty HostName becomes "lnsgate-dial".
	HostName, Vendor string
	// Profile is whom we look like; nil: ourselves. It names us where HostName does not, and paces the control messages where
	// nothing below does.
	Profile *Profile
	// Firmware goes into the SCCRQ; 0: ours. Window is how many control messages we take unacknowledged; 0: the default of
	// control.
	Firmware, Window uint16
	// Tunnel is the id that we choose. It must not be zero, and must be unique on the socket.
	Tunnel l2tp.TunnelID
	// Secret is the shared tunnel secret (RFC 2661 section 5.1.1). With one set, the server must know it too.
	Secret l2tp.Secret
	// HideAVPs hides what may be hidden (RFC 2661 section 4.3). It needs a secret.
	HideAVPs bool
	// HelloInterval is how long the server may be silent before we ask whether it is there; zero never asks.
	HelloInterval time.Duration
	// Timeout is how long the tunnel may take; zero means 30 s.
	Timeout time.Duration
	// RetransmitFirst, RetransmitCap and MaxTransmissions pace the control messages; zero means the defaults of control.
	RetransmitFirst, RetransmitCap time.Duration
	MaxTransmissions               int
	// Talk fills Out.Said. A load run leaves it out.
	Talk bool
	// Rand is where challenges come from.
	Rand io.Reader
}

func (c Config) control() control.Config {
	return control.Config{
		Role: control.LAC, HostName: c.HostName, Vendor: c.Vendor, Firmware: c.Firmware, LocalTunnel: c.Tunnel,
		ReceiveWindow: c.Window,
		Secret:        c.Secret, RequireAuthentication: len(c.Secret) > 0, HideAVPs: c.HideAVPs,
		HelloInterval: c.HelloInterval, RetransmitFirst: c.RetransmitFirst, RetransmitCap: c.RetransmitCap,
		MaxTransmissions: c.MaxTransmissions, SetupTimeout: c.Timeout,
		LingerAfterStop: lingerAfterStop, Rand: c.Rand,
	}
}

func (c Config) withDefaults() Config {
	if c.Profile != nil {
		c.wear(c.Profile)
	} else if c.Firmware == 0 {
		c.Firmware = firmware
	}
	if c.HostName == "" {
		c.HostName = "lnsgate-dial"
	}
	if c.Timeout <= 0 {
		c.Timeout = defaultTimeout
	}
	return c
}
