package main

import (
	"context"
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"time"

	"lnsgate/aaa"
	"lnsgate/aaa/local"
	sqlaccounts "lnsgate/aaa/postgres"
	"lnsgate/lns/admin"
)

// attributes lists what the session would get, and who says so.
func (f *forecast) attributes(ctx context.Context) []admin.Attribute {
	d, o := &f.granted, &f.domain
	stored := f.origins(ctx)
	var list []admin.Attribute
	add := func(name string, value, ofDomain any) {
		if reflect.ValueOf(value).IsZero() || reflect.ValueOf(value).Kind() == reflect.Slice && reflect.ValueOf(value).Len() == 0 {
			return
		}
		list = append(list, admin.Attribute{Name: name, Value: inWords(name, value), From: f.origin(name, stored, reflect.DeepEqual(value, ofDomain))})
	}
	add("address", d.Address, netip.Addr{})
	add("pools", d.Pools, o.Pools)
	add("dns", d.DNS, o.DNS)
	add("nbns", d.NBNS, o.NBNS)
	add("session_timeout", d.SessionTimeout, o.SessionTimeout)
	add("idle_timeout", d.IdleTimeout, o.IdleTimeout)
	add("mtu", d.MTU, o.MTU)
	add("rate_up", d.RateUp, o.RateUp)
	add("rate_down", d.RateDown, o.RateDown)
	add("max_sessions", d.MaxSessions, o.AccountSessions)
	add("domain_sessions", d.DomainSessions, o.MaxSessions)
	add("filter", d.Filter, o.Filter)
	add("routes", d.Routes, nil)
	add("virtual_template", d.VirtualTemplate, o.VirtualTemplate)
	add("accounting_interim", d.Interim, o.Interim)
	if f.template != nil {
		add("template_dns", f.template.DNS, nil)
	}
	return list
}

// origins are those that the database knows; none of what is stored elsewhere.
func (f *forecast) origins(ctx context.Context) map[string]string {
	if f.out.Backend != sqlaccounts.Name {
		return nil
	}
	d, err := newDirectory(f.inForce)
	if err != nil || d == nil {
		return nil
	}
	from, err := inquire(ctx, d, func(a *sqlaccounts.Admin) (map[string]string, error) { return a.Origins(ctx, f.granted.Account) })
	if err != nil {
		f.log.Warn("where the settings of an account are from is not known", "user", f.granted.Account, "cause", err)
	}
	return from
}

// origin says in words who says a value.
func (f *forecast) origin(name string, stored map[string]string, asDomain bool) string {
	switch {
	case name == "template_dns", name == "virtual_template" && !asDomain:
		return fmt.Sprintf("l2tp group %s", f.out.Group)
	case stored[name] != "":
		return stored[name]
	case asDomain:
		return "domain " + f.out.Domain
	case f.out.Backend == local.Name, f.out.Backend == sqlaccounts.Name:
		return "account"
	}
	return "RADIUS group " + f.out.Backend
}

func inWords(name string, value any) string {
	switch v := value.(type) {
	case []string:
		return strings.Join(v, ", ")
	case [2]netip.Addr:
		return addresses(present(v))
	case []aaa.Route:
		var networks []string
		for _, r := range v {
			networks = append(networks, r.Prefix.String())
		}
		return strings.Join(networks, ", ")
	case time.Duration:
		return v.String()
	case uint64:
		return fmt.Sprintf("%d bit/s", v)
	}
	if name == "mtu" {
		return fmt.Sprintf("%v octets", value)
	}
	return fmt.Sprint(value)
}

func present(pair [2]netip.Addr) (list []netip.Addr) {
	for _, a := range pair {
		if a.IsValid() {
			list = append(list, a)
		}
	}
	return list
}
