package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"lnsgate/lns"
	"lnsgate/lns/session"
	"lnsgate/lns/trace"
	"lnsgate/pool"
)

// network looks at what the session would be attached to.
func (f *forecast) network(ctx context.Context) bool {
	d := &f.granted
	f.out.Template = d.VirtualTemplate
	if d.VirtualTemplate != "" && !f.engine.HasTemplate(d.VirtualTemplate) {
		return f.refuse(trace.StageAuthentication, "virtual template", trace.Because(trace.NoSuchTemplate, "%q", d.VirtualTemplate))
	}
	if d.Filter != "" {
		f.note(trace.StageAuthentication, "filter", "%q", d.Filter)
	}
	if routes := append(slices.Clone(d.Routes), d.IPv6.Routes...); len(routes) > 0 {
		if err := f.node.engine.CheckRoutes(ctx, d.Account, f.test.From, routes); err != nil {
			return f.refuse(trace.StageAuthentication, "routes", session.LoginVerdict(err))
		}
		f.note(trace.StageAuthentication, "routes", "%d networks behind the peer are free", len(routes))
	}
	f.out.Attributes = f.attributes(ctx)
	return true
}

// address looks which one would be leased, or from which pool.
func (f *forecast) address(ctx context.Context) bool {
	d := &f.granted
	request := pool.Request{Pools: d.Pools, Account: d.Account, Address: d.Address, Holder: "test-login"}
	lease, err := f.addressBook().forecast(ctx, request)
	var inUse *pool.InUseError
	switch {
	case errors.As(err, &inUse) && f.givesWay(ctx, inUse.Holder):
		f.out.Address, f.out.Why = inUse.Address, "the account's own address; its session "+inUse.Holder+" gives way"
		return f.note(trace.StageAddress, "address", "%v is held by session %s of the same account, which gives way", inUse.Address, inUse.Holder)
	case err != nil:
		return f.refuse(trace.StageAddress, "address", session.LeaseVerdict(err))
	}
	f.out.Address, f.out.Pool, f.out.Why = lease.Address, lease.Pool, lease.Why
	if lease.Address.IsValid() {
		return f.note(trace.StageAddress, "address", "%v: %s", lease.Address, lease.Why)
	}
	return f.note(trace.StageAddress, "address", "%s%s", lease.Why, f.fullness(ctx, lease.Pool))
}

// givesWay says whether a session is one of the same account: a remnant of a connection that broke.
func (f *forecast) givesWay(ctx context.Context, holder string) bool {
	var own []lns.SessionRef
	f.node.engine.EachSession(ctx, func(s *lns.SessionHead) {
		if s.Account == f.granted.Account {
			own = append(own, s.SessionRef)
		}
	})
	return slices.ContainsFunc(f.node.engine.SessionInfos(ctx, own), func(s lns.SessionInfo) bool { return s.UID == holder })
}

func (f *forecast) fullness(ctx context.Context, name string) string {
	usages, _ := f.pools.Usage(ctx) // what can be told
	for _, u := range usages {
		if u.Pool == name {
			return fmt.Sprintf("; %d of %d are free", u.Free(), u.Size)
		}
	}
	return ""
}
