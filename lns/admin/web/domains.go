package web

import (
	"lnsgate/lns/admin"
)

// domainsView is the domains with their pools.
type domainsView struct {
	frame
	Domains []domainView
}

// domainView is one domain, and how full its pools are.
type domainView struct {
	admin.Domain
	Filled []poolView
}

func (p *Page) domains(a *ask) error {
	v := domainsView{frame: a.frame("domains", "Domains")}
	var domains struct{ Domains []admin.Domain }
	var pools struct {
		Pools   []admin.Pool
		Warning string
	}
	if err := a.get("/v1/domains", nil, &domains); err != nil {
		return err
	}
	v.frame.Warning = warningOf(a.get("/v1/pools", nil, &pools), pools.Warning)
	for _, d := range domains.Domains {
		one := domainView{Domain: d}
		for _, name := range d.Pools {
			for _, pool := range pools.Pools {
				if pool.Name == name {
					one.Filled = append(one.Filled, viewOfPool(pool))
				}
			}
		}
		v.Domains = append(v.Domains, one)
	}
	return a.show("domains", v)
}
