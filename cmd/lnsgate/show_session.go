package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"lnsgate/lns/admin"

	"github.com/spf13/cobra"
)

// newShowSessionCommand shows one session with everything that is known of it.
func newShowSessionCommand() *cobra.Command {
	var socket, output string
	cmd := &cobra.Command{
		Use:   "session SESSION|USER",
		Short: "Show one session, or all of a user, with the quality of the line",
		Long: `session shows what "show sessions" has no room for, of the session named as in its column Session, or of all sessions of a user.
The line is measured by the LCP Echo-Requests that are sent while the subscriber is silent: round trips, how many got no answer, and the
last 32 as a plot, the oldest first, where x is one without an answer. Logins within the last hour tell of a line that drops.`,
		Example: `  lnsgate show session 12/7
  lnsgate show session anna@sales
  lnsgate show session 12/7 -o json | jq '.[0].line'`,
		Args: exactly(1, "name one session (such as 12/7) or one user"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if output != "table" && output != "json" {
				return fmt.Errorf("there is no output format %q: use -o table or -o json", output)
			}
			client := admin.NewClient(socket)
			defer client.Close()
			found, err := sessionsNamed(cmd.Context(), client, args[0])
			if err != nil {
				return err
			}
			if output == "json" {
				return writeJSON(cmd.OutOrStdout(), found)
			}
			return printSessions(cmd.OutOrStdout(), found)
		},
	}
	addSocketFlag(cmd, &socket)
	cmd.Flags().StringVarP(&output, "output", "o", "table", "table or json")
	return cmd
}

// sessionsNamed are the session of that name, or those of that user.
func sessionsNamed(ctx context.Context, client *admin.Client, who string) ([]admin.Session, error) {
	filter := admin.SessionFilter{User: who}
	if strings.Contains(who, "/") {
		filter = admin.SessionFilter{Session: who}
	}
	found, err := client.Sessions(ctx, filter)
	if err == nil && len(found) == 0 {
		err = fmt.Errorf("there is no session of %q\n  see who is connected: lnsgate show sessions; why somebody is not: lnsgate explain", who)
	}
	return found, err
}

func printSessions(w io.Writer, sessions []admin.Session) error {
	out := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	for i := range sessions {
		if i > 0 {
			fmt.Fprintln(out)
		}
		for _, line := range describeSession(&sessions[i]) {
			if line[1] != "" {
				fmt.Fprintf(out, "%s\t%s\n", line[0], printable(line[1]))
			}
		}
	}
	return out.Flush()
}

// describeSession is what there is to say of a session, line by line. What is empty is left out.
func describeSession(s *admin.Session) [][2]string {
	lines := [][2]string{
		{"Session", s.Session},
		{"User", s.User},
		{"Account", s.Account},
		{"Domain", s.Domain},
		{"Phase", s.Phase},
		{"Address", address(s.Address)},
		{"IPv6", networks(s.IPv6)},
		{"Pool", s.Pool},
		{"Routes", networks(s.Routes)},
		{"Peer", fmt.Sprintf("%s port %d, %q", s.RemoteAddress, s.RemotePort, s.RemoteName)},
		{"Virtual template", s.VirtualTemplate},
		{"Method", s.Method},
		{"Checked by", s.Backend},
		{"Up since", moment(s.UpSince)},
		{"Up for", limit(s.Up)},
		{"From the peer", fmt.Sprintf("%s, %s", octets(s.RxOctets), count(int(s.RxPackets), "packet"))},
		{"To the peer", fmt.Sprintf("%s, %s", octets(s.TxOctets), count(int(s.TxPackets), "packet"))},
		{"Not carried", count(int(s.Drops), "packet")},
		{"Filter", s.Filter},
		{"Accounting ID", s.Record},
	}
	if s.LoginsLastHour > 0 {
		lines = append(lines, [2]string{"Logins", fmt.Sprintf("%d within the last hour", s.LoginsLastHour)})
	}
	if l := s.Line; l != nil {
		lines = append(lines,
			[2]string{"Line", describeLine(l)},
			[2]string{"Round trips", plot(l.Recent)})
	}
	return lines
}

func describeLine(l *admin.Line) string {
	text := fmt.Sprintf("%d of %d echoes lost (%.1f%%)", l.Lost, l.Sent, 100*float64(l.Lost)/float64(max(l.Sent, 1)))
	if l.Longest > 0 {
		text += fmt.Sprintf("; last %.1f ms, smoothed %.1f ms, lately %.1f to %.1f ms", l.Last, l.Smoothed, l.Shortest, l.Longest)
	}
	return text
}

// bars are eight heights.
var bars = []rune("▁▂▃▄▅▆▇█")

// plot draws round trips from zero to the longest of them: a flat line is an even one, whatever its height.
func plot(trips []float64) string {
	longest := 0.0
	for _, trip := range trips {
		longest = max(longest, trip)
	}
	var b strings.Builder
	for _, trip := range trips {
		switch {
		case trip < 0:
			b.WriteByte('x')
		case longest == 0:
			b.WriteRune(bars[0])
		default:
			b.WriteRune(bars[min(int(trip/longest*float64(len(bars))), len(bars)-1)])
		}
	}
	return b.String()
}
