package main

import (
	"fmt"
	"strings"

	"lnsgate/lns/admin"

	"github.com/spf13/cobra"
)

func newKickCommand() *cobra.Command {
	var socket, reason string
	cmd := &cobra.Command{
		Use:   "kick SESSION|USER",
		Short: "End a session, or all sessions of a user",
		Long: `kick ends one session, named as in the column Session of "lnsgate show sessions", or every session of a user, named
as typed at login or as the account is stored. The peer is told (CDN), its address is given back. A session that another
NAS carries is ended by that NAS: it is told (Disconnect-Request), and told again until it answers.
Nothing keeps the user from dialling in again: disable the account for that.`,
		Example: `  lnsgate kick 12/7
  lnsgate kick l2tpuser
  lnsgate kick anna@sales --reason "moved to another department"`,
		Args: exactly(1, "name one session (such as 12/7) or one user"),
		RunE: func(cmd *cobra.Command, args []string) error {
			client := admin.NewClient(socket)
			defer client.Close()
			result, err := client.Kick(cmd.Context(), kickRequest(args[0], reason))
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: %s ended\n", args[0], count(result.Kicked, "session"))
			return err
		},
	}
	addSocketFlag(cmd, &socket)
	cmd.Flags().StringVar(&reason, "reason", "", "why, for the log and for the peer")
	return cmd
}

// kickRequest takes what looks like a session for one. No user is named like that: a slash is no part of a login name.
func kickRequest(who, reason string) admin.KickRequest {
	if strings.Contains(who, "/") {
		return admin.KickRequest{Session: who, Reason: reason}
	}
	return admin.KickRequest{User: who, Reason: reason}
}

func newReloadCommand() *cobra.Command {
	var socket string
	cmd := &cobra.Command{
		Use:   "reload",
		Short: "Make the server read its configuration file again",
		Long: `reload does what the signal SIGHUP does, and tells what came of it: users, domains and pools change without
touching sessions that the change does not concern. A file with a fault is refused whole and the old one stays.`,
		Example: `  lnsgate check -c /etc/lnsgate/lnsgate.yaml && lnsgate reload`,
		Args:    onlyFlags,
		RunE: func(cmd *cobra.Command, _ []string) error {
			client := admin.NewClient(socket)
			defer client.Close()
			done, err := client.Reload(cmd.Context())
			if err != nil {
				return err
			}
			said := "the new configuration is in force"
			if len(done.Waiting) > 0 {
				said += "\nwhat has changed here takes effect at the next start: " + strings.Join(done.Waiting, ", ")
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), said)
			return err
		},
	}
	addSocketFlag(cmd, &socket)
	return cmd
}

func addSocketFlag(cmd *cobra.Command, socket *string) {
	cmd.Flags().StringVar(socket, "socket", admin.DefaultSocket, "admin socket of the server")
}

// exactly says in words what is missing or too much.
func exactly(n int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != n {
			return fmt.Errorf("%s\n  see: %s --help", what, cmd.CommandPath())
		}
		return nil
	}
}

// count reads "1 session", "3 sessions".
func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
