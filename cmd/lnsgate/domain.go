package main

import (
	"strings"

	"lnsgate/aaa/postgres"

	"github.com/spf13/cobra"
)

var domainSettings = append([]setting{
	{"authentication", "authentication", listSetting, "who checks a user, in order: postgres, local"},
	{"on-backend-error", "on_backend_error", textSetting, "stop or continue when one of them cannot answer"},
	{"methods", "methods", listSetting, "the only methods allowed: pap, chap, mschapv1, mschapv2, eap; empty: all"},
	{"virtual-template", "virtual_template", textSetting, "the interface of its subscribers"},
	{"max-account-sessions", "max_account_sessions", numberSetting, "the most sessions of one account on all nodes together"},
	{"session-policy", "session_policy", textSetting, "at a limit: refuse the new session, or replace the oldest"},
	{"accounting", "accounting", listSetting, "where records go: postgres, or RADIUS groups of the nodes; empty: postgres"},
	{"accounting-interim", "accounting_interim", durationSetting, "how often a session writes its figures, at least 60s"},
	{"client-route", "client_routes", networksSetting, "networks that Windows and macOS are told to reach through the tunnel"},
	{"dns-suffix", "dns_suffix", textSetting, "the DNS suffix that they are told"},
	{"ipv6-pool", "ipv6_pools", listSetting, "where /64 prefixes for the links of subscribers come from, in order; empty: no IPv6"},
	{"delegated-pool", "delegated_pools", listSetting, "where prefixes for the networks behind subscribers come from, in order"},
	{"ipv6-dns", "ipv6_dns", addressesSetting, "at most three DNS servers told over IPv6"},
	{"blocked", "blocked", switchSetting, "nobody may log in, and sessions end"},
}, sharedSettings...)

func newDomainCommand() *cobra.Command {
	return group("domain", "Manage the domains (departments) in the database",
		`domain works on the domains in the database: what stands behind the @ of a name, who checks its users, and where
their addresses come from. A change counts on every node within a second.`,
		`  lnsgate domain add sales.example --pool sales -c lnsgate.yaml
  lnsgate domain set sales.example --pool sales,spare --max-account-sessions 1 -c lnsgate.yaml
  lnsgate domain set sales.example --ipv6-pool sales6 --delegated-pool homes -c lnsgate.yaml
  lnsgate domain list -c lnsgate.yaml`,
		newDomainAddCommand(), newDomainSetCommand(), newDomainListCommand(), newDomainDeleteCommand())
}

// domainFlags are those of add and set.
type domainFlags struct {
	*databaseFlags
	settings       *settingFlags
	pools, aliases []string
}

func addDomainFlags(cmd *cobra.Command, change bool) *domainFlags {
	f := &domainFlags{databaseFlags: addDatabaseFlags(cmd), settings: addSettings(cmd, change, domainSettings...)}
	cmd.Flags().StringSliceVar(&f.pools, "pool", nil, "where addresses come from, in order: the next when one is full; instead of all before")
	cmd.Flags().StringSliceVar(&f.aliases, "alias", nil, "other names for it, instead of all before")
	return f
}

func (f *domainFlags) change(cmd *cobra.Command) (c postgres.DomainChange, err error) {
	if cmd.Flags().Changed("pool") {
		c.Pools = &f.pools
	}
	if cmd.Flags().Changed("alias") {
		c.Aliases = &f.aliases
	}
	c.Settings, err = f.settings.read()
	return c, err
}

func newDomainAddCommand() *cobra.Command {
	var f *domainFlags
	cmd := &cobra.Command{
		Use: "add NAME", Short: "Add a domain",
		Long: `add makes a domain whose users are checked against the accounts in the database. Its pools must be there already.`,
		Example: `  lnsgate domain add sales.example --pool sales -c lnsgate.yaml
  lnsgate domain add lab.example --alias lab --pool lab --methods chap,mschapv2 --dns 10.0.0.53 -c lnsgate.yaml`,
		Args: exactly(1, "name one domain"),
		RunE: func(cmd *cobra.Command, args []string) error {
			change, err := f.change(cmd)
			if err != nil {
				return err
			}
			return f.with(cmd.Context(), func(admin *postgres.Admin) error {
				if err := admin.AddDomain(cmd.Context(), args[0], change); err != nil {
					return err
				}
				return sayDomain(cmd, f.databaseFlags, admin, args[0], "added")
			})
		},
	}
	f = addDomainFlags(cmd, false)
	return cmd
}

func newDomainSetCommand() *cobra.Command {
	var f *domainFlags
	cmd := &cobra.Command{
		Use: "set NAME", Short: "Change a domain",
		Long: `set changes what the flags name and leaves the rest. A renamed domain keeps its old name as an alias while accounts
are called by it.`,
		Example: `  lnsgate domain set sales.example --pool sales2 -c lnsgate.yaml      move a department to another range
  lnsgate domain set sales.example --blocked -c lnsgate.yaml
  lnsgate domain set sales.example --reset session_timeout -c lnsgate.yaml`,
		Args: exactly(1, "name one domain"),
		RunE: func(cmd *cobra.Command, args []string) error {
			change, err := f.change(cmd)
			if err != nil {
				return err
			}
			return f.with(cmd.Context(), func(admin *postgres.Admin) error {
				if err := admin.SetDomain(cmd.Context(), args[0], change); err != nil {
					return err
				}
				name := args[0]
				if renamed, ok := change.Settings["name"].(string); ok {
					name = renamed
				}
				return sayDomain(cmd, f.databaseFlags, admin, name, "changed")
			})
		},
	}
	f = addDomainFlags(cmd, true)
	return cmd
}

func sayDomain(cmd *cobra.Command, f *databaseFlags, admin *postgres.Admin, name, what string) error {
	list, err := admin.Domains(cmd.Context(), name)
	if err != nil || len(list) == 0 {
		return err
	}
	if len(list[0].Pools) == 0 {
		what += "; it has no pool, so its users need pools or addresses of their own"
	}
	return f.say(cmd, list[0], "%s: %s", printable(list[0].Name), what)
}

func newDomainListCommand() *cobra.Command {
	var f *databaseFlags
	cmd := &cobra.Command{
		Use: "list [NAME]", Short: "List the domains",
		Long:    `list shows one line per domain, or the one that is named. Those of a configuration file are not in the database.`,
		Example: `  lnsgate domain list -c lnsgate.yaml`,
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.with(cmd.Context(), func(admin *postgres.Admin) error {
				list, err := admin.Domains(cmd.Context(), strings.Join(args, ""))
				if err == nil {
					err = named("domain", args, len(list))
				}
				if err != nil {
					return err
				}
				return f.print(cmd, some(list), func(t *table) {
					t.row("Domain", "Aliases", "Blocked", "Authentication", "Methods", "Pools", "DNS", "Accounts", "Sessions", "Max", "PerAccount", "IPv6Pools")
					for _, d := range list {
						t.row(d.Name, strings.Join(d.Aliases, ","), mark(d.Blocked), strings.Join(d.Authentication, ","), strings.Join(d.Methods, ","),
							strings.Join(d.Pools, ","), addresses(d.DNS), d.Accounts, d.Sessions, shown(d.MaxSessions), shown(d.MaxAccountSessions),
							strings.Join(append(d.IPv6Pools, d.DelegatedPools...), ","))
					}
				})
			})
		},
	}
	f = addDatabaseFlags(cmd)
	return cmd
}

func newDomainDeleteCommand() *cobra.Command {
	var f *databaseFlags
	cmd := &cobra.Command{
		Use: "delete NAME", Short: "Delete a domain that has no accounts any more",
		Example: `  lnsgate domain delete sales.example -c lnsgate.yaml`,
		Args:    exactly(1, "name one domain"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.with(cmd.Context(), func(admin *postgres.Admin) error {
				if err := admin.DeleteDomain(cmd.Context(), args[0]); err != nil {
					return err
				}
				return f.say(cmd, map[string]string{"deleted": args[0]}, "%s: deleted", printable(args[0]))
			})
		},
	}
	f = addDatabaseFlags(cmd)
	return cmd
}
