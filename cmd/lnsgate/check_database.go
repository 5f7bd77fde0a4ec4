package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"lnsgate/aaa"
	"lnsgate/aaa/postgres"
	"lnsgate/configs"
	"lnsgate/migrations"
	"lnsgate/pool"
)

// lookTimeout is how long check looks into a database. It reads every account.
const lookTimeout = 30 * time.Second

// look is what check finds in the database that a configuration names.
type look struct {
	config   *configs.Config
	admin    *postgres.Admin
	pool     *postgres.Pool
	backend  *postgres.Backend
	counts   *postgres.AdminCounts // nil: it cannot be reached, or cannot be read
	faults   []configs.Fault       // that would keep a node from starting
	warnings []configs.Warning
}

func (l *look) warn(format string, args ...any) {
	l.warnings = append(l.warnings, configs.Warning{Path: "database", Message: fmt.Sprintf(format, args...)})
}

// lookIntoDatabase finds what cannot work, as far as the database can be reached. It changes nothing.
func lookIntoDatabase(ctx context.Context, c *configs.Config) *look {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	l := &look{config: c}
	if err := l.open(ctx); err != nil {
		l.warn("what is in it was not checked: %v", flat(err))
		return l
	}
	defer l.close(ctx)
	for _, step := range []func(context.Context) error{l.schema, l.listening, l.leaseLife, l.content, l.passwords, l.addresses, l.nases} {
		if err := step(ctx); err != nil {
			l.warn("it was not checked to the end: %v", flat(err))
			return l
		}
		if len(l.faults) > 0 {
			return l
		}
	}
	return l
}

// flat puts an error with advice in one line.
func flat(err error) string { return strings.ReplaceAll(err.Error(), "\n  ", "; ") }

func (l *look) open(ctx context.Context) error {
	url := aaa.NewSecret(l.config.Database.URL.Reveal())
	address, err := postgres.ParseAddress(url)
	if err != nil {
		return err
	}
	if address.ConnectTimeout == 0 {
		address.ConnectTimeout = reachTimeout
	}
	if l.admin, err = postgres.OpenAdmin(ctx, address); err != nil {
		return err
	}
	if l.pool, err = postgres.Connect(ctx, url, 1, true); err != nil {
		return errors.Join(err, l.admin.Close(ctx))
	}
	l.backend = postgres.New(l.pool, postgres.Config{Timeout: lookTimeout})
	return nil
}

func (l *look) close(ctx context.Context) {
	l.pool.Close()
	l.admin.Close(context.WithoutCancel(ctx)) //nolint:errcheck // nothing was written
}

// schema finds whether this program fits the database.
func (l *look) schema(ctx context.Context) error {
	err := migrations.Check(ctx, l.admin.Conn())
	if errors.Is(err, migrations.ErrOlder) || errors.Is(err, migrations.ErrNewer) || errors.Is(err, migrations.ErrServer) {
		l.faults = append(l.faults, configs.Fault{Path: "database", Message: err.Error()})
		return nil
	}
	return err
}

// listening finds whether a node would hear of changes.
func (l *look) listening(ctx context.Context) error {
	at, err := postgres.ParseAddress(aaa.NewSecret(l.config.Database.ListenAt().Reveal()))
	if err == nil {
		err = postgres.CheckListening(ctx, at, l.admin.Conn())
	}
	switch {
	case errors.Is(err, postgres.ErrDeaf):
		l.warn("changes take up to a minute to be in force: %v; set listen_url to the address of the server itself", err)
	case err != nil:
		l.warn("changes cannot be listened for: %v", flat(err))
	}
	return nil
}

// leaseLife finds nodes that would take addresses from this one while they are in use, or that this one would take them from.
func (l *look) leaseLife(ctx context.Context) error {
	others, err := postgres.OtherLeaseLives(ctx, l.admin.Conn(), l.config.Node, l.config.Database.LeaseLife)
	if err == nil && len(others) > 0 {
		l.warn("lease_life is %s here and not the same on all nodes, so addresses in use on one may be given away by another: %s", l.config.Database.LeaseLife, others)
	}
	return err
}

// content finds what file and database say together that cannot be served.
func (l *look) content(ctx context.Context) error {
	counts, err := l.admin.Counts(ctx)
	if err != nil {
		return err
	}
	l.counts = &counts
	shared, err := l.read(ctx)
	if err != nil {
		return err
	}
	with, fault := gatewayConfig(l.config)
	with.Backends = append(with.Backends, absentBackend(postgres.Name))
	with = shared.addDomains(with, slog.New(warner{slog.DiscardHandler, l}))
	for _, overlap := range shared.overlaps(l.config) {
		l.warn("pools overlap, so the same address can be given twice: %s", overlap)
	}
	_, unreachable := routes(shared.merge(l.config))
	for _, f := range faultsIn(errors.Join(fault, unreachable)) {
		l.warn("%s", f.Message)
	}
	for _, d := range shared.domains {
		if len(d.Methods) > 0 && !slices.ContainsFunc(d.Methods, l.offered) {
			l.warn("nobody of the domain %s can log in: it allows only %v, which no virtual template offers (ppp_authentication)", d.Name, d.Methods)
		}
	}
	l.missing(with.Domains)
	return nil
}

// read fetches the domains and pools.
func (l *look) read(ctx context.Context) (s content, err error) {
	if s.domains, err = l.backend.Domains(ctx); err != nil {
		return s, err
	}
	pools, err := l.admin.Pools(ctx, "")
	for _, p := range pools {
		one, read := pool.Pool{Name: p.Name}, pool.ParseRange
		if p.PrefixLength != nil { // they mean whole prefixes
			one.PrefixLength, read = *p.PrefixLength, pool.ParseExclusion
		}
		for _, text := range append(p.Ranges, p.Draining...) {
			if r, err := read(text); err == nil { // the database has checked it
				one.Ranges = append(one.Ranges, r.Widen(one.PrefixLength))
			}
		}
		s.pools = append(s.pools, one)
	}
	return s, err
}

// missing finds domains that the file speaks of and nobody defines.
func (l *look) missing(domains []aaa.Domain) {
	wanted := []struct{ name, where string }{{l.config.DefaultDomain, "default_domain"}}
	for i, g := range l.config.L2TPGroups {
		wanted = append(wanted, struct{ name, where string }{g.Domain, fmt.Sprintf("l2tp_groups[%d].domain", i)},
			struct{ name, where string }{g.DefaultDomain, fmt.Sprintf("l2tp_groups[%d].default_domain", i)})
	}
	for _, w := range wanted {
		folded := aaa.FoldDomain(w.name)
		if w.name != "" && !slices.ContainsFunc(domains, func(d aaa.Domain) bool {
			return aaa.FoldDomain(d.Name) == folded || slices.Contains(d.Aliases, folded)
		}) {
			l.warn("%s: there is no domain %s, neither in this file nor in the database; make it with lnsgate domain add %s", w.where, w.name, w.name)
		}
	}
}

// passwords finds domains whose stored passwords cannot serve a method that is offered to their people.
func (l *look) passwords(ctx context.Context) error {
	gaps, err := l.backend.Gaps(ctx)
	for _, g := range gaps {
		if l.offered(g.Method) {
			l.warn("%s", g)
		}
	}
	return err
}

// offered reports whether any l2tp group offers the method, on its virtual template.
func (l *look) offered(m aaa.Method) bool {
	return l.config.RADIUSService.Given() || slices.ContainsFunc(l.config.VirtualTemplates, func(t configs.VirtualTemplate) bool {
		greets := slices.ContainsFunc(l.config.L2TPGroups, func(g configs.L2TPGroup) bool { return g.VirtualTemplate == t.Name })
		return greets && slices.Contains(methods(t.PPPAuthentication), m)
	})
}

// addresses finds accounts that could log in and would get no address.
func (l *look) addresses(ctx context.Context) error {
	list, err := l.admin.Poolless(ctx)
	for _, p := range list {
		if p.Domain == nil { // those of the default domain, which may be the file's
			continue
		}
		l.warn("%s of the domain %s, such as %q, get no address: lnsgate domain set %s --pool POOL", count(int(p.Accounts), "account"), *p.Domain, p.Example, *p.Domain)
	}
	return err
}

// warner makes warnings of what a node would log.
type warner struct {
	slog.Handler
	look *look
}

// Enabled implements slog.Handler.
func (warner) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelWarn }

// Handle implements slog.Handler.
func (w warner) Handle(_ context.Context, r slog.Record) error {
	text := r.Message
	r.Attrs(func(a slog.Attr) bool {
		text += fmt.Sprintf(", %s %v", a.Key, a.Value)
		return true
	})
	w.look.warn("%s", text)
	return nil
}
