package configs

import (
	"net/netip"
	"time"
)

// Default returns the configuration of a file that says nothing: every setting that has a default, and no list of
// named things. It is not usable by itself, because nobody could dial in.
func Default() *Config {
	return &Config{
		Listen:        []netip.AddrPort{netip.MustParseAddrPort("0.0.0.0:1701"), netip.MustParseAddrPort("[::]:1701")},
		AdminSocket:   "/run/lnsgate/lnsgate.sock",
		StateDir:      "/run/lnsgate",
		Log:           Log{Level: Info, Format: Text},
		Trace:         defaultTrace(),
		Database:      defaultDatabase(),
		DefaultDomain: "default",
		Forwarding:    true,
		Limits: Limits{
			Tunnels:                      65000,
			Sessions:                     60000,
			SessionsPerTunnel:            65000,
			HalfOpen:                     4096,
			HalfOpenTunnels:              1024,
			HalfOpenPerSource:            256,
			NewTunnelsPerSecondPerSource: 50,
			PendingAuthentications:       256,
			WaitingAuthentications:       16384,
			AuthenticationTimeout:        30 * time.Second,
			SetupTimeout:                 60 * time.Second,
		},
		Bans: Bans{AccountFailures: 50, AccountTime: 15 * time.Minute, SourceFailures: 200, SourceTime: time.Hour},
		UDP:  UDP{ReceiveBuffer: 8 << 20, SendBuffer: 32 << 20, IPsecMark: 1701},
	}
}

// The defaults of the things in lists. The decoder starts every item of a list from one of these.

func defaultVirtualTemplate() VirtualTemplate {
	return VirtualTemplate{
		PPPAuthentication: []Method{CHAP, MSCHAPv2, PAP},
		MRU:               1460,
		EchoInterval:      30 * time.Second,
		EchoFailures:      4,
	}
}

func defaultL2TPGroup() L2TPGroup {
	return L2TPGroup{
		TunnelName:          "LNS",
		HelloInterval:       60 * time.Second,
		ReceiveWindow:       16,
		RetransmitFirst:     time.Second,
		RetransmitCap:       8 * time.Second,
		Transmissions:       6,
		ProxyLCP:            Use,
		ProxyAuthentication: Renegotiate,
		IdleTunnelTimeout:   60 * time.Second,
		ClientProfile:       "auto",
	}
}

func defaultDomain() Domain {
	return Domain{Authentication: []string{"local"}}
}

func defaultPool() Pool {
	return Pool{Quarantine: 60 * time.Second, Sticky: true}
}

// prefill sets target to the default of its type, if that type has one.
func prefill(target any) {
	switch t := target.(type) {
	case *VirtualTemplate:
		*t = defaultVirtualTemplate()
	case *L2TPGroup:
		*t = defaultL2TPGroup()
	case *Domain:
		*t = defaultDomain()
	case *RADIUS:
		*t = defaultRADIUS()
	case *RADIUSServer:
		*t = defaultRADIUSServer()
	case *RADIUSService:
		*t = defaultRADIUSService()
	case *RADIUSClient:
		*t = defaultRADIUSClient()
	case *Filter:
		*t = defaultFilter()
	case *Pool:
		*t = defaultPool()
	}
}
