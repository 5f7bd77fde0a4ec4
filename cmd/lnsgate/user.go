package main

import (
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"lnsgate/aaa/postgres"

	"github.com/spf13/cobra"
)

var accountSettings = append([]setting{
	{"profile", "profile", textSetting, "the profile whose settings count where the account has none"},
	{"pool", "pools", listSetting, "pools instead of those of the domain, in order"},
	{"valid-from", "valid_from", momentSetting, "no login before this time"},
	{"valid-until", "valid_until", momentSetting, "no login from this time on, and sessions end"},
	{"disabled", "disabled", switchSetting, "may not log in"},
	routeSetting,
}, slices.Concat(ipv6Settings, sharedSettings)...)

func newUserCommand() *cobra.Command {
	return group("user", "Manage the accounts in the database",
		`user works on the accounts in the database. A change counts on every node within a second. A name is exact: alice and
alice@sales.example are two accounts.`,
		`  lnsgate user add alice@sales.example --password-stdin -c lnsgate.yaml
  lnsgate user set alice@sales.example --address 10.20.0.7 --rate-down 10M -c lnsgate.yaml
  lnsgate user block alice@sales.example -c lnsgate.yaml
  lnsgate user list --domain sales.example -c lnsgate.yaml`,
		newUserAddCommand(), newUserSetCommand(), newUserListCommand(), newUserShowCommand(), newUserDeleteCommand(),
		newUserBlockCommand(true), newUserBlockCommand(false), newUserLoginsCommand(), newUserImportCommand())
}

func newUserAddCommand() *cobra.Command {
	var f *databaseFlags
	var s *settingFlags
	var p *passwordFlags
	var own *fixedFlags
	cmd := &cobra.Command{
		Use: "add NAME", Short: "Add an account",
		Long: `add makes an account. Without a password nobody can log in by it. What is not set here its profile says, then its
domain.`,
		Example: `  lnsgate user add alice@sales.example --password-stdin -c lnsgate.yaml < password
  lnsgate user add bob@sales.example --password-file bob.pw --address 10.20.0.7 -c lnsgate.yaml`,
		Args: exactly(1, "name one account, as its user types it"),
		RunE: func(cmd *cobra.Command, args []string) error {
			change, err := accountChange(cmd, s, p, own)
			if err != nil {
				return err
			}
			return f.with(cmd.Context(), func(admin *postgres.Admin) error {
				note, err := admin.AddAccount(cmd.Context(), args[0], change)
				if err != nil {
					return err
				}
				if note == "" {
					note = "it has no password yet: lnsgate user set " + args[0] + " --password-stdin"
				}
				return sayAccount(cmd, f, admin, args[0], "added; "+note)
			})
		},
	}
	f, s, p = addDatabaseFlags(cmd), addSettings(cmd, false, accountSettings...), addPasswordFlags(cmd)
	own = addFixedFlags(cmd, "its fixed %s")
	return cmd
}

func newUserSetCommand() *cobra.Command {
	var f *databaseFlags
	var s *settingFlags
	var p *passwordFlags
	var own *fixedFlags
	cmd := &cobra.Command{
		Use: "set NAME", Short: "Change an account",
		Long: `set changes what the flags name and leaves the rest. Open sessions follow within a second: rates and timeouts are
applied, and what an open session cannot follow counts from the next login on.`,
		Example: `  lnsgate user set alice@sales.example --password-stdin -c lnsgate.yaml < password
  lnsgate user set alice@sales.example --reset dns,mtu --address "" -c lnsgate.yaml`,
		Args: exactly(1, "name one account"),
		RunE: func(cmd *cobra.Command, args []string) error {
			change, err := accountChange(cmd, s, p, own)
			if err != nil {
				return err
			}
			return f.with(cmd.Context(), func(admin *postgres.Admin) error {
				note, err := admin.SetAccount(cmd.Context(), args[0], change)
				if err != nil {
					return err
				}
				if note != "" {
					note = "; the password " + note
				}
				name := args[0]
				if renamed, ok := change.Settings["name"].(string); ok {
					name = renamed
				}
				return sayAccount(cmd, f, admin, name, "changed"+note)
			})
		},
	}
	f, s, p = addDatabaseFlags(cmd), addSettings(cmd, true, accountSettings...), addPasswordFlags(cmd)
	own = addFixedFlags(cmd, "its fixed %s instead of any it has; empty: none")
	return cmd
}

// fixedFlags are the flags of what is fixed for an account.
type fixedFlags struct{ address, prefix, delegated string }

func addFixedFlags(cmd *cobra.Command, help string) *fixedFlags {
	own := new(fixedFlags)
	cmd.Flags().StringVar(&own.address, "address", "", fmt.Sprintf(help, "address"))
	cmd.Flags().StringVar(&own.prefix, "ipv6-prefix", "", fmt.Sprintf(help, "/64 prefix for its link"))
	cmd.Flags().StringVar(&own.delegated, "delegated-prefix", "", fmt.Sprintf(help, "IPv6 prefix for the networks behind it"))
	return own
}

// read puts into a change what the flags set.
func (own *fixedFlags) read(cmd *cobra.Command, c *postgres.AccountChange) error {
	for _, f := range []struct {
		flag  string
		value *string
		into  **string
		check func(string) error
	}{
		{"address", &own.address, &c.Address, checkAddress},
		{"ipv6-prefix", &own.prefix, &c.IPv6Prefix, checkNetwork},
		{"delegated-prefix", &own.delegated, &c.DelegatedPrefix, checkNetwork},
	} {
		if !cmd.Flags().Changed(f.flag) {
			continue
		}
		*f.into = f.value
		if err := f.check(*f.value); *f.value != "" && err != nil {
			return fmt.Errorf("--%s: %w", f.flag, err)
		}
	}
	return nil
}

func accountChange(cmd *cobra.Command, s *settingFlags, p *passwordFlags, own *fixedFlags) (c postgres.AccountChange, err error) {
	if c.Settings, err = s.read(); err != nil {
		return c, err
	}
	if err := own.read(cmd, &c); err != nil {
		return c, err
	}
	c.Password, err = p.read(cmd)
	return c, err
}

// sayAccount tells in a sentence what was done, or prints the account as it is now.
func sayAccount(cmd *cobra.Command, f *databaseFlags, admin *postgres.Admin, name, what string) error {
	account, err := admin.Account(cmd.Context(), name)
	if err != nil {
		return err
	}
	return f.say(cmd, account, "%s: %s", printable(name), what)
}

// accountStates are those of the view account_overview.
var accountStates = []string{"active", "disabled", "domain blocked", "not yet valid", "expired"}

func newUserListCommand() *cobra.Command {
	var f *databaseFlags
	var filter postgres.AccountFilter
	cmd := &cobra.Command{
		Use: "list", Short: "List the accounts",
		Long: `list shows one line per account, by name. Pools and limits are what counts in the end: those of the account, else of
its profile, else of its domain.`,
		Example: `  lnsgate user list --domain sales.example -c lnsgate.yaml
  lnsgate user list --status expired -o json -c lnsgate.yaml | jq -r '.[].name'`,
		Args: onlyFlags,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkAddress(filter.Address); filter.Address != "" && err != nil {
				return fmt.Errorf("--address: %w", err)
			}
			if filter.Status != "" && !slices.Contains(accountStates, filter.Status) {
				return fmt.Errorf("--status: there is no %q; the states are %s", filter.Status, strings.Join(accountStates, ", "))
			}
			return f.with(cmd.Context(), func(admin *postgres.Admin) error {
				list, err := admin.Accounts(cmd.Context(), filter)
				if err != nil {
					return err
				}
				return f.print(cmd, some(list), func(t *table) {
					t.row("Name", "Status", "Domain", "Profile", "Password", "Addresses", "Pools", "Sessions", "Max")
					for _, a := range list {
						t.row(a.Name, a.Status, shown(a.Domain), shown(a.Profile), strings.Join(a.Password, ","), addresses(a.Addresses),
							strings.Join(a.Pools, ","), a.Sessions, shown(a.MaxSessions))
					}
				})
			})
		},
	}
	f = addDatabaseFlags(cmd)
	cmd.Flags().StringVar(&filter.Match, "match", "", "only names with this in them")
	cmd.Flags().StringVar(&filter.Domain, "domain", "", "only this domain")
	cmd.Flags().StringVar(&filter.Status, "status", "", "only these: "+strings.Join(accountStates, ", "))
	cmd.Flags().StringVar(&filter.Address, "address", "", "only the one with this fixed address")
	cmd.Flags().StringVar(&filter.Profile, "profile", "", "only this profile")
	cmd.Flags().StringVar(&filter.After, "after", "", "only names behind this one")
	cmd.Flags().IntVar(&filter.Limit, "limit", 0, "at most so many; 0: all")
	return cmd
}

func newUserShowCommand() *cobra.Command {
	var f *databaseFlags
	cmd := &cobra.Command{
		Use: "show NAME", Short: "Show everything about one account, but no password",
		Example: `  lnsgate user show alice@sales.example -c lnsgate.yaml`,
		Args:    exactly(1, "name one account"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.with(cmd.Context(), func(admin *postgres.Admin) error {
				a, err := admin.Account(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				return f.print(cmd, a, func(t *table) { showAccount(t, a) })
			})
		},
	}
	f = addDatabaseFlags(cmd)
	return cmd
}

func showAccount(t *table, a postgres.AdminAccount) {
	for _, line := range []struct {
		name  string
		value any
	}{
		{"name", a.Name}, {"status", a.Status}, {"domain", shown(a.Domain)}, {"profile", shown(a.Profile)},
		{"password", strings.Join(a.Password, ",")}, {"addresses", addresses(a.Addresses)}, {"pools", strings.Join(a.Pools, ",")},
		{"dns", addresses(a.DNS)}, {"nbns", addresses(a.NBNS)}, {"routes", networks(a.Routes)},
		{"ipv6_prefix", shown(a.IPv6Prefix)}, {"delegated", shown(a.Delegated)}, {"ipv6_pools", strings.Join(a.IPv6Pools, ",")},
		{"delegated_pools", strings.Join(a.DelegatedPools, ",")}, {"ipv6_dns", addresses(a.IPv6DNS)}, {"session_timeout", length(a.SessionTimeout)},
		{"idle_timeout", length(a.IdleTimeout)}, {"mtu", shown(a.MTU)}, {"rate_up", shown(a.RateUp)}, {"rate_down", shown(a.RateDown)},
		{"max_sessions", shown(a.MaxSessions)}, {"sessions", a.Sessions}, {"valid_from", shownMoment(a.ValidFrom)},
		{"valid_until", shownMoment(a.ValidUntil)}, {"description", shown(a.Description)}, {"created_at", moment(a.CreatedAt)},
		{"changed_at", moment(a.ChangedAt)},
	} {
		t.row(line.name, line.value)
	}
}

func newUserDeleteCommand() *cobra.Command {
	var f *databaseFlags
	cmd := &cobra.Command{
		Use: "delete NAME", Short: "Delete an account; its sessions end",
		Long:    `delete ends the sessions of the account within a second. Its records stay. Its fixed address is free for others.`,
		Example: `  lnsgate user delete alice@sales.example -c lnsgate.yaml`,
		Args:    exactly(1, "name one account"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.with(cmd.Context(), func(admin *postgres.Admin) error {
				if err := admin.DeleteAccount(cmd.Context(), args[0]); err != nil {
					return err
				}
				return f.say(cmd, map[string]string{"deleted": args[0]}, "%s: deleted", printable(args[0]))
			})
		},
	}
	f = addDatabaseFlags(cmd)
	return cmd
}

func newUserBlockCommand(block bool) *cobra.Command {
	var f *databaseFlags
	use, short, done := "unblock NAME", "Let an account log in again", "may log in"
	if block {
		use, short, done = "block NAME", "Keep an account from logging in, and end its sessions now", "blocked; its sessions end"
	}
	cmd := &cobra.Command{
		Use: use, Short: short,
		Example: "  lnsgate user " + strings.Fields(use)[0] + " alice@sales.example -c lnsgate.yaml",
		Args:    exactly(1, "name one account"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.with(cmd.Context(), func(admin *postgres.Admin) error {
				change := postgres.AccountChange{Settings: postgres.AdminSettings{"disabled": block}}
				if _, err := admin.SetAccount(cmd.Context(), args[0], change); err != nil {
					return err
				}
				return sayAccount(cmd, f, admin, args[0], done)
			})
		},
	}
	f = addDatabaseFlags(cmd)
	return cmd
}

func newWhoHadCommand() *cobra.Command {
	var f *databaseFlags
	var at string
	cmd := &cobra.Command{
		Use: "who-had ADDRESS --at TIME", Short: "Tell who had an address at a time",
		Long: `who-had looks into the accounting of all nodes. The time is that of this machine's zone, unless it says another.`,
		Example: `  lnsgate who-had 10.1.2.3 --at "2026-11-17 20:43" -c lnsgate.yaml
  lnsgate who-had 10.1.2.3 --at 2026-11-17T20:43:00+08:00 -o json -c lnsgate.yaml`,
		Args: exactly(1, "name one address"),
		RunE: func(cmd *cobra.Command, args []string) error {
			address, err := netip.ParseAddr(args[0])
			if err != nil {
				return fmt.Errorf("%q is not an address", args[0])
			}
			when := time.Now()
			if at != "" {
				if when, err = parseMoment(at); err != nil {
					return fmt.Errorf("--at: %w", err)
				}
			}
			return f.with(cmd.Context(), func(admin *postgres.Admin) error {
				list, err := admin.WhoHad(cmd.Context(), address, when)
				if err != nil {
					return err
				}
				if len(list) == 0 && f.output == "table" {
					return f.say(cmd, nil, "nobody had %v at %s", address, moment(when))
				}
				return f.print(cmd, some(list), func(t *table) {
					t.row("Account", "Name", "From", "Until", "Peer", "Calling", "Node", "NAS", "Session")
					for _, h := range list {
						t.row(h.Account, h.Name, moment(h.StartedAt), shownMoment(h.StoppedAt), shown(h.Peer), shown(h.CallingNumber), h.Node, shown(h.NAS), h.Session)
					}
				})
			})
		},
	}
	f = addDatabaseFlags(cmd)
	cmd.Flags().StringVar(&at, "at", "", "the `TIME` in question (default: now)")
	return cmd
}

// some is never null in JSON.
func some[T any](list []T) []T { return append([]T{}, list...) }

// shown is empty for what is not set.
func shown[T any](value *T) string {
	if value == nil {
		return ""
	}
	return fmt.Sprint(*value)
}

func shownMoment(at *time.Time) string {
	if at == nil {
		return ""
	}
	return moment(*at)
}

// length is a length of time in seconds, as a file would say it.
func length(seconds *float64) string {
	if seconds == nil {
		return ""
	}
	return time.Duration(*seconds * float64(time.Second)).String()
}

func number(n float64) string {
	if n >= 1<<63 { // of IPv6, more than anybody counts
		return "2^" + strconv.Itoa(int(math.Round(math.Log2(n))))
	}
	return strconv.FormatFloat(n, 'f', -1, 64)
}
