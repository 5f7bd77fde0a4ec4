package main

import (
	"encoding/hex"
	"errors"
	"net/netip"
	"time"

	"lnsgate/aaa"
	"lnsgate/aaa/local"
	"lnsgate/aaa/secret"
	"lnsgate/configs"
	"lnsgate/lns"
	"lnsgate/lns/transport"
	"lnsgate/pool"
	"lnsgate/pool/memory"
)

// The functions below map the configuration file, field by field, to what each room wants to know.

// loadConfig reads a file and asks every room about it. When only a room finds a fault, the configuration and its warnings
// stand beside the error, which is a *configs.Faults either way.
func loadConfig(file string) (*configs.Config, []configs.Warning, error) {
	c, warnings, err := configs.Load(file)
	if err == nil {
		err = inspect(c, file)
	}
	return c, warnings, err
}

// inspect says what the rooms find wrong with a configuration, with the lines of the file that it was read from.
func inspect(c *configs.Config, file string) error {
	if faults := tryRooms(c); len(faults) > 0 {
		return configs.Place(file, faults)
	}
	return nil
}

// tryRooms says what the rooms find wrong with a file that is right by itself. Nothing is started.
func tryRooms(c *configs.Config) []configs.Fault {
	_, gateway := newGateway(c)
	_, pools := memory.New(poolConfig(c))
	_, reachable := routes(c)
	if _, err := sealingKeys(c); err != nil {
		reachable = errors.Join(reachable, configs.Fault{Path: "database.key_file", Message: err.Error()})
	}
	_, filtering := filters(c)
	_, operators := operatorList(c, nil)
	return faultsIn(errors.Join(engineConfig(c).Validate(), tryRADIUS(c), gateway, pools, reachable, filtering, operators, tryCertificates(c)))
}

// faultsIn takes joined errors apart. Those that name a place keep it.
func faultsIn(err error) []configs.Fault {
	switch e := err.(type) {
	case nil:
		return nil
	case interface{ Unwrap() []error }:
		var faults []configs.Fault
		for _, one := range e.Unwrap() {
			faults = append(faults, faultsIn(one)...)
		}
		return faults
	case configs.Fault:
		return []configs.Fault{e}
	case *aaa.Fault:
		return []configs.Fault{{Path: e.Path, Message: e.Problem}}
	}
	return []configs.Fault{{Message: err.Error()}}
}

func engineConfig(c *configs.Config) *lns.Config {
	e := &lns.Config{Limits: lns.Limits{
		Tunnels:                c.Limits.Tunnels,
		Sessions:               c.Limits.Sessions,
		SessionsPerTunnel:      c.Limits.SessionsPerTunnel,
		HalfOpen:               c.Limits.HalfOpen,
		HalfOpenTunnels:        c.Limits.HalfOpenTunnels,
		HalfOpenPerSource:      c.Limits.HalfOpenPerSource,
		Authentications:        c.Limits.PendingAuthentications,
		WaitingAuthentications: c.Limits.WaitingAuthentications,
		AuthenticationTimeout:  c.Limits.AuthenticationTimeout,
		SetupTimeout:           c.Limits.SetupTimeout,
	}}
	e.Filters, _ = filters(c) // faults are told where the file is inspected
	for _, t := range c.VirtualTemplates {
		e.Templates = append(e.Templates, templateConfig(t))
	}
	for _, g := range c.L2TPGroups {
		e.Groups = append(e.Groups, groupConfig(g))
	}
	return e
}

func templateConfig(t configs.VirtualTemplate) lns.Template {
	mss := int(t.TCPMSS)
	switch t.TCPMSS {
	case configs.MSSAuto:
		mss = lns.MSSAuto
	case configs.MSSOff:
		mss = 0
	}
	return lns.Template{
		Name:         t.Name,
		Address:      t.Address.Addr(),
		Methods:      methods(t.PPPAuthentication),
		MRU:          uint16(t.MRU),
		MSS:          mss,
		DNS:          pair(t.DNS),
		IPv6:         t.IPv6,
		Address6:     t.IPv6Address,
		IPv6DNS:      t.IPv6DNS,
		EchoInterval: t.EchoInterval,
		EchoFailures: t.EchoFailures,
		IdleTimeout:  t.IdleTimeout,
	}
}

func groupConfig(g configs.L2TPGroup) lns.Group {
	return lns.Group{
		Name:              g.Name,
		HostNames:         g.TunnelNames,
		Sources:           g.Sources,
		Template:          g.VirtualTemplate,
		LocalName:         g.TunnelName,
		Secret:            aaa.NewSecret(g.TunnelSecret.Reveal()),
		PreviousSecrets:   secretList(g.PreviousSecrets),
		Authenticate:      g.TunnelAuthentication,
		RequireIPsec:      g.RequireIPsec,
		HideAVPs:          g.HideAVPs,
		Hello:             g.HelloInterval,
		ReceiveWindow:     uint16(g.ReceiveWindow),
		RetransmitFirst:   g.RetransmitFirst,
		RetransmitCap:     g.RetransmitCap,
		Transmissions:     g.Transmissions,
		TolerateUnknown:   g.TolerateUnknownMandatory,
		ExplainRefusals:   g.ExplainRefusals,
		ProxyLCP:          g.ProxyLCP == configs.Use,
		ProxyAuthenticate: g.ProxyAuthentication == configs.Use,
		AlwaysSequence:    g.DataSequencing == configs.SequenceAlways,
		Domain:            g.Domain,
		DefaultDomain:     g.DefaultDomain,
		IdleTunnel:        g.IdleTunnelTimeout,
		Profile:           g.ClientProfile,
	}
}

func secretList(given []configs.Secret) (all []aaa.Secret) {
	for _, s := range given {
		all = append(all, aaa.NewSecret(s.Reveal()))
	}
	return all
}

func transportConfig(c *configs.Config) transport.Config {
	perSource := float64(c.Limits.NewTunnelsPerSecondPerSource)
	budget := func(times float64) transport.Budget {
		return transport.Budget{Rate: perSource * times, Burst: int(perSource*times) * 2}
	}
	return transport.Config{
		Listen:            c.Listen,
		SocketsPerAddress: c.UDP.Sockets,
		BySession:         c.UDP.Spread == configs.SpreadSessions,
		GSO:               transportSwitch(c.UDP.GSO),
		GRO:               transportSwitch(c.UDP.GRO),
		ReceiveBuffer:     int(c.UDP.ReceiveBuffer),
		SendBuffer:        int(c.UDP.SendBuffer),
		Admission:         transport.AdmissionConfig{Source: budget(1), Network: budget(5)},
	}
}

func transportSwitch(s configs.Switch) transport.Switch {
	switch s {
	case configs.On:
		return transport.On
	case configs.Off:
		return transport.Off
	default:
		return transport.Auto
	}
}

func gatewayConfig(c *configs.Config) (aaa.Config, error) {
	backend, err := local.New(accounts(c.Users))
	g := aaa.Config{DefaultDomain: c.DefaultDomain, Domains: domains(c), Backends: []aaa.Backend{backend}}
	return g, err
}

// domains are the domains of the file, as the gateway knows them.
func domains(c *configs.Config) (ds []aaa.Domain) {
	for _, d := range c.Domains {
		ds = append(ds, aaa.Domain{
			Name:            d.Name,
			Aliases:         d.Aliases,
			Chain:           d.Authentication,
			Methods:         methods(d.Methods),
			ContinueOnError: d.OnBackendError == configs.Continue,
			Pools:           d.Pools,
			DNS:             pair(d.DNS),
			NBNS:            pair(d.NBNS),
			ClientRoutes:    d.ClientRoutes,
			DNSSuffix:       d.DNSSuffix,
			SessionTimeout:  d.SessionTimeout,
			IdleTimeout:     d.IdleTimeout,
			RateUp:          uint64(d.RateUp),
			RateDown:        uint64(d.RateDown),
			MaxSessions:     d.MaxSessions,
			AccountSessions: d.MaxAccountSessions,
			SessionPolicy:   aaa.SessionPolicy(d.SessionPolicy),
			MTU:             d.MTU,
			VirtualTemplate: d.VirtualTemplate,
			Filter:          d.Filter,
			Accounting:      d.Accounting,
			Interim:         d.AccountingInterval,
			IPv6Pools:       d.IPv6Pools,
			DelegatedPools:  d.DelegatedPools,
			IPv6DNS:         d.IPv6DNS,
		})
	}
	return ds
}

func accounts(users []configs.User) []local.Account {
	var as []local.Account
	for _, u := range users {
		as = append(as, local.Account{
			Name:           u.Name,
			Credential:     credential(u),
			Disabled:       u.Disabled,
			Address:        u.Address,
			Pools:          u.Pools,
			DNS:            pair(u.DNS),
			NBNS:           pair(u.NBNS),
			SessionTimeout: u.SessionTimeout,
			IdleTimeout:    u.IdleTimeout,
			RateUp:         uint64(u.RateUp),
			RateDown:       uint64(u.RateDown),
			MaxSessions:    u.MaxSessions,
			MTU:            u.MTU,
			Routes:         u.Routes,
			IPv6:           ownIPv6(u),
		})
	}
	return as
}

// ownIPv6 is what an account has itself for IPv6; nil when that is nothing.
func ownIPv6(u configs.User) *aaa.IPv6 {
	if !u.IPv6Prefix.IsValid() && !u.Delegated.IsValid() {
		return nil
	}
	return &aaa.IPv6{Prefixes: prefixList(u.IPv6Prefix), Delegated: prefixList(u.Delegated)}
}

// prefixList is a list of the one prefix, if there is one.
func prefixList(p netip.Prefix) []netip.Prefix {
	if !p.IsValid() {
		return nil
	}
	return []netip.Prefix{p}
}

// credential is what the file stores of a user. The loader has checked the form of the hash.
func credential(u configs.User) secret.Credential {
	if u.NTHash.IsZero() {
		return secret.Clear(aaa.NewSecret(u.Password.Reveal()))
	}
	var hash [16]byte
	hex.Decode(hash[:], []byte(u.NTHash.Reveal()))
	return secret.NTHash(hash)
}

// poolConfig excludes from every pool the addresses of the virtual templates: they are ours.
func poolConfig(c *configs.Config) memory.Config {
	m := memory.Config{Now: time.Now}
	var ours []pool.Range
	for _, t := range c.VirtualTemplates {
		ours = append(ours, pool.Range{First: t.Address.Addr(), Last: t.Address.Addr()})
		if t.IPv6Address.IsValid() {
			ours = append(ours, pool.Range{First: t.IPv6Address, Last: t.IPv6Address})
		}
	}
	for _, p := range c.Pools {
		q := pool.Pool{Name: p.Name, Quarantine: p.Quarantine, Sticky: p.Sticky, PrefixLength: p.PrefixLength}
		for _, r := range p.Ranges {
			q.Ranges = append(q.Ranges, pool.Range{First: r.First, Last: r.Last})
		}
		for _, e := range p.Exclude {
			q.Exclude = append(q.Exclude, pool.Range{First: e.First, Last: e.Last})
		}
		q.Exclude = append(q.Exclude, ours...)
		m.Pools = append(m.Pools, q)
	}
	for _, u := range c.Users {
		if u.Address.IsValid() {
			m.Statics = append(m.Statics, pool.Static{Account: u.Name, Address: u.Address})
		}
		for _, own := range append(prefixList(u.IPv6Prefix), prefixList(u.Delegated)...) {
			m.Statics = append(m.Statics, pool.Static{Account: u.Name, Address: own.Addr(), PrefixLength: own.Bits()})
		}
	}
	return m
}

func methods(ms []configs.Method) []aaa.Method {
	var out []aaa.Method
	for _, m := range ms {
		switch m {
		case configs.PAP:
			out = append(out, aaa.PAP)
		case configs.CHAP:
			out = append(out, aaa.CHAP)
		case configs.MSCHAPv2:
			out = append(out, aaa.MSCHAPv2)
		case configs.EAP:
			out = append(out, aaa.EAP)
		case configs.MSCHAPv1:
			out = append(out, aaa.MSCHAPv1)
		}
	}
	return out
}

// pair takes the first two of a list of servers: PPP has room for no more.
func pair(addrs []netip.Addr) (p [2]netip.Addr) {
	copy(p[:], addrs)
	return p
}
