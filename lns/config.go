package lns

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"lnsgate/aaa"
	"lnsgate/lns/datapath"
)

// Config is what an administrator says about the server. It is never written after it was given to New or Reload.
type Config struct {
	Templates []Template
	Groups    []Group
	Limits    Limits
	Filters   map[string]*datapath.Filter // what decisions call a filter of a session's traffic
	Reserved  []Reserved                  // besides the addresses of the templates
}

// Reserved is a network that a peer cannot have behind it, because it is somewhere else: a pool, a headquarters network.
type Reserved struct {
	Network netip.Prefix
	What    string // in words, for whoever tries: `pool "staff"`
	Pool    string // the pool that it is of; "" = none
}

// Template is a virtual template: a network interface of this host, and what is offered to the peers behind it.
type Template struct {
	Name         string
	Address      netip.Addr // our end of every link
	IPv6         bool       // peers are offered IPv6, where their domain or account has a prefix for them
	Address6     netip.Addr // our own; zero: none
	IPv6DNS      []netip.Addr
	Methods      []aaa.Method
	MRU          uint16 // octets
	MSS          int    // largest TCP segment in octets; 0 leaves TCP alone, MSSAuto follows the negotiated MRU
	DNS, NBNS    [2]netip.Addr
	EchoInterval time.Duration // zero: no LCP echo
	EchoFailures int
	IdleTimeout  time.Duration // where neither account nor domain says one; zero: none
}

// MSSAuto as a Template's MSS clamps TCP to what fits the link.
const MSSAuto = -1

// Group is an l2tp group: which peers it is for, and how their tunnels are treated.
type Group struct {
	Name      string
	HostNames []string       // peers by the host name in their SCCRQ; empty: any
	Sources   []netip.Prefix // peers by address; empty: any
	Template  string

	LocalName         string // our host name, and our name in CHAP challenges
	Secret            aaa.Secret
	PreviousSecrets   []aaa.Secret // that peers may still have while Secret is being given to them
	Authenticate      bool         // the peer must prove that it knows the secret
	RequireIPsec      bool         // peers that do not come through IPsec are refused
	HideAVPs          bool
	Hello             time.Duration
	ReceiveWindow     uint16
	RetransmitFirst   time.Duration
	RetransmitCap     time.Duration
	Transmissions     int
	TolerateUnknown   bool // unknown mandatory AVPs are skipped
	ProxyLCP          bool
	ProxyAuthenticate bool
	// ExplainRefusals tells an MS-CHAPv2 peer that has shown to know the password why it may not log in (RFC 2759 section 6).
	ExplainRefusals bool
	AlwaysSequence  bool
	Domain          string        // forced on every name; empty: none
	DefaultDomain   string        // for names without a domain; empty: the global one
	Profile         string        // of its clients: quirk.Auto (also ""), quirk.Off, or the name of a profile
	IdleTunnel      time.Duration // a tunnel without sessions is closed after it; zero: never
}

// Limits bound what peers can make the server hold.
type Limits struct {
	Tunnels                int
	Sessions               int
	SessionsPerTunnel      int
	HalfOpen               int // tunnels whose peer has not completed the three messages
	HalfOpenTunnels        int // so many of them are kept as tunnels, those beyond it as sketches of fixed size; 0: all as tunnels
	HalfOpenPerSource      int
	Authentications        int // checks running at once
	WaitingAuthentications int // how many more may wait for their turn; a login beyond that is refused
	AuthenticationTimeout  time.Duration
	SetupTimeout           time.Duration // from the ICCN to the open session
}

// DefaultLimits returns limits for a host with a few gigabytes of memory.
func DefaultLimits() Limits {
	return Limits{
		Tunnels: 65000, Sessions: 60000, SessionsPerTunnel: 65000,
		HalfOpen: 4096, HalfOpenTunnels: 1024, HalfOpenPerSource: 256,
		Authentications: 256, WaitingAuthentications: 16384, AuthenticationTimeout: 30 * time.Second, SetupTimeout: 60 * time.Second,
	}
}

// Validate returns every fault of the configuration, joined. Without groups nobody can connect, which is no fault.
func (c *Config) Validate() error {
	var faults []error
	for _, t := range c.Templates {
		if len(t.Methods) == 0 {
			faults = append(faults, fmt.Errorf("virtual template %q offers no authentication method", t.Name))
		}
		if !t.Address.Is4() {
			faults = append(faults, fmt.Errorf("virtual template %q has no IPv4 address", t.Name))
		}
	}
	for _, g := range c.Groups {
		if c.template(g.Template) == nil {
			faults = append(faults, fmt.Errorf("l2tp group %q: there is no virtual template %q", g.Name, g.Template))
		}
		if g.Authenticate && g.Secret.IsZero() {
			faults = append(faults, fmt.Errorf("l2tp group %q: tunnel authentication needs a secret", g.Name))
		}
	}
	return errors.Join(faults...)
}

func (c *Config) template(name string) *Template {
	for i := range c.Templates {
		if c.Templates[i].Name == name {
			return &c.Templates[i]
		}
	}
	return nil
}

// filter finds a filter by its name; the empty name is none.
func (c *Config) filter(name string) (*datapath.Filter, error) {
	if f := c.Filters[name]; f != nil || name == "" {
		return f, nil
	}
	return nil, aaa.Reject(aaa.Misconfigured, "there is no filter %q on this server; add it to the configuration, or correct the name", name).For(aaa.NoSuchFilter)
}

// mayChoose says whether a peer that has the choice of its address may have this one. It must be of one of its pools: any other
// could be that of a server, of the peer's own way to us, or of another department, and would lead their traffic to the peer.
func (c *Config) mayChoose(address netip.Addr, pools []string) bool {
	ours := func(r Reserved) bool { return r.Pool == "" && r.Network.IsSingleIP() && r.Network.Addr() == address }
	return !slices.ContainsFunc(c.Reserved, ours) && slices.ContainsFunc(c.Reserved, func(r Reserved) bool {
		return r.Pool != "" && r.Network.Contains(address) && slices.Contains(pools, r.Pool)
	})
}

// match finds the group of a peer: the one that says most about it. A host name says more than an address, a long prefix more than
// a short one; among equals the first in the file counts.
func (c *Config) match(hostName string, source netip.Addr) *Group {
	var best *Group
	bestScore := -1
	for i := range c.Groups {
		if score := c.Groups[i].score(hostName, source); score > bestScore {
			best, bestScore = &c.Groups[i], score
		}
	}
	return best
}

// score says how well a group fits a peer: -1 not at all, 0 as the catch-all, more the more exactly.
func (g *Group) score(hostName string, source netip.Addr) int {
	score := 0
	if len(g.HostNames) > 0 {
		if !slices.Contains(g.HostNames, hostName) {
			return -1
		}
		score = 1000
	}
	if len(g.Sources) > 0 {
		bits := -1
		for _, p := range g.Sources {
			if p.Contains(source) {
				bits = max(bits, p.Bits())
			}
		}
		if bits < 0 {
			return -1
		}
		score += 1 + bits
	}
	return score
}
