package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"lnsgate/lns/admin"
	"lnsgate/lns/trace"

	"github.com/spf13/cobra"
)

// explanation is what explain is asked for.
type explanation struct {
	socket, output, peer, domain string
	since                        string
	causes                       []string
	last                         int
	failed, follow, list         bool
}

func newExplainCommand() *cobra.Command {
	var e explanation
	cmd := &cobra.Command{
		Use:   "explain [USER|ADDRESS|SESSION|ATTEMPT]",
		Short: "Tell why a login failed, or how it went",
		Long: `explain draws the dialogue of an attempt to log in: who said what, when, which back ends and pools were asked and what they
answered. Below stand the verdict, what to do about it, and who can do it.

Name a user as typed, an address that was given, a session such as 12/7, an address that somebody dials from (with --peer), or an
attempt by its id: the newest that fits is drawn, with --last N as many. Without a name the latest attempts are listed, one line each.
--follow draws an attempt that is under way as it goes on, and then the next.`,
		Example: `  lnsgate explain                                  the latest attempts
  lnsgate explain --failed --since 1h              those of the last hour that failed
  lnsgate explain alice@sales                      the last attempt of alice@sales, drawn
  lnsgate explain --peer 203.0.113.9 --follow      watch somebody dial in from there
  lnsgate explain --cause wrong-password -o json   for scripts
  lnsgate explain --causes                         every cause there is, with its remedy`,
		Args: cobra.MaximumNArgs(1),
	}
	var causes bool
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if e.output != "table" && e.output != "json" {
			return fmt.Errorf("there is no output format %q: use -o table or -o json", e.output)
		}
		if causes {
			return e.printCauses(cmd)
		}
		return e.run(cmd, strings.Join(args, ""), time.Now())
	}
	f := cmd.Flags()
	addSocketFlag(cmd, &e.socket)
	f.StringVarP(&e.output, "output", "o", "table", "table or json")
	f.IntVar(&e.last, "last", 0, "draw so many attempts, the newest first")
	f.BoolVar(&e.failed, "failed", false, "only attempts that never became a session")
	f.BoolVar(&e.follow, "follow", false, "go on as the attempt does, until interrupted")
	f.BoolVar(&e.list, "list", false, "one line for each attempt, even when one is named")
	f.StringVar(&e.since, "since", "", "begun then or later: 30m, 2h, 7d, 2026-11-24 or 2026-11-24T08:30:00Z")
	f.StringSliceVar(&e.causes, "cause", nil, "only these causes, by their names: see --causes")
	f.StringVar(&e.peer, "peer", "", "only those that dial from this address or network")
	f.StringVar(&e.domain, "domain", "", "only those of this domain")
	f.BoolVar(&causes, "causes", false, "list every cause with what it means, what to do, and who can do it")
	return cmd
}

// run answers one question.
func (e *explanation) run(cmd *cobra.Command, who string, now time.Time) error {
	filters, err := e.filters(who, now)
	if err != nil {
		return err
	}
	client := admin.NewClient(e.socket)
	defer client.Close()
	if e.follow {
		return e.watch(cmd, client, filters)
	}
	drawn := who != "" || e.last > 0 && !e.list
	for i := range filters {
		switch {
		case e.last > 0:
			filters[i].Limit = e.last
		case drawn && !e.list:
			filters[i].Limit = 1
		default:
			filters[i].Limit = listed
		}
	}
	page, err := firstFound(cmd.Context(), client, filters)
	if err != nil {
		return err
	}
	if page.Warning != "" {
		fmt.Fprintln(cmd.ErrOrStderr(), "lnsgate: warning: some attempts are missing:", page.Warning)
	}
	switch {
	case e.output == "json":
		return writeJSON(cmd.OutOrStdout(), page.Attempts)
	case len(page.Attempts) == 0:
		return errors.New(e.nothing(who))
	case drawn && !e.list:
		return draw(cmd, page.Attempts)
	default:
		return printAttempts(cmd, page.Attempts)
	}
}

// listed is how many attempts a list has.
const listed = 20

func (e *explanation) nothing(who string) string {
	if who == "" {
		return "no attempt to log in is recorded that fits\n  if somebody dials just now: does their UDP reach this host? tcpdump -ni any udp port 1701"
	}
	return fmt.Sprintf("no attempt to log in as %q, with that address or of that session is recorded\n"+
		"  see what is: lnsgate explain; names are compared exactly as typed, with their domain", who)
}

// firstFound asks for each reading of what was named, until one finds something.
func firstFound(ctx context.Context, client *admin.Client, filters []trace.Filter) (page admin.AttemptPage, err error) {
	for _, f := range filters {
		if f.ID != "" {
			a, err := client.Attempt(ctx, f.ID)
			if err == nil {
				return admin.AttemptPage{Attempts: []admin.Attempt{a}}, nil
			}
			continue
		}
		if page, err = client.Attempts(ctx, f); err != nil || len(page.Attempts) > 0 {
			return page, err
		}
	}
	return page, nil
}

// filters are what a name can mean, the likeliest first.
func (e *explanation) filters(who string, now time.Time) ([]trace.Filter, error) {
	base := trace.Filter{Failed: e.failed, Domain: e.domain}
	var err error
	if base.Since, err = since(e.since, now); err != nil {
		return nil, err
	}
	if e.peer != "" {
		if base.Peer, err = network(e.peer); err != nil {
			return nil, fmt.Errorf("--peer: %q is neither an address nor a network", e.peer)
		}
	}
	for _, name := range e.causes {
		var c trace.Cause
		if c.UnmarshalText([]byte(name)) != nil {
			return nil, fmt.Errorf("there is no cause %q\n  see: lnsgate explain --causes", name)
		}
		base.Causes = append(base.Causes, c)
	}
	with := func(change func(*trace.Filter)) trace.Filter {
		f := base
		change(&f)
		return f
	}
	user := with(func(f *trace.Filter) { f.User = who })
	address, notAddress := netip.ParseAddr(who)
	switch {
	case who == "":
		return []trace.Filter{base}, nil
	case notAddress == nil && base.Peer.IsValid():
		return []trace.Filter{with(func(f *trace.Filter) { f.Address = address }), user}, nil
	case notAddress == nil:
		peer, _ := network(who)
		return []trace.Filter{with(func(f *trace.Filter) { f.Address = address }), with(func(f *trace.Filter) { f.Peer = peer }), user}, nil
	case strings.Count(who, "-") >= 2:
		return []trace.Filter{user, {ID: who}}, nil
	case strings.Contains(who, "/"):
		return []trace.Filter{with(func(f *trace.Filter) { f.Session = who }), user}, nil
	}
	return []trace.Filter{user, {ID: who}}, nil
}

func network(text string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(text); err == nil {
		return a.Unmap().Prefix(a.Unmap().BitLen())
	}
	return netip.ParsePrefix(text)
}

// since reads a length of time before now, or a moment.
func since(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if days, found := strings.CutSuffix(text, "d"); found {
		var n int
		if _, err := fmt.Sscanf(days, "%d", &n); err == nil && n > 0 && fmt.Sprint(n) == days {
			return now.AddDate(0, 0, -n), nil
		}
	}
	if d, err := time.ParseDuration(text); err == nil && d > 0 {
		return now.Add(-d), nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04", "2006-01-02 15:04", time.DateOnly} {
		if t, err := time.ParseInLocation(layout, text, time.Local); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("--since: %q is neither a length of time such as 30m, 2h or 7d nor a moment such as 2026-11-24T08:30:00Z", text)
}
