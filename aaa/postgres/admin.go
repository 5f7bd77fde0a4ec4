package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"lnsgate/aaa"
)

// Admin is the database as an administrator uses it: one connection, one command at a time. Nodes do not need it. Every
// change is one transaction, and the nodes hear of it when it is committed. Errors are *AdminError.
type Admin struct {
	conn     *pgx.Conn
	where    string
	operator string // who uses it, for audit; empty: the database user says it all
}

// As has changes from now on stand in audit under the name of the operator who asked for them.
func (a *Admin) As(operator string) *Admin {
	a.operator = operator
	return a
}

// ParseAddress reads the address of a database. Its error never shows any of it.
func ParseAddress(url aaa.Secret) (*pgx.ConnConfig, error) {
	cfg, err := pgx.ParseConfig(url.Reveal())
	if err != nil {
		return nil, errors.New("the address of the database cannot be read: write postgres://user:password@host:5432/name, with %40 for an @ in the password")
	}
	return cfg, nil
}

// OpenAdmin connects. What it changes stands in audit under the name of its program, lnsgate unless the address says
// otherwise.
func OpenAdmin(ctx context.Context, cfg *pgx.ConnConfig) (*Admin, error) {
	cfg = cfg.Copy()
	// Names of statements would be lost behind a pooler.
	cfg.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	if cfg.ConnectTimeout == 0 {
		cfg.ConnectTimeout = 10 * time.Second
	}
	if cfg.RuntimeParams["application_name"] == "" {
		cfg.RuntimeParams["application_name"] = "lnsgate"
	}
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return nil, cannotConnect(Address(cfg), err)
	}
	return &Admin{conn: conn, where: Address(cfg)}, nil
}

// Close ends the connection.
func (a *Admin) Close(ctx context.Context) error { return a.conn.Close(ctx) }

// Conn is the connection, for reading the version of the schema.
func (a *Admin) Conn() *pgx.Conn { return a.conn }

// Where names the server and the database, without a password.
func (a *Admin) Where() string { return a.where }

// AdminSettings are columns and what to write into them: text as PostgreSQL reads it, a list of texts, a bool, a number,
// or nil for the default of the table, which for most is to leave it to the profile or the domain.
type AdminSettings map[string]any

// adminColumns are the columns of each table that AdminSettings may name.
var adminColumns = map[string][]string{
	"accounts": {"name", "password", "disabled", "valid_from", "valid_until", "max_sessions", "profile", "pools", "dns", "nbns",
		"session_timeout", "idle_timeout", "mtu", "rate_up", "rate_down", "filter", "routes", "ipv6_pool", "delegated_pool", "ipv6_dns", "description"},
	"domains": {"name", "description", "blocked", "authentication", "on_backend_error", "methods", "virtual_template", "dns", "nbns",
		"session_timeout", "idle_timeout", "mtu", "rate_up", "rate_down", "max_sessions", "max_account_sessions", "session_policy",
		"accounting_interim", "accounting", "filter", "client_routes", "dns_suffix", "ipv6_pools", "delegated_pools", "ipv6_dns"},
	"pools": {"name", "description", "routing_context", "family", "prefix_length", "quarantine", "sticky", "draining"},
	"profiles": {"name", "description", "max_sessions", "pools", "dns", "nbns", "session_timeout", "idle_timeout", "mtu", "rate_up",
		"rate_down", "filter", "routes", "ipv6_pool", "delegated_pool", "ipv6_dns"},
	"pool_ranges": {"pool", "range", "kind", "draining"},
	"nas": {"name", "source", "secret", "certificate_names", "type", "message_authenticator", "unsigned_proxies", "addresses", "domain",
		"default_domain", "dynamic_authorization_port", "description", "disabled"},
	"static_addresses": {"account", "address", "delegated", "routing_context", "description"},
}

// columns lists what the rows set, and lets no name through that is not a column.
func (s AdminSettings) columns(table string) ([]string, error) {
	names := slices.Sorted(maps.Keys(s))
	for _, name := range names {
		if !slices.Contains(adminColumns[table], name) {
			return nil, &AdminError{Text: fmt.Sprintf("%s has no setting %q", table, name),
				Advice: "the settings are " + strings.Join(adminColumns[table], ", ")}
		}
		// JSON would put another character in the place of what is not one, without a word.
		if !utf8.ValidString(fmt.Sprint(s[name])) { // it may be a password
			return nil, &AdminError{Text: name + " is not UTF-8", Advice: adviceOnText}
		}
	}
	return names, nil
}

// columnsOf is columns of rows that all set the same.
func columnsOf(table string, rows []AdminSettings) (names []string, err error) {
	for _, row := range rows {
		if names, err = row.columns(table); err != nil {
			return nil, err
		}
	}
	return names, nil
}

const adviceOnText = "set the terminal, or the file, to UTF-8"

// adminInsert adds rows that all set the same columns. PostgreSQL reads the values by the types of the columns.
func adminInsert(ctx context.Context, tx pgx.Tx, table, onConflict string, rows ...AdminSettings) (int64, error) {
	if len(rows) == 0 {
		return 0, nil
	}
	names, err := columnsOf(table, rows)
	if err != nil {
		return 0, err
	}
	text, err := json.Marshal(rows)
	if err != nil {
		return 0, err
	}
	list := strings.Join(names, ", ")
	tag, err := tx.Exec(ctx, fmt.Sprintf("INSERT INTO %[1]s (%[2]s) SELECT %[2]s FROM jsonb_populate_recordset(NULL::%[1]s, $1) %[3]s",
		table, list, onConflict), string(text))
	return tag.RowsAffected(), err
}

// adminUpdate changes the row of this name and reports whether there is one.
func adminUpdate(ctx context.Context, tx pgx.Tx, table, name string, s AdminSettings) (bool, error) {
	names, err := s.columns(table)
	if err != nil {
		return false, err
	}
	text, err := json.Marshal(maps.Collect(maps.All(s))) // {} of nothing, not null
	if err != nil {
		return false, err
	}
	set := "name = t.name" // nothing changes, and the row is there or not
	if len(names) > 0 {
		parts := make([]string, len(names))
		for i, n := range names {
			if parts[i] = n + " = r." + n; s[n] == nil {
				parts[i] = n + " = DEFAULT"
			}
		}
		set = strings.Join(parts, ", ")
	}
	tag, err := tx.Exec(ctx, fmt.Sprintf("UPDATE %[1]s t SET %[2]s FROM jsonb_populate_record(NULL::%[1]s, $2) r WHERE t.name = $1", table, set),
		name, string(text))
	return tag.RowsAffected() > 0, err
}

// adminDelete deletes the row of this name and reports whether there was one.
func adminDelete(ctx context.Context, tx pgx.Tx, table, name string) (bool, error) {
	tag, err := tx.Exec(ctx, "DELETE FROM "+table+" WHERE name = $1", name)
	return tag.RowsAffected() > 0, err
}

// change runs one transaction. what says in words what it was to do, for the error.
func (a *Admin) change(ctx context.Context, what string, work func(tx pgx.Tx) error) error {
	return a.explain(ctx, what, pgx.BeginFunc(ctx, a.conn, func(tx pgx.Tx) error {
		if err := a.sign(ctx, tx); err != nil {
			return err
		}
		return work(tx)
	}))
}

// sign says in a transaction whose change it is.
func (a *Admin) sign(ctx context.Context, tx pgx.Tx) error {
	if a.operator == "" {
		return nil
	}
	_, err := tx.Exec(ctx, "SELECT set_config('lnsgate.operator', $1, true)", a.operator)
	return err
}

// adminRows asks and reads every row into a T, by the names of its columns.
func adminRows[T any](ctx context.Context, a *Admin, what, query string, args ...any) ([]T, error) {
	rows, err := a.conn.Query(ctx, query, args...)
	if err != nil {
		return nil, a.explain(ctx, what, err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByName[T])
	return list, a.explain(ctx, what, err)
}
