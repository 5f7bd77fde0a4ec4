package main

import (
	"fmt"
	"strings"

	"lnsgate/aaa/postgres"

	"github.com/spf13/cobra"
)

var poolSettings = []setting{
	{"description", "description", textSetting, "for people"},
	{"quarantine", "quarantine", durationSetting, "how long a released address stays unused, except for the account that had it (60s)"},
	{"sticky", "sticky", switchSetting, "give an account its last address back while nobody else has it (true)"},
	{"family", "family", numberSetting, "4 or 6 (4)"},
	{"length", "prefix_length", numberSetting, "give IPv6 prefixes of so many bits: 64 for links, less, such as 56, to delegate"},
	{"routing-context", "routing_context", textSetting, "addresses are unique within one routing context (default)"},
	{"rename", "name", textSetting, "another name"},
}

func newPoolCommand() *cobra.Command {
	return group("pool", "Manage the address pools in the database",
		`pool works on the pools in the database, which all nodes share. A new range is used within a second; a drained or
dropped one gives no new addresses and disconnects nobody.`,
		`  lnsgate pool add sales --range 10.20.0.0/24 -c lnsgate.yaml
  lnsgate pool add sales6 --range 2001:db8::/40 --length 64 -c lnsgate.yaml
  lnsgate pool set sales --range 10.21.0.10-10.21.0.99 -c lnsgate.yaml
  lnsgate pool usage -c lnsgate.yaml
  lnsgate pool drain sales --range 10.20.0.0/24 -c lnsgate.yaml`,
		newPoolAddCommand(), newPoolSetCommand(), newPoolListCommand(), newPoolUsageCommand(), newPoolDrainCommand(), newPoolDeleteCommand())
}

// poolFlags are those of add and set.
type poolFlags struct {
	*databaseFlags
	settings *settingFlags
	postgres.PoolChange
}

func addPoolFlags(cmd *cobra.Command, change bool) *poolFlags {
	f := &poolFlags{databaseFlags: addDatabaseFlags(cmd), settings: addSettings(cmd, change, poolSettings...)}
	cmd.Flags().StringSliceVar(&f.Ranges, "range", nil, "addresses to add: first-last, a network (without its first and last address), or one address")
	cmd.Flags().StringSliceVar(&f.Exclude, "exclude", nil, "addresses of these ranges that are not given away; a network means all of it")
	if change {
		cmd.Flags().StringSliceVar(&f.DropRanges, "drop-range", nil, "ranges to take out, written as in lnsgate pool list")
		cmd.Flags().StringSliceVar(&f.DropExclude, "drop-exclude", nil, "exclusions to take back, written as in lnsgate pool list")
	}
	return f
}

func newPoolAddCommand() *cobra.Command {
	var f *poolFlags
	cmd := &cobra.Command{
		Use: "add NAME", Short: "Add a pool",
		Long: `add makes a pool of IPv4 addresses, or with --length one of IPv6 prefixes. Within one routing context no two ranges
overlap; the database refuses it.`,
		Example: `  lnsgate pool add sales --range 10.20.0.0/24 --exclude 10.20.0.1 -c lnsgate.yaml
  lnsgate pool add homes --range 2001:db8:1000::/40 --length 56 -c lnsgate.yaml`,
		Args: exactly(1, "name one pool"),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if f.Settings, err = f.settings.read(); err != nil {
				return err
			}
			return f.with(cmd.Context(), func(admin *postgres.Admin) error {
				if err := admin.AddPool(cmd.Context(), args[0], f.PoolChange); err != nil {
					return err
				}
				return sayPool(cmd, f.databaseFlags, admin, args[0], "added")
			})
		},
	}
	f = addPoolFlags(cmd, false)
	return cmd
}

func newPoolSetCommand() *cobra.Command {
	var f *poolFlags
	cmd := &cobra.Command{
		Use: "set NAME", Short: "Change a pool: add or drop ranges",
		Long: `set adds and drops what the flags name and leaves the rest. Who has an address of a dropped range keeps it until the
session ends.`,
		Example: `  lnsgate pool set sales --range 10.21.0.0/24 -c lnsgate.yaml
  lnsgate pool set sales --drop-range 10.20.0.0/24 --quarantine 5m -c lnsgate.yaml`,
		Args: exactly(1, "name one pool"),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if f.Settings, err = f.settings.read(); err != nil {
				return err
			}
			return f.with(cmd.Context(), func(admin *postgres.Admin) error {
				if err := admin.SetPool(cmd.Context(), args[0], f.PoolChange); err != nil {
					return err
				}
				name := args[0]
				if renamed, ok := f.Settings["name"].(string); ok {
					name = renamed
				}
				return sayPool(cmd, f.databaseFlags, admin, name, "changed")
			})
		},
	}
	f = addPoolFlags(cmd, true)
	return cmd
}

// sayPool tells in a sentence what was done, and how much there is to give.
func sayPool(cmd *cobra.Command, f *databaseFlags, admin *postgres.Admin, name, what string) error {
	pools, err := admin.Pools(cmd.Context(), name)
	if err != nil || len(pools) == 0 {
		return err
	}
	usage, err := admin.PoolUsage(cmd.Context(), name)
	if err != nil || len(usage) == 0 {
		return err
	}
	things := "addresses"
	if pools[0].PrefixLength != nil {
		things = fmt.Sprintf("prefixes of /%d", *pools[0].PrefixLength)
	}
	return f.say(cmd, pools[0], "%s: %s; %s of %s %s are free", printable(name), what, number(usage[0].Free), number(usage[0].Size), things)
}

func newPoolListCommand() *cobra.Command {
	var f *databaseFlags
	cmd := &cobra.Command{
		Use: "list [NAME]", Short: "List the pools and their ranges",
		Example: `  lnsgate pool list -c lnsgate.yaml`,
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.with(cmd.Context(), func(admin *postgres.Admin) error {
				list, err := admin.Pools(cmd.Context(), strings.Join(args, ""))
				if err == nil {
					err = named("pool", args, len(list))
				}
				if err != nil {
					return err
				}
				return f.print(cmd, some(list), func(t *table) {
					t.row("Pool", "Ranges", "DrainingRanges", "Exclude", "Draining", "Sticky", "Quarantine", "Context", "Domains", "Length")
					for _, p := range list {
						t.row(p.Name, strings.Join(p.Ranges, ","), strings.Join(p.Draining, ","), strings.Join(p.Exclude, ","), mark(p.Drained),
							mark(p.Sticky), length(&p.Quarantine), p.RoutingContext, strings.Join(p.Domains, ","), shown(p.PrefixLength))
					}
				})
			})
		},
	}
	f = addDatabaseFlags(cmd)
	return cmd
}

func newPoolUsageCommand() *cobra.Command {
	var f *databaseFlags
	cmd := &cobra.Command{
		Use: "usage [NAME]", Short: "Show how full the pools are, the fullest first",
		Long: `usage counts what all nodes have written down. Leaving are addresses still held in ranges that are draining: when it is
0 the range can go.`,
		Example: `  lnsgate pool usage -c lnsgate.yaml`,
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.with(cmd.Context(), func(admin *postgres.Admin) error {
				list, err := admin.PoolUsage(cmd.Context(), strings.Join(args, ""))
				if err == nil {
					err = named("pool", args, len(list))
				}
				if err != nil {
					return err
				}
				return f.print(cmd, some(list), func(t *table) {
					t.row("Pool", "Size", "Leased", "Quarantined", "Static", "Free", "Used", "Leaving", "Draining")
					for _, u := range list {
						used := ""
						if u.UsedPercent != nil {
							used = number(*u.UsedPercent) + "%"
						}
						t.row(u.Pool, number(u.Size), u.Leased, u.Quarantined, u.Static, number(u.Free), used, u.Leaving, mark(u.Draining))
					}
				})
			})
		},
	}
	f = addDatabaseFlags(cmd)
	return cmd
}

func newPoolDrainCommand() *cobra.Command {
	var f *databaseFlags
	var written string
	var undo bool
	cmd := &cobra.Command{
		Use: "drain NAME", Short: "Let a pool, or one of its ranges, run empty without disconnecting anybody",
		Long: `drain stops new addresses from being given away. Sessions keep theirs until they end; "lnsgate pool usage" counts how
many are left.`,
		Example: `  lnsgate pool drain sales --range 10.20.0.0/24 -c lnsgate.yaml
  lnsgate pool drain sales --undo -c lnsgate.yaml`,
		Args: exactly(1, "name one pool"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.with(cmd.Context(), func(admin *postgres.Admin) error {
				if err := admin.DrainPool(cmd.Context(), args[0], written, !undo); err != nil {
					return err
				}
				what := "draining"
				if undo {
					what = "in use again"
				}
				return sayPool(cmd, f, admin, args[0], what)
			})
		},
	}
	f = addDatabaseFlags(cmd)
	cmd.Flags().StringVar(&written, "range", "", "only this range, written as in lnsgate pool list")
	cmd.Flags().BoolVar(&undo, "undo", false, "use it again")
	return cmd
}

func newPoolDeleteCommand() *cobra.Command {
	var f *databaseFlags
	cmd := &cobra.Command{
		Use: "delete NAME", Short: "Delete a pool that no domain and no account uses any more",
		Example: `  lnsgate pool delete sales -c lnsgate.yaml`,
		Args:    exactly(1, "name one pool"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.with(cmd.Context(), func(admin *postgres.Admin) error {
				if err := admin.DeletePool(cmd.Context(), args[0]); err != nil {
					return err
				}
				return f.say(cmd, map[string]string{"deleted": args[0]}, "%s: deleted", printable(args[0]))
			})
		},
	}
	f = addDatabaseFlags(cmd)
	return cmd
}
