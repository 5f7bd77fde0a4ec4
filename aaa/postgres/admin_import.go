package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// ImportRow is one account to be imported.
type ImportRow struct {
	Where    string        // of the row, for messages: line 7
	Settings AdminSettings // with the name
	Address  string        // fixed; empty: none
	Prefixes [2]string     // fixed, of the link and for the networks behind; empty: none
	Kind     string        // of a stored form of the password: nt, bcrypt, crypt, argon2id; empty: none
	Form     []byte        // the stored form
}

func (r *ImportRow) name() string { return fmt.Sprint(r.Settings["name"]) }

// Existing says what an import does with an account that is there already.
type Existing uint8

// What an import may do.
const (
	Refuse  Existing = iota // it is a fault
	Keep                    // it stays as it is
	Replace                 // it gets what the row says, and keeps what the row does not speak of
)

// ImportNote is something to be said of one row.
type ImportNote struct {
	Where string `json:"where"`
	Text  string `json:"text"`
}

// ImportReport says what became of the rows.
type ImportReport struct {
	Added   int          `json:"added"`
	Changed int          `json:"changed"`
	Kept    int          `json:"kept"`
	Faults  []ImportNote `json:"faults"` // rows that cannot be imported, and why
}

// errUndo ends a transaction that is not to be kept.
var errUndo = errors.New("nothing is kept")

// ImportAccounts imports all rows, or none if one of them has a fault: then the report lists the faults of all rows. A dry
// run finds the same faults and keeps nothing.
func (a *Admin) ImportAccounts(ctx context.Context, rows []ImportRow, existing Existing, dryRun bool) (ImportReport, error) {
	var report ImportReport
	err := a.change(ctx, "import accounts", func(tx pgx.Tx) error {
		if err := report.importAll(ctx, tx, rows, existing); err != nil {
			return err
		}
		if dryRun || len(report.Faults) > 0 {
			return errUndo
		}
		return nil
	})
	return report, undone(err)
}

func undone(err error) error {
	if errors.Is(err, errUndo) {
		return nil
	}
	return err
}

// importChunk is how many rows go in one statement. When a chunk fails, each of its rows is tried alone.
const importChunk = 1000

func (report *ImportReport) importAll(ctx context.Context, tx pgx.Tx, rows []ImportRow, existing Existing) error {
	for chunk := range slices.Chunk(rows, importChunk) {
		err := report.importSome(ctx, tx, chunk, existing)
		if !isFault(err) {
			if err != nil {
				return err
			}
			continue
		}
		for i := range chunk {
			if err := report.importSome(ctx, tx, chunk[i:i+1], existing); isFault(err) {
				report.Faults = append(report.Faults, ImportNote{chunk[i].Where, faultOf(err)})
			} else if err != nil {
				return err
			}
		}
	}
	return nil
}

// isFault reports whether a row is at fault, and not the database.
func isFault(err error) bool {
	var pg *pgconn.PgError
	var e *AdminError
	return errors.As(err, &e) || errors.As(err, &pg) && (strings.HasPrefix(pg.Code, "22") || strings.HasPrefix(pg.Code, "23"))
}

func faultOf(err error) string {
	var e *AdminError
	var pg *pgconn.PgError
	if !errors.As(err, &e) && errors.As(err, &pg) {
		e = inWords(pg)
	}
	e.Advice = strings.ReplaceAll(e.Advice, "\n", " ")
	return strings.TrimSuffix(e.Text+"; "+e.Advice, "; ")
}

// importSome imports rows within a savepoint, all or none.
func (report *ImportReport) importSome(ctx context.Context, tx pgx.Tx, rows []ImportRow, existing Existing) error {
	now := ImportReport{}
	err := pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) error {
		taken := make(map[string]bool)
		for _, alike := range byColumns(rows) {
			if err := now.accounts(ctx, tx, alike, existing, taken); err != nil {
				return err
			}
		}
		rows := slices.DeleteFunc(slices.Clone(rows), func(r ImportRow) bool { return !taken[r.name()] })
		if err := importForms(ctx, tx, rows); err != nil {
			return err
		}
		return importAddresses(ctx, tx, rows)
	})
	if err == nil {
		report.Added, report.Changed, report.Kept = report.Added+now.Added, report.Changed+now.Changed, report.Kept+now.Kept
	}
	return err
}

// byColumns groups rows that set the same columns: one statement each.
func byColumns(rows []ImportRow) map[string][]AdminSettings {
	groups := make(map[string][]AdminSettings)
	for _, r := range rows {
		key := strings.Join(slices.Sorted(maps.Keys(r.Settings)), ",")
		groups[key] = append(groups[key], r.Settings)
	}
	return groups
}

// accounts inserts rows that set the same columns, and notes the names that now are as their rows say.
func (report *ImportReport) accounts(ctx context.Context, tx pgx.Tx, rows []AdminSettings, existing Existing, taken map[string]bool) error {
	names, err := columnsOf("accounts", rows)
	if err != nil {
		return err
	}
	text, err := json.Marshal(rows)
	if err != nil {
		return err
	}
	list := strings.Join(names, ", ")
	found, err := tx.Query(ctx, fmt.Sprintf(`INSERT INTO accounts AS a (%[1]s) SELECT %[1]s FROM jsonb_populate_recordset(NULL::accounts, $1) %[2]s
		RETURNING a.name, a.xmax = 0`, list, onConflict(existing, names)), string(text))
	if err != nil {
		return err
	}
	var name string
	var added bool
	n := 0
	_, err = pgx.ForEachRow(found, []any{&name, &added}, func() error {
		taken[name] = true
		n++
		if added {
			report.Added++
		} else {
			report.Changed++
		}
		return nil
	})
	report.Kept += len(rows) - n
	return err
}

func onConflict(existing Existing, columns []string) string {
	switch existing {
	case Keep:
		return "ON CONFLICT (name) DO NOTHING"
	case Replace:
		var set []string
		for _, c := range columns {
			set = append(set, c+" = EXCLUDED."+c)
		}
		return "ON CONFLICT (name) DO UPDATE SET " + strings.Join(set, ", ")
	}
	return ""
}

// A stored form takes the place of every older one.
const (
	sqlForgetForms = `DELETE FROM credentials WHERE account = ANY ($1)`
	sqlForgetClear = `UPDATE accounts SET password = NULL WHERE name = ANY ($1) AND password IS NOT NULL`
	sqlImportForms = `INSERT INTO credentials (account, kind, value) SELECT * FROM unnest($1::text[], $2::text[], $3::bytea[])`
)

func importForms(ctx context.Context, tx pgx.Tx, rows []ImportRow) error {
	var names, kinds []string
	var forms [][]byte
	for _, r := range rows {
		if r.Kind != "" {
			names, kinds, forms = append(names, r.name()), append(kinds, r.Kind), append(forms, r.Form)
		}
	}
	if names == nil {
		return nil
	}
	for _, s := range []string{sqlForgetForms, sqlForgetClear} {
		if _, err := tx.Exec(ctx, s, names); err != nil {
			return err
		}
	}
	_, err := tx.Exec(ctx, sqlImportForms, names, kinds, forms)
	return err
}

const (
	sqlFreeAddresses = `DELETE FROM static_addresses s USING jsonb_populate_recordset(NULL::static_addresses, $1) r
		WHERE s.account = r.account AND s.address <> host(r.address)::inet AND family(s.address) = family(r.address) AND s.delegated = r.delegated`
	sqlImportAddresses = `INSERT INTO static_addresses (account, address, delegated) SELECT r.account, r.address, r.delegated
		FROM jsonb_populate_recordset(NULL::static_addresses, $1) r
		WHERE NOT EXISTS (SELECT FROM static_addresses s WHERE s.account = r.account AND s.address = host(r.address)::inet AND s.delegated = r.delegated)`
)

// Places of ImportRow.Prefixes.
const (
	linkPrefix = iota
	delegatedPrefix
)

func importAddresses(ctx context.Context, tx pgx.Tx, rows []ImportRow) error {
	var list []AdminSettings
	for _, r := range rows {
		if r.Address != "" {
			list = append(list, AdminSettings{"account": r.name(), "address": r.Address, "delegated": false})
		}
		for i, prefix := range r.Prefixes {
			if prefix != "" {
				list = append(list, AdminSettings{"account": r.name(), "address": prefix, "delegated": i == delegatedPrefix})
			}
		}
	}
	if list == nil {
		return nil
	}
	text, err := json.Marshal(list)
	if err != nil {
		return err
	}
	for _, s := range []string{sqlFreeAddresses, sqlImportAddresses} {
		if _, err := tx.Exec(ctx, s, string(text)); err != nil {
			return err
		}
	}
	return nil
}
