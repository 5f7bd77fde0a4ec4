package admin

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"lnsgate/aaa"
	"lnsgate/lns"
	"lnsgate/pool"
)

func tunnelsFrom(infos []lns.TunnelInfo, now time.Time) []Tunnel {
	views := make([]Tunnel, 0, len(infos))
	for i := range infos {
		views = append(views, tunnelFrom(&infos[i], now))
	}
	slices.SortFunc(views, func(a, b Tunnel) int { return cmp.Compare(a.LocalID, b.LocalID) })
	return views
}

func tunnelFrom(t *lns.TunnelInfo, now time.Time) Tunnel {
	return Tunnel{
		LocalID:       t.LocalID,
		RemoteID:      t.RemoteID,
		RemoteAddress: t.Remote.Addr().Unmap(),
		RemotePort:    t.Remote.Port(),
		LocalAddress:  t.Local.Unmap(),
		RemoteName:    t.HostName,
		Vendor:        t.Vendor,
		Group:         t.Group,
		Profile:       t.Profile,
		State:         t.State,
		Sessions:      t.Sessions,
		Since:         t.Since,
		Age:           secondsSince(t.Since, now),
		LastHeard:     t.LastHeard,
	}
}

func sessionFrom(s *lns.SessionInfo, now time.Time) Session {
	return Session{
		Session:         s.Name,
		LocalTunnel:     s.LocalTunnel,
		LocalID:         s.LocalID,
		RemoteTunnel:    s.RemoteTunnel,
		RemoteID:        s.RemoteID,
		RemoteAddress:   s.Remote.Addr().Unmap(),
		RemotePort:      s.Remote.Port(),
		RemoteName:      s.HostName,
		User:            s.User,
		Account:         s.Account,
		Domain:          s.Domain,
		VirtualTemplate: s.VirtualTemplate,
		Address:         s.Address.Unmap(),
		Pool:            s.Pool,
		Phase:           s.Phase,
		Method:          s.Method,
		MRU:             s.MRU,
		PeerMRU:         s.PeerMRU,
		Since:           s.Since,
		UpSince:         s.OpenSince,
		Up:              secondsSince(s.OpenSince, now),
		CallingNumber:   s.CallingNumber,
		CalledNumber:    s.CalledNumber,
		CircuitID:       s.CircuitID,
		LineID:          s.LineID,
		LineUp:          s.LineUp,
		LineDown:        s.LineDown,
		SessionTimeout:  seconds(s.SessionTimeout),
		IdleTimeout:     seconds(s.IdleTimeout),
		RateUp:          s.RateUp,
		RateDown:        s.RateDown,
		Filter:          s.Filter,
		Routes:          s.Routes,
		IPv6:            s.IPv6,
		Backend:         s.Backend,
		Record:          s.UID,
		RxPackets:       s.Counters.RxPackets,
		RxOctets:        s.Counters.RxOctets,
		TxPackets:       s.Counters.TxPackets,
		TxOctets:        s.Counters.TxOctets,
		Drops:           s.Counters.Drops,
		LastRx:          s.Counters.LastRx,
		LastTx:          s.Counters.LastTx,
		LoginsLastHour:  s.LoginsLastHour,
		Line:            lineFrom(s),
	}
}

// poolsFrom keeps the order of the configuration.
func poolsFrom(usages []pool.Usage) []Pool {
	views := make([]Pool, 0, len(usages))
	for _, u := range usages {
		views = append(views, Pool{
			Name: u.Pool, Size: u.Size, Leased: u.Leased, Quarantined: u.Quarantined, Static: u.Static, Free: u.Free(),
		})
	}
	return views
}

// domainsFrom keeps the order of the configuration. open counts sessions by domain.
func domainsFrom(domains []aaa.Domain, fallback string, open map[string]int) []Domain {
	views := make([]Domain, 0, len(domains))
	for i := range domains {
		d := &domains[i]
		views = append(views, Domain{
			Name:            d.Name,
			Default:         answersTo(d, fallback),
			Aliases:         d.Aliases,
			Authentication:  nonNil(d.Chain),
			Methods:         methodNames(d.Methods),
			Pools:           nonNil(d.Pools),
			DNS:             present(d.DNS),
			NBNS:            present(d.NBNS),
			ClientRoutes:    d.ClientRoutes,
			DNSSuffix:       d.DNSSuffix,
			SessionTimeout:  seconds(d.SessionTimeout),
			IdleTimeout:     seconds(d.IdleTimeout),
			MTU:             d.MTU,
			VirtualTemplate: d.VirtualTemplate,
			Sessions:        open[d.Name],
		})
	}
	return views
}

// answersTo says whether a domain has this name or alias.
func answersTo(d *aaa.Domain, name string) bool {
	return slices.ContainsFunc(append([]string{d.Name}, d.Aliases...), func(own string) bool {
		return aaa.FoldDomain(own) == aaa.FoldDomain(name)
	})
}

func methodNames(methods []aaa.Method) []string {
	var names []string
	for _, m := range methods {
		names = append(names, m.String())
	}
	return names
}

// present leaves out the addresses that are not set.
func present(addrs [2]netip.Addr) []netip.Addr {
	var set []netip.Addr
	for _, a := range addrs {
		if a.IsValid() {
			set = append(set, a)
		}
	}
	return set
}

// nonNil makes JSON write [] instead of null, which spares scripts a case.
func nonNil(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

// seconds rounds up, so that a limit that exists never reads as none.
func seconds(d time.Duration) int64 {
	if d <= 0 {
		return 0
	}
	return int64((d + time.Second - 1) / time.Second)
}

// secondsSince is how many whole seconds have passed: 0 for a moment that has not come or does not exist.
func secondsSince(t, now time.Time) int64 {
	if t.IsZero() || now.Before(t) {
		return 0
	}
	return int64(now.Sub(t) / time.Second)
}
