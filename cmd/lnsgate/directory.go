package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"lnsgate/aaa"
	"lnsgate/aaa/postgres"
	"lnsgate/configs"
	"lnsgate/lns/admin"
)

// directory is the database as operators use it through the server. Each request has a connection of its own, so that a long one
// holds back nobody who logs in; so many at once.
type directory struct {
	open   func(context.Context) (*postgres.Admin, error)
	places chan struct{}
}

const directoryConnections = 4

// newDirectory is nil without a database.
func newDirectory(c *configs.Config) (*directory, error) {
	if !c.Database.Given() {
		return nil, nil
	}
	address, err := postgres.ParseAddress(aaa.NewSecret(c.Database.URL.Reveal()))
	if err != nil {
		return nil, fmt.Errorf("database.url: %w", err)
	}
	open := func(ctx context.Context) (*postgres.Admin, error) { return postgres.OpenAdmin(ctx, address) }
	return &directory{open, make(chan struct{}, directoryConnections)}, nil
}

// with does something in the database in the name of who asks.
func (d *directory) with(ctx context.Context, work func(*postgres.Admin) error) error {
	select {
	case d.places <- struct{}{}:
		defer func() { <-d.places }()
	case <-ctx.Done():
		return ctx.Err()
	}
	a, err := d.open(ctx)
	if err != nil {
		return &admin.Error{Status: http.StatusServiceUnavailable, Message: "the database cannot be asked: " + adminText(err)}
	}
	defer func() { _ = a.Close(context.WithoutCancel(ctx)) }() // what was to be done is done, or not
	return webError(work(a.As(admin.ActorOf(ctx).String())))
}

// inquire is with for what has a result.
func inquire[T any](ctx context.Context, d *directory, work func(*postgres.Admin) (T, error)) (result T, err error) {
	err = d.with(ctx, func(a *postgres.Admin) (err error) {
		result, err = work(a)
		return err
	})
	return result, err
}

func adminText(err error) string {
	var e *postgres.AdminError
	if errors.As(err, &e) && e.What == "" {
		return e.Text
	}
	return strings.SplitN(err.Error(), "\n", 2)[0]
}

// webError gives an error of the database the status that it means.
func webError(err error) error {
	var e *postgres.AdminError
	if !errors.As(err, &e) {
		return err
	}
	failure := &admin.Error{Status: http.StatusBadRequest, Message: adminText(err), Hint: e.Advice}
	var rule interface{ SQLState() string }
	switch {
	case errors.Is(err, sql.ErrNoRows):
		failure.Status = http.StatusNotFound
	case errors.As(err, &rule):
		failure.Status = statusOf(rule.SQLState())
		if failure.Status == http.StatusForbidden {
			failure.Hint = "the database user of this node may not change it: GRANT lnsgate_admin TO that user"
		}
	case e.Err != nil:
		failure.Status = http.StatusServiceUnavailable
	}
	return failure
}

func statusOf(state string) int {
	switch {
	case state == "P0002": // no such node
		return http.StatusNotFound
	case state == "42501":
		return http.StatusForbidden
	case strings.HasPrefix(state, "23"), state == "55006":
		return http.StatusConflict
	case strings.HasPrefix(state, "22"):
		return http.StatusBadRequest
	}
	return http.StatusServiceUnavailable
}

func (d *directory) Accounts(ctx context.Context, f admin.AccountFilter) ([]admin.Account, error) {
	list, err := inquire(ctx, d, func(a *postgres.Admin) ([]postgres.AdminAccount, error) {
		return a.Accounts(ctx, postgres.AccountFilter(f))
	})
	return each(list, func(a postgres.AdminAccount) admin.Account { return admin.Account(a) }), err
}

// each makes the views of the API from those of the database: the same fields under other names.
func each[T, U any](list []T, view func(T) U) []U {
	views := make([]U, len(list))
	for i := range list {
		views[i] = view(list[i])
	}
	return views
}

func accountChanges(c admin.AccountChange) postgres.AccountChange {
	return postgres.AccountChange{Settings: c.Settings, Password: c.Password, Address: c.Address}
}

func (d *directory) AddAccount(ctx context.Context, name string, c admin.AccountChange) (string, error) {
	return inquire(ctx, d, func(a *postgres.Admin) (string, error) { return a.AddAccount(ctx, name, accountChanges(c)) })
}

func (d *directory) SetAccount(ctx context.Context, name string, c admin.AccountChange) (string, error) {
	return inquire(ctx, d, func(a *postgres.Admin) (string, error) { return a.SetAccount(ctx, name, accountChanges(c)) })
}

func (d *directory) DeleteAccount(ctx context.Context, name string) error {
	return d.with(ctx, func(a *postgres.Admin) error { return a.DeleteAccount(ctx, name) })
}

func (d *directory) Domains(ctx context.Context, name string) ([]admin.StoredDomain, error) {
	list, err := inquire(ctx, d, func(a *postgres.Admin) ([]postgres.AdminDomain, error) { return a.Domains(ctx, name) })
	return each(list, func(v postgres.AdminDomain) admin.StoredDomain { return admin.StoredDomain(v) }), err
}

func domainChanges(c admin.DomainChange) postgres.DomainChange {
	return postgres.DomainChange{Settings: c.Settings, Pools: c.Pools, Aliases: c.Aliases}
}

func (d *directory) AddDomain(ctx context.Context, name string, c admin.DomainChange) error {
	return d.with(ctx, func(a *postgres.Admin) error { return a.AddDomain(ctx, name, domainChanges(c)) })
}

func (d *directory) SetDomain(ctx context.Context, name string, c admin.DomainChange) error {
	return d.with(ctx, func(a *postgres.Admin) error { return a.SetDomain(ctx, name, domainChanges(c)) })
}

func (d *directory) DeleteDomain(ctx context.Context, name string) error {
	return d.with(ctx, func(a *postgres.Admin) error { return a.DeleteDomain(ctx, name) })
}

func (d *directory) Pools(ctx context.Context, name string) ([]admin.StoredPool, error) {
	list, err := inquire(ctx, d, func(a *postgres.Admin) ([]postgres.AdminPool, error) { return a.Pools(ctx, name) })
	return each(list, func(v postgres.AdminPool) admin.StoredPool { return admin.StoredPool(v) }), err
}

func poolChanges(c admin.PoolChange) postgres.PoolChange {
	return postgres.PoolChange{Settings: c.Settings, Ranges: c.Ranges, Exclude: c.Exclude, DropRanges: c.DropRanges, DropExclude: c.DropExclude}
}

func (d *directory) AddPool(ctx context.Context, name string, c admin.PoolChange) error {
	return d.with(ctx, func(a *postgres.Admin) error { return a.AddPool(ctx, name, poolChanges(c)) })
}

func (d *directory) SetPool(ctx context.Context, name string, c admin.PoolChange) error {
	return d.with(ctx, func(a *postgres.Admin) error { return a.SetPool(ctx, name, poolChanges(c)) })
}

func (d *directory) DrainPool(ctx context.Context, name, written string, drain bool) error {
	return d.with(ctx, func(a *postgres.Admin) error { return a.DrainPool(ctx, name, written, drain) })
}

func (d *directory) DeletePool(ctx context.Context, name string) error {
	return d.with(ctx, func(a *postgres.Admin) error { return a.DeletePool(ctx, name) })
}

func (d *directory) Profiles(ctx context.Context, name string) ([]admin.Profile, error) {
	list, err := inquire(ctx, d, func(a *postgres.Admin) ([]postgres.AdminProfile, error) { return a.Profiles(ctx, name) })
	return each(list, func(v postgres.AdminProfile) admin.Profile { return admin.Profile(v) }), err
}

func (d *directory) AddProfile(ctx context.Context, name string, settings map[string]any) error {
	return d.with(ctx, func(a *postgres.Admin) error { return a.AddProfile(ctx, name, settings) })
}

func (d *directory) SetProfile(ctx context.Context, name string, settings map[string]any) error {
	return d.with(ctx, func(a *postgres.Admin) error { return a.SetProfile(ctx, name, settings) })
}

func (d *directory) DeleteProfile(ctx context.Context, name string) error {
	return d.with(ctx, func(a *postgres.Admin) error { return a.DeleteProfile(ctx, name) })
}

func (d *directory) NASes(ctx context.Context, name string) ([]admin.StoredNAS, error) {
	list, err := inquire(ctx, d, func(a *postgres.Admin) ([]postgres.AdminNAS, error) { return a.NASes(ctx, name) })
	return each(list, func(v postgres.AdminNAS) admin.StoredNAS { return admin.StoredNAS(v) }), err
}

func (d *directory) AddNAS(ctx context.Context, name string, settings map[string]any) error {
	return d.with(ctx, func(a *postgres.Admin) error { return a.AddNAS(ctx, name, settings) })
}

func (d *directory) SetNAS(ctx context.Context, name string, settings map[string]any) error {
	return d.with(ctx, func(a *postgres.Admin) error { return a.SetNAS(ctx, name, settings) })
}

func (d *directory) DeleteNAS(ctx context.Context, name string) error {
	return d.with(ctx, func(a *postgres.Admin) error { return a.DeleteNAS(ctx, name) })
}

func (d *directory) Nodes(ctx context.Context) ([]admin.Node, error) {
	list, err := inquire(ctx, d, func(a *postgres.Admin) ([]postgres.NodeHoldings, error) { return a.NodeHoldings(ctx, "") })
	return each(list, func(v postgres.NodeHoldings) admin.Node { return admin.Node(v) }), err
}

func (d *directory) ForgetNode(ctx context.Context, name string, force bool) (admin.Forgotten, error) {
	gone, err := inquire(ctx, d, func(a *postgres.Admin) (postgres.Forgotten, error) { return a.ForgetNode(ctx, name, force) })
	return admin.Forgotten(gone), err
}

func (d *directory) WhoHad(ctx context.Context, address netip.Addr, at time.Time) ([]admin.Holder, error) {
	list, err := inquire(ctx, d, func(a *postgres.Admin) ([]postgres.AdminHolder, error) { return a.WhoHad(ctx, address, at) })
	return each(list, func(v postgres.AdminHolder) admin.Holder { return admin.Holder(v) }), err
}
