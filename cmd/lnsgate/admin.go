package main

import (
	"cmp"
	"context"
	"net/netip"
	"slices"

	"lnsgate/aaa"
	"lnsgate/configs"
	"lnsgate/lns/admin"
)

// newAdmin makes the server that operators talk to.
func (n *node) newAdmin() (*admin.Server, error) {
	config := admin.Config{
		Engine: n.figures(),
		Pools:  n.pools, Domains: n.gateway.domains, RADIUS: n.radius.servers, NASes: n.answering.clients,
		Elsewhere: n.answering.elsewhere(), Reload: n.reload,
		Listed: n.listed, Health: n.health, Operators: n.operators.known,
		Addresses: n.addressBook(), TestLogin: n.testLogin,
		Bans:     banBook{n.bans},
		Attempts: n.recorder, Watch: n.recorder.Watch,
		Version: buildVersion(), Log: n.log,
	}
	d, err := newDirectory(n.config)
	if err != nil {
		return nil, err
	}
	if d != nil {
		config.Directory = d
	}
	var server *admin.Server
	config.Mounts = n.mounts(func(ctx context.Context, action, target, detail string, err error) {
		server.Audit(ctx, action, target, detail, err)
	})
	n.hangPage(&config, d)
	server = admin.New(config)
	if n.page != nil {
		n.page.Ask(server)
	}
	return server, nil
}

// mounts are the handlers that other rooms hang into the server.
func (n *node) mounts(audit auditor) []admin.Mount {
	return append(captureMounts(n.captures, audit), n.metricsMount())
}

// listed are the accounts of the file, by name.
func (n *node) listed() []admin.Account {
	n.mu.Lock()
	users, fallback := n.config.Users, n.config.DefaultDomain
	n.mu.Unlock()
	list := make([]admin.Account, 0, len(users))
	for i := range users {
		list = append(list, listedAccount(&users[i], fallback))
	}
	slices.SortFunc(list, func(a, b admin.Account) int { return cmp.Compare(a.Name, b.Name) })
	return list
}

func listedAccount(u *configs.User, fallback string) admin.Account {
	a := admin.Account{Name: u.Name, Status: "active", Password: []string{"clear"}, Pools: u.Pools, DNS: u.DNS, NBNS: u.NBNS, Routes: u.Routes}
	if u.Disabled {
		a.Status = "disabled"
	}
	if !u.NTHash.IsZero() {
		a.Password = []string{"nt"}
	}
	if u.Address.IsValid() {
		a.Addresses = []netip.Addr{u.Address}
	}
	domain := fallback
	if id, err := aaa.ParseIdentity(u.Name); err == nil && id.Domain != "" {
		domain = id.Domain
	}
	if domain != "" {
		a.Domain = &domain
	}
	a.SessionTimeout, a.IdleTimeout = given(u.SessionTimeout.Seconds()), given(u.IdleTimeout.Seconds())
	a.MTU, a.MaxSessions = given(u.MTU), given(u.MaxSessions)
	a.RateUp, a.RateDown = given(int64(u.RateUp)), given(int64(u.RateDown))
	return a
}

// given is nil for what is not set.
func given[T comparable](value T) *T {
	var zero T
	if value == zero {
		return nil
	}
	return &value
}
