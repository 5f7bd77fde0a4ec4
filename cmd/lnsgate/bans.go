package main

import (
	"cmp"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"lnsgate/lns/admin"

	"github.com/spf13/cobra"
)

func newBansCommand() *cobra.Command {
	var socket string
	cmd := &cobra.Command{
		Use:   "bans",
		Short: "Show who is shut out, and shut somebody out",
		Long: `bans lists the accounts and the sources that may not log in on this node, until when, by whom and why. Some follow from
failed logins (bans in the configuration file) and are forgotten by a restart; those that an operator adds are kept.

A banned account is refused whatever password it gives, and the verdict of the login says why (lnsgate explain). What a banned
source sends to open a tunnel is dropped and counted (drop_banned_source). Sessions that are open go on: lnsgate kick.`,
		Example: `  lnsgate bans
  lnsgate bans add anna@sales --for 24h --why "laptop stolen"
  lnsgate bans add 203.0.113.0/24 --why "scanners"
  lnsgate bans lift anna@sales`,
		Args: onlyFlags,
		RunE: func(cmd *cobra.Command, _ []string) error {
			client := admin.NewClient(socket)
			defer client.Close()
			all, err := client.Bans(cmd.Context())
			if err != nil {
				return err
			}
			return printBans(cmd.OutOrStdout(), all)
		},
	}
	addSocketFlag(cmd, &socket)
	cmd.AddCommand(newBanAddCommand(), newBanLiftCommand())
	return cmd
}

func newBanAddCommand() *cobra.Command {
	var socket, why string
	var lasts time.Duration
	cmd := &cobra.Command{
		Use:     "add ACCOUNT|ADDRESS|NETWORK",
		Short:   "Shut an account or a source out",
		Example: "  lnsgate bans add anna@sales --for 24h --why \"laptop stolen\"",
		Args:    exactly(1, "name one account, address or network"),
		RunE: func(cmd *cobra.Command, args []string) error {
			client := admin.NewClient(socket)
			defer client.Close()
			if lasts < 0 || lasts > 0 && lasts < time.Second {
				return fmt.Errorf("--for %s: at least 1s", lasts)
			}
			err := client.Ban(cmd.Context(), admin.BanRequest{Who: args[0], ForSeconds: int64(lasts / time.Second), Why: why})
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s is banned; sessions that are open go on (lnsgate kick)\n", args[0])
			return err
		},
	}
	addSocketFlag(cmd, &socket)
	cmd.Flags().StringVar(&why, "why", "", "why, for the log and the verdicts of logins")
	cmd.Flags().DurationVar(&lasts, "for", 0, "how long, such as 2h30m; left out: until it is lifted")
	return cmd
}

func newBanLiftCommand() *cobra.Command {
	var socket string
	cmd := &cobra.Command{
		Use:     "lift ACCOUNT|ADDRESS|NETWORK",
		Short:   "Let an account or a source in again",
		Example: "  lnsgate bans lift 203.0.113.0/24",
		Args:    exactly(1, "name one account, address or network, as lnsgate bans lists it"),
		RunE: func(cmd *cobra.Command, args []string) error {
			client := admin.NewClient(socket)
			defer client.Close()
			if err := client.LiftBan(cmd.Context(), args[0]); err != nil {
				return err
			}
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s may log in again\n", args[0])
			return err
		},
	}
	addSocketFlag(cmd, &socket)
	return cmd
}

func printBans(out io.Writer, all []admin.Ban) error {
	if len(all) == 0 {
		_, err := fmt.Fprintln(out, "nobody is banned")
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "Kind\tWho\tUntil\tBy\tWhy")
	for _, b := range all {
		until := "lifted"
		if !b.Until.IsZero() {
			until = b.Until.Local().Format(time.DateTime)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", b.Kind, printable(b.Who), until, printable(b.By), cmp.Or(printable(b.Why), "-"))
	}
	return w.Flush()
}
