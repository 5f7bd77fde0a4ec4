package main

import (
	"encoding/csv"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"lnsgate/aaa/postgres"

	"github.com/spf13/cobra"
)

// csvColumns are the columns that a file of accounts may have, in the words of the table accounts.
var csvColumns = []string{"name", "password", "nt_hash", "disabled", "valid_from", "valid_until", "max_sessions", "profile", "pools", "dns", "nbns", "routes",
	"session_timeout", "idle_timeout", "mtu", "rate_up", "rate_down", "description", "address"}

func newUserImportCommand() *cobra.Command {
	var f *databaseFlags
	var update, dryRun bool
	cmd := &cobra.Command{
		Use: "import FILE", Short: "Import accounts from a CSV file",
		Long: `import reads a CSV file (- is standard input) whose first line names the columns: ` + strings.Join(csvColumns, ", ") + `.
Only name is needed. An empty field leaves it to the profile or the domain. Lists (pools, dns, nbns, routes) are separated
by blanks. All rows are imported or none: the faults of all rows are told at once, each with its line.`,
		Example: `  lnsgate user import people.csv --dry-run -c lnsgate.yaml
  printf 'name,password,address\nanna@sales.example,secret,10.20.0.7\n' | lnsgate user import - -c lnsgate.yaml`,
		Args: exactly(1, "name one CSV file, or - for standard input"),
		RunE: func(cmd *cobra.Command, args []string) error {
			rows, err := readCSV(args[0], cmd.InOrStdin())
			if err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			existing := postgres.Refuse
			if update {
				existing = postgres.Replace
			}
			return f.with(cmd.Context(), func(admin *postgres.Admin) error {
				report, err := admin.ImportAccounts(cmd.Context(), rows, existing, dryRun)
				if err != nil {
					return err
				}
				return sayImport(cmd, f, args[0], report, dryRun)
			})
		},
	}
	f = addDatabaseFlags(cmd)
	cmd.Flags().BoolVar(&update, "update", false, "change accounts that are there already, instead of refusing the file")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "say what would come of it, and change nothing")
	return cmd
}

// mostFaults is how many are printed; nobody reads more at once.
const mostFaults = 20

func sayImport(cmd *cobra.Command, f *databaseFlags, file string, r postgres.ImportReport, dryRun bool) error {
	if len(r.Faults) > 0 {
		var lines []string
		for _, fault := range r.Faults[:min(len(r.Faults), mostFaults)] {
			lines = append(lines, fmt.Sprintf("%s: %s: %s", file, fault.Where, fault.Text))
		}
		return fmt.Errorf("%s\n%s cannot be imported: %s, nothing was changed", strings.Join(lines, "\n"), file, count(len(r.Faults), "row")+" with a fault")
	}
	return f.say(cmd, r, "%s: %s added, %d changed%s", file, count(r.Added, "account"), r.Changed, dryRunWords(dryRun))
}

func dryRunWords(dryRun bool) string {
	if dryRun {
		return " (dry run: nothing was kept)"
	}
	return ""
}

func readCSV(file string, stdin io.Reader) ([]postgres.ImportRow, error) {
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		stdin = f
	}
	return parseCSV(stdin)
}

func parseCSV(file io.Reader) ([]postgres.ImportRow, error) {
	r := csv.NewReader(file)
	r.TrimLeadingSpace = true
	header, err := r.Read()
	if err != nil {
		return nil, errors.Join(errors.New("there is no first line with the names of the columns"), err)
	}
	header[0] = strings.TrimPrefix(header[0], "\ufeff") // some programs write it
	for i, name := range header {
		if header[i] = strings.TrimSpace(name); !slices.Contains(csvColumns, header[i]) || slices.Contains(header[:i], header[i]) {
			return nil, fmt.Errorf("line 1: %q is no column, or there twice; the columns are %s", name, strings.Join(csvColumns, ", "))
		}
	}
	if !slices.Contains(header, "name") {
		return nil, errors.New("line 1: there is no column name")
	}
	var rows []postgres.ImportRow
	for {
		fields, err := r.Read()
		if errors.Is(err, io.EOF) {
			return rows, nil
		} else if err != nil {
			return nil, err
		}
		line, _ := r.FieldPos(0)
		row, err := csvRow(header, fields)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", line, err)
		}
		row.Where = fmt.Sprintf("line %d", line)
		rows = append(rows, row)
	}
}

func csvRow(header, fields []string) (postgres.ImportRow, error) {
	row := postgres.ImportRow{Settings: postgres.AdminSettings{}}
	for i, text := range fields {
		switch {
		case text == "" && header[i] != "name":
		case header[i] == "address":
			row.Address = text
		case header[i] == "nt_hash":
			hash, err := hex.DecodeString(text)
			if err != nil || len(hash) != 16 {
				return row, errors.New("an NT hash has 32 hexadecimal digits")
			}
			row.Kind, row.Form = "nt", hash
		case slices.Contains([]string{"pools", "dns", "nbns", "routes"}, header[i]):
			row.Settings[header[i]] = strings.Fields(text)
		default:
			row.Settings[header[i]] = text
		}
	}
	if _, clear := row.Settings["password"]; clear && row.Kind != "" {
		return row, errors.New("the password is given twice; keep password or nt_hash")
	}
	return row, nil
}
