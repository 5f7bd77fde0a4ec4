package lns

import (
	"lnsgate/aaa"
	"lnsgate/lns/control"
	"lnsgate/lns/l2tp"
	"lnsgate/lns/negotiate"
	"lnsgate/lns/quirk"
	"lnsgate/lns/session"
)

// bindings is a configuration with what follows from it: the policy of the sessions of each group on each template.
type bindings struct {
	*Config
	policies map[policyKey]*session.Policy
}

type policyKey struct {
	group, template string
	profile         quirk.Profile
}

func (s *Server) setConfig(c *Config) error {
	if err := c.Validate(); err != nil {
		return err
	}
	b := &bindings{Config: c, policies: make(map[policyKey]*session.Policy)}
	for i := range c.Groups {
		if c.Groups[i].RequireIPsec {
			s.secured.Store(true)
		}
		for j := range c.Templates {
			g, t := &c.Groups[i], &c.Templates[j]
			for p := range quirk.Profiles() {
				b.policies[policyKey{g.Name, t.Name, p}] = s.policy(g, t, p, c.Limits)
			}
		}
	}
	s.config.Store(b)
	return nil
}

func (s *Server) policy(g *Group, t *Template, profile quirk.Profile, limits Limits) *session.Policy {
	echoInterval, echoFailures := profile.Echo(t.EchoInterval, t.EchoFailures)
	return &session.Policy{
		MRU:                 t.MRU,
		Methods:             negotiate.AuthProtocolsOf(t.Methods),
		LocalName:           g.LocalName,
		LocalAddress:        t.Address,
		DNS:                 t.DNS,
		NBNS:                t.NBNS,
		EchoInterval:        echoInterval,
		EchoFailures:        echoFailures,
		SetupTimeout:        limits.SetupTimeout,
		CheckTimeout:        limits.AuthenticationTimeout,
		IdleTimeout:         t.IdleTimeout,
		ProxyLCP:            g.ProxyLCP,
		ProxyAuthentication: g.ProxyAuthenticate,
		ExplainRefusals:     g.ExplainRefusals,
		Rand:                s.deps.Rand,
		IPv6:                t.IPv6 && s.deps.DataPath.Capabilities().IPv6,
		IPv6DNS:             t.IPv6DNS,
		DUID:                duid(s.deps.Node),
	}
}

// controlConfig is how the control connection of a peer of this group is run; firstSecret is the secret that it is believed to have.
func (s *Server) controlConfig(g *Group, id l2tp.TunnelID, sessions, firstSecret int) control.Config {
	secrets := g.secrets(firstSecret)
	return control.Config{
		Role:                     control.LNS,
		HostName:                 g.LocalName,
		Vendor:                   vendorName,
		Firmware:                 firmware,
		LocalTunnel:              id,
		ReceiveWindow:            g.ReceiveWindow,
		Secret:                   secrets[0],
		PreviousSecrets:          secrets[1:],
		RequireAuthentication:    g.Authenticate,
		HideAVPs:                 g.HideAVPs,
		HelloInterval:            g.Hello,
		RetransmitFirst:          g.RetransmitFirst,
		RetransmitCap:            g.RetransmitCap,
		MaxTransmissions:         g.Transmissions,
		TolerateUnknownMandatory: g.TolerateUnknown,
		MaxSessions:              sessions,
		Rand:                     s.deps.Rand,
	}
}

// What our SCCRP says of us (RFC 2661 sections 4.4.3).
const (
	vendorName = "lnsgate"
	firmware   = 0x0100
)

func secretOctets(s aaa.Secret) []byte {
	if s.IsZero() {
		return nil
	}
	return []byte(s.Reveal())
}
