package main

import (
	"strings"

	"lnsgate/aaa/postgres"

	"github.com/spf13/cobra"
)

func newUserLoginsCommand() *cobra.Command {
	var f *databaseFlags
	var most int
	cmd := &cobra.Command{
		Use: "logins [NAME]", Short: "Tell what came of the last logins on all nodes, the newest first",
		Long: `logins tells who tried to log in, and why it did not work. NAME is what was typed, which may be no account at all:
without it all names are told.`,
		Example: `  lnsgate user logins alice@sales.example -c lnsgate.yaml
  lnsgate user logins --most 100 -o json -c lnsgate.yaml | jq '.[] | select(.verdict != "granted")'`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.with(cmd.Context(), func(admin *postgres.Admin) error {
				list, err := admin.Logins(cmd.Context(), strings.Join(args, ""), max(0, most))
				if err != nil {
					return err
				}
				return f.print(cmd, some(list), func(t *table) {
					t.row("At", "Name", "Method", "Peer", "PeerName", "Address", "Node", "Verdict")
					for _, l := range list {
						t.row(moment(l.At), l.Name, shown(l.Method), shown(l.Peer), shown(l.PeerName), shown(l.Address), l.Node, l.Verdict)
					}
				})
			})
		},
	}
	f = addDatabaseFlags(cmd)
	cmd.Flags().IntVar(&most, "most", 20, "at most so many")
	return cmd
}
