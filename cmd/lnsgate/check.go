package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"lnsgate/aaa/postgres"
	"lnsgate/configs"

	"github.com/spf13/cobra"
)

func newCheckCommand() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "check -c FILE",
		Short: "Check a configuration file without starting anything",
		Long: `check reads the file as serve would and reports every fault at once, each with its place, then what is allowed but
unwise. A database that the file names is looked into: what it holds that cannot be served is a warning. The exit code
is 1 when there is a fault, and 0 when there are only warnings.`,
		Example: `  lnsgate check -c /etc/lnsgate/lnsgate.yaml
  lnsgate check -c new.yaml && mv new.yaml /etc/lnsgate/lnsgate.yaml && lnsgate reload`,
		Args: fileByFlag,
		RunE: func(cmd *cobra.Command, _ []string) error { return check(cmd.Context(), cmd.OutOrStdout(), file) },
	}
	addConfigFlag(cmd, &file)
	return cmd
}

// addConfigFlag adds -c, which has no default: the wrong file by accident is worse than one word more to type.
func addConfigFlag(cmd *cobra.Command, file *string) {
	cmd.Flags().StringVarP(file, "config", "c", "", "configuration file (required)")
}

// check prints what is to be said of the file to w. Its error counts the faults.
func check(ctx context.Context, w io.Writer, file string) error {
	if file == "" {
		return errors.New("name the configuration file: lnsgate check -c FILE")
	}
	config, warnings, err := loadConfig(file)
	var counts *postgres.AdminCounts
	if err == nil && config.Database.Given() {
		found := lookIntoDatabase(ctx, config)
		counts, warnings = found.counts, append(warnings, found.warnings...)
		if len(found.faults) > 0 {
			err = configs.Place(file, found.faults)
		}
	}
	return writeFindings(w, file, config, counts, warnings, err)
}

// writeFindings takes what loadConfig returned, and what the database holds if it could be read.
func writeFindings(w io.Writer, file string, config *configs.Config, counts *postgres.AdminCounts, warnings []configs.Warning, err error) error {
	var faults *configs.Faults
	if err != nil && !errors.As(err, &faults) {
		return err
	}
	var text strings.Builder
	if faults != nil {
		for _, fault := range faults.List {
			fmt.Fprintf(&text, "%s: fault: %s\n", file, fault)
		}
	}
	for _, warning := range warnings {
		fmt.Fprintf(&text, "%s: warning: %s\n", file, warning)
	}
	if faults == nil {
		fmt.Fprintf(&text, "%s: %s\n", file, summary(config, counts, len(warnings)))
	}
	if _, err := io.WriteString(w, text.String()); err != nil {
		return err
	}
	if faults != nil {
		return fmt.Errorf("%s cannot be used: %s", file, count(len(faults.List), "fault"))
	}
	return nil
}

// summary says in one line what the file and the database define.
func summary(c *configs.Config, held *postgres.AdminCounts, warnings int) string {
	verdict := "good"
	if warnings > 0 {
		verdict = "usable, with " + count(warnings, "warning")
	}
	text := verdict + ": "
	if c.L2TP() {
		text += fmt.Sprintf("%s, %s, %s, ", count(len(c.Listen), "listening socket"),
			count(len(c.VirtualTemplates), "virtual template"), count(len(c.L2TPGroups), "l2tp group"))
	}
	if c.RADIUSService.Given() {
		text += count(len(c.RADIUSService.Clients), "RADIUS client") + ", "
	}
	text += fmt.Sprintf("%s, %s, %s", count(len(c.Domains), "domain"),
		count(len(c.Pools), "pool"),
		count(len(c.Users), "user"))
	if held != nil {
		text += fmt.Sprintf("; in the database %s, %s, %s", count(int(held.Domains), "domain"), count(int(held.Pools), "pool"), count(int(held.Accounts), "user"))
	}
	return text
}
