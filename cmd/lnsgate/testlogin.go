package main

import (
	"fmt"
	"net/netip"
	"time"

	"lnsgate/lns/admin"
	"lnsgate/lns/trace"

	"github.com/spf13/cobra"
)

func newTestLoginCommand() *cobra.Command {
	var socket, output, from string
	var test admin.LoginTest
	var stdin bool
	cmd := &cobra.Command{
		Use: "test-login USER", Short: "Tell what would become of a login, without a call",
		Long: `test-login asks the running server to decide about a login: which l2tp group and domain it would fall to, what each back end
says, limits, attributes and who says each, the address, and the first rule that would refuse. Nothing is leased, counted
or recorded as a login. With the password it is really checked, which is audited; a wrong one delays that name as at a login,
and ten of them the operator too. A RADIUS server can only be asked with a password, and counts it.`,
		Example: `  lnsgate test-login alice@sales.example --from 192.0.2.7
  lnsgate test-login alice@sales.example --method chap --password-stdin < password
  lnsgate test-login bob --domain lab.example -o json | jq -r .meaning.remedy`,
		Args: exactly(1, "name one user, exactly as it is typed"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if output != "table" && output != "json" {
				return fmt.Errorf("there is no output format %q: use -o table or -o json", output)
			}
			test.User = args[0]
			if from != "" {
				var err error
				if test.From, err = netip.ParseAddr(from); err != nil {
					return fmt.Errorf("--from: %q is not an address", from)
				}
			}
			if stdin {
				password, err := (&passwordFlags{stdin: true}).read(cmd)
				if err != nil {
					return err
				}
				test.Password = password.Reveal()
			}
			client := admin.NewClient(socket)
			defer client.Close()
			f, err := client.TestLogin(cmd.Context(), test)
			if err != nil {
				return err
			}
			if output == "json" {
				return writeJSON(cmd.OutOrStdout(), f)
			}
			return printForecast(cmd, &f)
		},
	}
	addSocketFlag(cmd, &socket)
	cmd.Flags().StringVar(&test.Domain, "domain", "", "as if the l2tp group forced this domain")
	cmd.Flags().StringVar(&test.Method, "method", "", "pap, chap, mschapv2 or eap; else the first that is offered")
	cmd.Flags().StringVar(&test.Group, "group", "", "the l2tp group; else the one that --from and --host-name match")
	cmd.Flags().StringVar(&test.HostName, "host-name", "", "the host name of the peer (its tunnel name)")
	cmd.Flags().StringVar(&from, "from", "", "the `IP` address that the peer dials from")
	cmd.Flags().BoolVar(&stdin, "password-stdin", false, "read the password from standard input")
	cmd.Flags().StringVarP(&output, "output", "o", "table", "table or json")
	return cmd
}

// printForecast writes the decisions, what the session would get, and the verdict.
func printForecast(cmd *cobra.Command, f *admin.LoginForecast) error {
	out := cmd.OutOrStdout()
	t := newTable(out)
	t.row("Stage", "Decision", "Result", "Took", "Detail")
	for _, s := range f.Steps {
		took := ""
		if s.Took > 0 {
			took = s.Took.Round(10 * time.Microsecond).String()
		}
		t.row(s.Stage, s.What, s.Result, took, s.Detail)
	}
	if err := t.flush(); err != nil {
		return err
	}
	if len(f.Attributes) > 0 {
		fmt.Fprintln(out)
		t = newTable(out)
		t.row("Attribute", "Value", "From")
		for _, a := range f.Attributes {
			t.row(a.Name, a.Value, a.From)
		}
		if err := t.flush(); err != nil {
			return err
		}
	}
	return printVerdict(cmd, f)
}

func printVerdict(cmd *cobra.Command, f *admin.LoginForecast) error {
	out := cmd.OutOrStdout()
	var err error
	switch f.Verdict.Cause {
	case trace.LoggedIn:
		end := "; the password was not checked"
		if f.Checked {
			end = "; the password is right"
		}
		_, err = fmt.Fprintf(out, "\n%s would be logged in%s\n", printable(f.Account), end)
	case trace.InProgress:
		_, err = fmt.Fprintf(out, "\nnot decided: %s\n", printable(f.Verdict.Detail))
	default:
		_, err = fmt.Fprintf(out, "\nrefused (%s): %s\nwhat to do (%s): %s\n", f.Verdict.Cause.Name(), printable(f.Verdict.String()), f.Meaning.Helper, f.Meaning.Remedy)
	}
	return err
}
