package configs

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"time"
)

func (c *checker) checkServer() {
	if len(c.cfg.Listen) == 0 {
		c.say("listen", "there is no address to listen on")
	}
	for i, a := range c.cfg.Listen {
		path := fmt.Sprintf("listen[%d]", i)
		switch {
		case !a.IsValid():
			c.say(path, "there is no address")
		case slices.Contains(c.cfg.Listen[:i], a):
			c.say(path, "%v is listed twice", a)
		}
	}
	for path, name := range map[string]string{"admin_socket": c.cfg.AdminSocket, "state_dir": c.cfg.StateDir, "spool_dir": c.cfg.Spool()} {
		if !filepath.IsAbs(name) {
			c.say(path, "%q is not an absolute path", name)
		}
	}
	c.between("udp.sockets", c.cfg.UDP.Sockets, 0, 256)
	if c.cfg.UDP.Spread == SpreadSessions && c.cfg.UDP.GRO == On {
		c.say("udp.gro", "on is not possible with spread: sessions, for what the kernel joins may be of several sessions; leave it out")
	}
	c.buffer("udp.receive_buffer", c.cfg.UDP.ReceiveBuffer)
	c.buffer("udp.send_buffer", c.cfg.UDP.SendBuffer)
	c.checkBans()
	c.between("udp.ipsec_mark", c.cfg.UDP.IPsecMark, 0, 1<<31-1)
}

func (c *checker) buffer(path string, size Size) {
	if size < 64<<10 || size > 1<<30 {
		c.say(path, "%v is not between 64KiB and 1GiB", size)
	}
}

func (c *checker) checkLimits() {
	l := &c.cfg.Limits
	c.between("limits.tunnels", l.Tunnels, 1, 65535)
	c.between("limits.sessions", l.Sessions, 1, 1<<24)
	c.between("limits.sessions_per_tunnel", l.SessionsPerTunnel, 1, 65535)
	c.between("limits.half_open", l.HalfOpen, 1, 65535)
	c.between("limits.half_open_tunnels", l.HalfOpenTunnels, 0, 65535)
	c.between("limits.half_open_per_source", l.HalfOpenPerSource, 1, 65535)
	c.between("limits.new_tunnels_per_second_per_source", l.NewTunnelsPerSecondPerSource, 1, 1_000_000)
	c.between("limits.pending_authentications", l.PendingAuthentications, 1, 1_000_000)
	c.between("limits.waiting_authentications", l.WaitingAuthentications, 0, 1_000_000)
	c.atLeast("limits.authentication_timeout", l.AuthenticationTimeout, time.Second)
	c.atLeast("limits.setup_timeout", l.SetupTimeout, time.Second)
}

func (c *checker) atLeast(path string, d, least time.Duration) {
	if d < least {
		c.say(path, "%v is too short; at least %v is needed", d, least)
	}
}

// atLeastOrOff does the same where 0 switches something off.
func (c *checker) atLeastOrOff(path string, d, least time.Duration) {
	if d != 0 {
		c.atLeast(path, d, least)
	}
}

func (c *checker) checkHeadquarters() {
	c.names("headquarters", namesOf(c.cfg.Headquarters, func(h Headquarters) string { return h.Name }), exact)
	for i, h := range c.cfg.Headquarters {
		path := fmt.Sprintf("headquarters[%d]", i)
		c.interfaceName(path+".interface", h.Interface)
		switch {
		case !h.Network.IsValid():
			c.say(path+".network", "there is no network, such as 192.168.1.0/24")
		case h.Network != h.Network.Masked():
			c.say(path+".network", "%v has bits set behind the prefix; the network is %v", h.Network, h.Network.Masked())
		}
	}
}

func (c *checker) checkVirtualTemplates() {
	if len(c.cfg.VirtualTemplates) == 0 {
		c.say("virtual_templates", "there is no virtual template; subscribers need an interface")
	}
	c.names("virtual_templates", c.templateNames(), exact)
	owner := make(map[netip.Addr]string)
	for i, t := range c.cfg.VirtualTemplates {
		path := fmt.Sprintf("virtual_templates[%d]", i)
		c.interfaceName(path+".name", t.Name)
		switch before, taken := owner[t.Address.Addr()]; {
		case !t.Address.IsValid():
			c.say(path+".address", "there is no address, such as 10.10.0.1/32")
		case taken:
			c.say(path+".address", "%v is the address of %s", t.Address.Addr(), before)
		default:
			c.host(path+".address", t.Address.Addr())
			owner[t.Address.Addr()] = path
		}
		c.methods(path+".ppp_authentication", t.PPPAuthentication)
		if i := slices.Index(t.PPPAuthentication, MSCHAPv1); i >= 0 {
			c.say(fmt.Sprintf("%s.ppp_authentication[%d]", path, i), "mschapv1 is not offered on links of lnsgate itself; only a domain may allow it, for NASes that ask by RADIUS")
		}
		if len(t.PPPAuthentication) == 0 {
			c.say(path+".ppp_authentication", "no method is offered; nobody would be checked")
		}
		c.between(path+".mru", t.MRU, 128, 1500)
		if t.TCPMSS != MSSAuto && t.TCPMSS != MSSOff {
			c.between(path+".tcp_mss", int(t.TCPMSS), 88, 1460)
		}
		c.atLeastOrOff(path+".echo_interval", t.EchoInterval, time.Second)
		c.between(path+".echo_failures", t.EchoFailures, 1, 100)
		c.atLeastOrOff(path+".idle_timeout", t.IdleTimeout, time.Second)
		c.servers(path+".dns", t.DNS)
		c.checkIPv6(path, t)
		c.between(path+".queues", t.Queues, 0, 256)
	}
}

func (c *checker) methods(path string, methods []Method) {
	for i, m := range methods {
		if slices.Contains(methods[:i], m) {
			c.say(fmt.Sprintf("%s[%d]", path, i), "%v is listed twice", m)
		}
	}
}

func (c *checker) checkBans() {
	b := c.cfg.Bans
	c.between("bans.account_failures", b.AccountFailures, 0, 1_000_000)
	c.between("bans.source_failures", b.SourceFailures, 0, 1_000_000)
	c.atLeast("bans.account_time", b.AccountTime, time.Second)
	c.atLeast("bans.source_time", b.SourceTime, time.Second)
	for i, p := range b.Exempt {
		if p != p.Masked() {
			c.say(fmt.Sprintf("bans.exempt[%d]", i), "%v has bits set behind the prefix; the network is %v", p, p.Masked())
		}
	}
}
