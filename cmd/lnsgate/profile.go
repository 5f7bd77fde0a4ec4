package main

import (
	"slices"
	"strings"

	"lnsgate/aaa/postgres"

	"github.com/spf13/cobra"
)

var profileSettings = append([]setting{
	{"pool", "pools", listSetting, "pools instead of those of the domain, in order"},
	routeSetting,
}, slices.Concat(ipv6Settings, sharedSettings)...)

func newProfileCommand() *cobra.Command {
	return group("profile", "Manage the profiles in the database: settings that many accounts share",
		`profile works on the profiles in the database. What an account does not say its profile says, then its domain. A
change counts for all its accounts within a second.`,
		`  lnsgate profile add field --rate-down 10M --session-timeout 24h -c lnsgate.yaml
  lnsgate user set alice@sales.example --profile field -c lnsgate.yaml
  lnsgate profile list -c lnsgate.yaml`,
		newProfileAddCommand(), newProfileSetCommand(), newProfileListCommand(), newProfileDeleteCommand())
}

func newProfileAddCommand() *cobra.Command {
	var f *databaseFlags
	var s *settingFlags
	cmd := &cobra.Command{
		Use: "add NAME", Short: "Add a profile",
		Example: `  lnsgate profile add field --rate-down 10M --session-timeout 24h -c lnsgate.yaml`,
		Args:    exactly(1, "name one profile"),
		RunE: func(cmd *cobra.Command, args []string) error {
			settings, err := s.read()
			if err != nil {
				return err
			}
			return f.with(cmd.Context(), func(admin *postgres.Admin) error {
				if err := admin.AddProfile(cmd.Context(), args[0], settings); err != nil {
					return err
				}
				return sayProfile(cmd, f, admin, args[0], "added; give it to accounts: lnsgate user set NAME --profile "+args[0])
			})
		},
	}
	f, s = addDatabaseFlags(cmd), addSettings(cmd, false, profileSettings...)
	return cmd
}

func newProfileSetCommand() *cobra.Command {
	var f *databaseFlags
	var s *settingFlags
	cmd := &cobra.Command{
		Use: "set NAME", Short: "Change a profile, and all accounts that have it",
		Long: `set changes what the flags name and leaves the rest. Open sessions follow within a second: rates and timeouts are
applied, and what an open session cannot follow counts from the next login on.`,
		Example: `  lnsgate profile set field --rate-down 20M --reset session-timeout -c lnsgate.yaml`,
		Args:    exactly(1, "name one profile"),
		RunE: func(cmd *cobra.Command, args []string) error {
			settings, err := s.read()
			if err != nil {
				return err
			}
			return f.with(cmd.Context(), func(admin *postgres.Admin) error {
				if err := admin.SetProfile(cmd.Context(), args[0], settings); err != nil {
					return err
				}
				name := args[0]
				if renamed, ok := settings["name"].(string); ok {
					name = renamed
				}
				return sayProfile(cmd, f, admin, name, "changed")
			})
		},
	}
	f, s = addDatabaseFlags(cmd), addSettings(cmd, true, profileSettings...)
	return cmd
}

func sayProfile(cmd *cobra.Command, f *databaseFlags, admin *postgres.Admin, name, what string) error {
	list, err := admin.Profiles(cmd.Context(), name)
	if err != nil || len(list) == 0 {
		return err
	}
	return f.say(cmd, list[0], "%s: %s", printable(name), what)
}

func newProfileListCommand() *cobra.Command {
	var f *databaseFlags
	cmd := &cobra.Command{
		Use: "list [NAME]", Short: "List the profiles",
		Long:    `list shows one line per profile, or the one that is named. A dash leaves it to the domain.`,
		Example: `  lnsgate profile list -c lnsgate.yaml`,
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.with(cmd.Context(), func(admin *postgres.Admin) error {
				list, err := admin.Profiles(cmd.Context(), strings.Join(args, ""))
				if err == nil {
					err = named("profile", args, len(list))
				}
				if err != nil {
					return err
				}
				return f.print(cmd, some(list), func(t *table) {
					t.row("Profile", "Accounts", "Pools", "RateUp", "RateDown", "SessionTimeout", "IdleTimeout", "Max", "MTU", "DNS", "Description")
					for _, p := range list {
						t.row(p.Name, p.Accounts, strings.Join(p.Pools, ","), shown(p.RateUp), shown(p.RateDown), length(p.SessionTimeout),
							length(p.IdleTimeout), shown(p.MaxSessions), shown(p.MTU), addresses(p.DNS), shown(p.Description))
					}
				})
			})
		},
	}
	f = addDatabaseFlags(cmd)
	return cmd
}

func newProfileDeleteCommand() *cobra.Command {
	var f *databaseFlags
	cmd := &cobra.Command{
		Use: "delete NAME", Short: "Delete a profile that no account has any more",
		Example: `  lnsgate profile delete field -c lnsgate.yaml`,
		Args:    exactly(1, "name one profile"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.with(cmd.Context(), func(admin *postgres.Admin) error {
				if err := admin.DeleteProfile(cmd.Context(), args[0]); err != nil {
					return err
				}
				return f.say(cmd, map[string]string{"deleted": args[0]}, "%s: deleted", printable(args[0]))
			})
		},
	}
	f = addDatabaseFlags(cmd)
	return cmd
}
