package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// newRootCommand makes the whole command line. Errors are printed once, by main, and without the page of usage that
// would push them off the screen.
func newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "lnsgate",
		Short: "L2TP network server (LNS) with an AAA gateway",
		Long: `lnsgate lets people and branch offices dial into the headquarters network over L2TP (RFC 2661, UDP port 1701).
It checks who they are, gives each an address from their department's pool and carries their traffic.`,
		Example: `  lnsgate demo                                                           see a whole VPN work on this machine (root)
  lnsgate check -c /etc/lnsgate/lnsgate.yaml                             is the configuration right?
  lnsgate serve -c /etc/lnsgate/lnsgate.yaml                             run the server
  lnsgate show sessions                                                  who is connected?
  lnsgate explain anna@sales                                             why can anna not log in?
  lnsgate kick l2tpuser                                                  end all sessions of a user
  lnsgate dial --server vpn.example.com --user anna --password-file pw   be a client
  lnsgate user add anna@sales --password-stdin -c lnsgate.yaml           add a user to the database`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          knownCommand,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return fmt.Errorf("%w\n  see: %s --help", plainly(err), cmd.CommandPath())
	})
	root.AddCommand(
		newDemoCommand(),
		newServeCommand(),
		newDialCommand(),
		newShowCommand(),
		newExplainCommand(),
		newCaptureCommand(),
		newKickCommand(),
		newBansCommand(),
		newReloadCommand(),
		newCheckCommand(),
		newDBCommand(),
		newUserCommand(),
		newDomainCommand(),
		newPoolCommand(),
		newProfileCommand(),
		newNodeCommand(),
		newNASCommand(),
		newWhoHadCommand(),
		newImportCommand(),
		newOperatorCommand(),
		newTestLoginCommand(),
		newVersionCommand(),
	)
	return root
}

// knownCommand makes a mistyped command an error that names its nearest match, not a page of help and success.
func knownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	cmd.SuggestionsMinimumDistance = 2
	hint := "see: " + cmd.CommandPath() + " --help"
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		hint = "did you mean: " + cmd.CommandPath() + " " + near[0]
	}
	return fmt.Errorf("there is no command %q\n  %s", cmd.CommandPath()+" "+args[0], hint)
}

// onlyFlags is for commands that take no words besides their flags.
func onlyFlags(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return fmt.Errorf("%q is one word too many: %s takes only flags\n  see: %s --help", args[0], cmd.CommandPath(), cmd.CommandPath())
}

// fileByFlag is for commands whose one word could only be the file that belongs behind -c.
func fileByFlag(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return fmt.Errorf("give the file with -c: %s -c %s", cmd.CommandPath(), args[0])
}

// plainly says what is wrong with the value of a flag, and what would be right.
func plainly(err error) error {
	var invalid *pflag.InvalidValueError
	if !errors.As(err, &invalid) {
		return err
	}
	flag := invalid.GetFlag()
	name := "--" + flag.Name
	wanted, known := map[string]string{
		"int": "a whole number", "uint16": "a whole number from 0 to 65535", "float64": "a number", "duration": "a time such as 30s, 5m or 8h",
		"bool": "true or false",
	}[flag.Value.Type()]
	if !known {
		return fmt.Errorf("%s %s: %w", name, invalid.GetValue(), invalid.Unwrap())
	}
	return fmt.Errorf("%s %s: give %s", name, invalid.GetValue(), wanted)
}
