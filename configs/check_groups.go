package configs

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode"
)

func (c *checker) checkGroups() {
	if len(c.cfg.L2TPGroups) == 0 {
		c.say("l2tp_groups", "there is no l2tp group; every peer would be refused")
	}
	c.names("l2tp_groups", namesOf(c.cfg.L2TPGroups, func(g L2TPGroup) string { return g.Name }), exact)
	for i, g := range c.cfg.L2TPGroups {
		path := fmt.Sprintf("l2tp_groups[%d]", i)
		c.checkGroup(path, g)
		c.checkTransport(path, g)
	}
	c.checkMatches()
}

func (c *checker) checkGroup(path string, g L2TPGroup) {
	if g.VirtualTemplate == "" {
		c.say(path+".virtual_template", "there is no virtual template; name one of %s", strings.Join(c.templateNames(), ", "))
	} else {
		c.known(path+".virtual_template", "virtual template", g.VirtualTemplate, c.templateNames())
	}
	switch {
	case g.TunnelName == "":
		c.say(path+".tunnel_name", "the host name that peers see must not be empty")
	case len(g.TunnelName) > longestName:
		c.say(path+".tunnel_name", "the host name that peers see is longer than %d octets", longestName)
	case strings.ContainsFunc(g.TunnelName, unicode.IsControl):
		c.say(path+".tunnel_name", "the host name %q holds control characters", g.TunnelName)
	}
	if g.TunnelSecret.IsZero() && g.TunnelSecretFile == "" {
		for _, need := range []struct {
			key string
			on  bool
		}{{"tunnel_authentication", g.TunnelAuthentication}, {"hide_avps", g.HideAVPs}} {
			if need.on {
				c.say(path+"."+need.key, "a secret is needed; add tunnel_secret or tunnel_secret_file")
			}
		}
	}
	c.checkPreviousSecrets(path, g)
	if g.RequireIPsec && c.cfg.UDP.IPsecMark == 0 {
		c.say(path+".require_ipsec", "with the mark 0 in udp.ipsec_mark nobody is known to come through IPsec; set another")
	}
	for _, domain := range []struct{ key, name string }{{"domain", g.Domain}, {"default_domain", g.DefaultDomain}} {
		if domain.name != "" {
			c.domain(path+"."+domain.key, domain.name)
		}
	}
	if g.ClientProfile != "" && !slices.Contains(clientProfiles, g.ClientProfile) {
		c.say(path+".client_profile", "%q is none of %s", g.ClientProfile, strings.Join(clientProfiles, ", "))
	}
	for i, name := range g.TunnelNames {
		if name == "" {
			c.say(fmt.Sprintf("%s.tunnel_names[%d]", path, i), "the name is empty")
		}
	}
	for i, p := range g.Sources {
		if p != p.Masked() {
			c.say(fmt.Sprintf("%s.sources[%d]", path, i), "%v has bits set behind the prefix; the network is %v", p, p.Masked())
		}
	}
}

// mostPreviousSecrets bounds what each answer of a stranger is compared with.
const mostPreviousSecrets = 8

func (c *checker) checkPreviousSecrets(path string, g L2TPGroup) {
	path += ".previous_tunnel_secrets"
	switch n := len(g.PreviousSecrets); {
	case n == 0:
		return
	case n > mostPreviousSecrets:
		c.say(path, "%d are too many; %d at most", n, mostPreviousSecrets)
	case g.TunnelSecret.IsZero() && g.TunnelSecretFile == "":
		c.say(path, "there is no present secret; add tunnel_secret or tunnel_secret_file")
	}
	for i, s := range g.PreviousSecrets {
		switch {
		case s.IsZero() && i < len(g.PreviousSecrets)-len(g.PreviousSecretFiles):
			c.say(fmt.Sprintf("%s[%d]", path, i), "the secret is empty")
		case !s.IsZero() && s == g.TunnelSecret:
			c.say(fmt.Sprintf("%s[%d]", path, i), "it is the same as tunnel_secret; remove it")
		}
	}
}

func (c *checker) checkTransport(path string, g L2TPGroup) {
	c.atLeastOrOff(path+".hello_interval", g.HelloInterval, time.Second)
	c.between(path+".receive_window", g.ReceiveWindow, 1, 1024)
	c.atLeast(path+".retransmit_first", g.RetransmitFirst, 100*time.Millisecond)
	if g.RetransmitCap < leastRetransmitCap {
		c.say(path+".retransmit_cap", "%v is shorter than %v, the least that RFC 2661 section 5.8 allows", g.RetransmitCap, leastRetransmitCap)
	}
	if g.RetransmitCap < g.RetransmitFirst {
		c.say(path+".retransmit_cap", "%v is shorter than retransmit_first, %v", g.RetransmitCap, g.RetransmitFirst)
	}
	c.between(path+".transmissions", g.Transmissions, 1, 20)
	c.atLeastOrOff(path+".idle_tunnel_timeout", g.IdleTunnelTimeout, time.Second)
}

// checkMatches reports groups of which nothing says which one a peer belongs to.
func (c *checker) checkMatches() {
	everybody := ""
	byName, bySource := make(map[string]string), make(map[netip.Prefix]string)
	for i, g := range c.cfg.L2TPGroups {
		path := fmt.Sprintf("l2tp_groups[%d]", i)
		switch {
		case len(g.TunnelNames) == 0 && len(g.Sources) == 0 && everybody != "":
			c.say(path, "%s already matches every peer; give one of them tunnel_names or sources", everybody)
		case len(g.TunnelNames) == 0 && len(g.Sources) == 0:
			everybody = path
		case len(g.Sources) == 0:
			for j, name := range g.TunnelNames {
				if before, taken := byName[name]; taken {
					c.say(fmt.Sprintf("%s.tunnel_names[%d]", path, j), "%s already matches the peer %q", before, name)
				}
				byName[name] = path
			}
		case len(g.TunnelNames) == 0:
			for j, source := range g.Sources {
				if before, taken := bySource[source]; taken {
					c.say(fmt.Sprintf("%s.sources[%d]", path, j), "%s already matches peers from %v", before, source)
				}
				bySource[source] = path
			}
		}
	}
}

// leastRetransmitCap is the shortest cap on the time between two sendings of a control message (RFC 2661 section 5.8).
const leastRetransmitCap = 8 * time.Second
