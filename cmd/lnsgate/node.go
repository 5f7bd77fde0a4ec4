package main

import (
	"strings"
	"time"

	"lnsgate/aaa/postgres"

	"github.com/spf13/cobra"
)

func newNodeCommand() *cobra.Command {
	return group("node", "Show the nodes that share the database, and forget dead ones",
		`node works on the nodes that have ever served from the database. Nobody can tell a node that died from one that is cut off
and serves its sessions, so the addresses in use on a silent node stay taken for database.lease_life.`,
		`  lnsgate node list -c lnsgate.yaml
  lnsgate node forget lns3 -c lnsgate.yaml`,
		newNodeListCommand(), newNodeForgetCommand())
}

func newNodeListCommand() *cobra.Command {
	var f *databaseFlags
	cmd := &cobra.Command{
		Use: "list [NAME]", Short: "List the nodes and what they hold",
		Long: `list shows what the database knows. A node says that it is alive at least every ten seconds; one that was not heard for
three minutes is shown as dead since then. Addresses are those in use; blocks are runs of addresses that the node gives
away by itself.`,
		Example: `  lnsgate node list -c lnsgate.yaml`,
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.with(cmd.Context(), func(admin *postgres.Admin) error {
				list, err := admin.NodeHoldings(cmd.Context(), strings.Join(args, ""))
				if err == nil {
					err = named("node", args, len(list))
				}
				if err != nil {
					return err
				}
				return f.print(cmd, some(list), func(t *table) { nodeRows(t, list) })
			})
		},
	}
	f = addDatabaseFlags(cmd)
	return cmd
}

func nodeRows(t *table, list []postgres.NodeHoldings) {
	t.row("Node", "Address", "Version", "Start", "Since", "Heard", "DeadSince", "Sessions", "Addresses", "Blocks", "LeaseLife")
	for _, n := range list {
		dead := ""
		if n.DeadSince != nil {
			dead = moment(*n.DeadSince)
		}
		heard := (time.Duration(n.Silent) * time.Second).String() + " ago"
		t.row(n.Name, shown(n.Address), shown(n.Version), n.Epoch, moment(n.StartedAt), heard, dead, n.Sessions, n.Leases, n.Blocks, length(n.LeaseLife))
	}
}

func newNodeForgetCommand() *cobra.Command {
	var f *databaseFlags
	var force bool
	cmd := &cobra.Command{
		Use: "forget NAME", Short: "Free what a dead node holds, and remove it",
		Long: `forget is for a node that is dead and will not come back. Its addresses are free at once, its sessions are closed in the
records with the last known counters, and its places in session limits are given back. A node that will be started again
under its name needs no forgetting: it frees them itself.

A node that was heard in the last three minutes is not forgotten without --force. Its sessions would go on, and others
would get their addresses.`,
		Example: `  lnsgate node forget lns3 -c lnsgate.yaml`,
		Args:    exactly(1, "name one node"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.with(cmd.Context(), func(admin *postgres.Admin) error {
				gone, err := admin.ForgetNode(cmd.Context(), args[0], force)
				if err != nil {
					return err
				}
				return f.say(cmd, gone, "%s: forgotten; %s closed, %s and %s freed", printable(args[0]), count(int(gone.Sessions), "session"),
					counted(gone.Leases, "address", "addresses"), count(int(gone.Blocks), "block"))
			})
		},
	}
	f = addDatabaseFlags(cmd)
	cmd.Flags().BoolVar(&force, "force", false, "forget it though it was heard in the last three minutes")
	return cmd
}

// counted is count for words whose plural is not made with an s.
func counted(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return number(float64(n)) + " " + many
}
