package main

import (
	"errors"
	"fmt"
	"strings"

	"lnsgate/aaa/postgres"

	"github.com/spf13/cobra"
)

func newImportCommand() *cobra.Command {
	return group("import", "Take over users from another system",
		`import reads the database of another system and writes what it found into that of lnsgate.`,
		`  lnsgate import freeradius --from postgres://radius@db/radius --dry-run -c lnsgate.yaml`,
		newImportFreeRADIUSCommand())
}

func newImportFreeRADIUSCommand() *cobra.Command {
	var f *databaseFlags
	var from, fromFile string
	var overwrite, dryRun bool
	cmd := &cobra.Command{
		Use: "freeradius --from URL", Short: "Take over users, groups and pools of FreeRADIUS with PostgreSQL",
		Long: `freeradius reads radcheck, radreply, radusergroup, radgroupcheck, radgroupreply and radippool, and changes nothing there.
Users become accounts, groups profiles, realms domains, and the addresses of radippool pools. What lnsgate has no place
for is told row by row, and keeps nothing else back. It may run again: what is there already stays as it is, unless
--overwrite says that accounts are to be as in FreeRADIUS.`,
		Example: `  lnsgate import freeradius --from postgres://radius@db/radius --dry-run -c lnsgate.yaml
  lnsgate import freeradius --from-file radius.url -c lnsgate.yaml`,
		Args: onlyFlags,
		RunE: func(cmd *cobra.Command, _ []string) error {
			url, err := readSecret("from", from, fromFile, cmd.InOrStdin())
			if err != nil {
				return err
			}
			if url.IsZero() {
				return errors.New("name the database of FreeRADIUS: --from URL, or --from-file FILE")
			}
			cfg, err := postgres.ParseAddress(url)
			if err != nil {
				return fmt.Errorf("--from: %w", err)
			}
			existing := postgres.Keep
			if overwrite {
				existing = postgres.Replace
			}
			return f.with(cmd.Context(), func(admin *postgres.Admin) error {
				found, err := postgres.ReadFreeRADIUS(cmd.Context(), cfg)
				if err != nil {
					return fmt.Errorf("--from: %w", err)
				}
				report, err := admin.ImportFreeRADIUS(cmd.Context(), found, existing, dryRun)
				if err != nil {
					return err
				}
				return f.say(cmd, report, "%s", freeradiusWords(report, dryRun))
			})
		},
	}
	f = addDatabaseFlags(cmd)
	cmd.Flags().StringVar(&from, "from", "", "`URL` of the database of FreeRADIUS")
	cmd.Flags().StringVar(&fromFile, "from-file", "", "`FILE` with that URL, which keeps its password out of the list of processes")
	cmd.Flags().BoolVar(&overwrite, "overwrite", false, "give accounts that are there already the settings and passwords of FreeRADIUS")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "say what would come of it, and change nothing")
	return cmd
}

// freeradiusWords is the whole report for a person.
func freeradiusWords(r postgres.FreeRADIUSReport, dryRun bool) string {
	var lines []string
	for _, note := range r.Left {
		lines = append(lines, "left: "+printable(note.Where)+": "+printable(note.Text))
	}
	for _, made := range []struct {
		what  string
		names []string
	}{{"domain", r.Domains}, {"pool", r.Pools}, {"profile", r.Profiles}} {
		for _, name := range made.names {
			lines = append(lines, "made: "+made.what+" "+printable(name))
		}
	}
	if len(r.Domains) > 0 {
		lines = append(lines, "give the new domains their pools: lnsgate domain set DOMAIN --pool POOL")
	}
	a := r.Accounts
	return strings.Join(append(lines, fmt.Sprintf("%s added, %d changed, %d there already, %d notes on what is left%s",
		count(a.Added, "account"), a.Changed, a.Kept, len(r.Left), dryRunWords(dryRun))), "\n")
}
