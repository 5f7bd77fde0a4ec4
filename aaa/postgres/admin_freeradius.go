package postgres

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"lnsgate/aaa"
)

// radiusRow is a row of radcheck, radreply, radgroupcheck or radgroupreply.
type radiusRow struct {
	table                     string
	id                        int64
	owner                     string // user or group
	attribute, operator, text string
}

func (r radiusRow) where() string { return fmt.Sprintf("%s id %d (%s)", r.table, r.id, r.owner) }

// FreeRADIUS is what was read from a database of FreeRADIUS. It holds passwords.
type FreeRADIUS struct {
	users, groups []radiusRow
	members       []radiusRow // of radusergroup: owner is the user, text the group; in order of priority
	pools         map[string][]netip.Addr
	held          int64 // addresses that a session of FreeRADIUS holds now
}

// The last column says whether the table is optional. Views and tables of other versions lack some of them.
var radiusTables = []struct{ name, query string }{
	{"radcheck", `SELECT id::bigint, username, attribute, op, value FROM radcheck ORDER BY username, id`},
	{"radreply", `SELECT id::bigint, username, attribute, op, value FROM radreply ORDER BY username, id`},
	{"radgroupcheck", `SELECT id::bigint, groupname, attribute, op, value FROM radgroupcheck ORDER BY groupname, id`},
	{"radgroupreply", `SELECT id::bigint, groupname, attribute, op, value FROM radgroupreply ORDER BY groupname, id`},
	{"radusergroup", `SELECT 0::bigint, username, 'group', '=', groupname FROM radusergroup ORDER BY username, priority, groupname`},
}

const (
	sqlRadiusPools = `SELECT pool_name, framedipaddress::inet FROM radippool ORDER BY 1, 2`
	sqlRadiusHeld  = `SELECT count(*) FROM radippool WHERE expiry_time > now() AND coalesce(pool_key::text, '') NOT IN ('', '0')`
)

// ReadFreeRADIUS reads a whole database of FreeRADIUS, and changes nothing there. Without radcheck it is none; the other
// tables may be missing.
func ReadFreeRADIUS(ctx context.Context, cfg *pgx.ConnConfig) (*FreeRADIUS, error) {
	a, err := OpenAdmin(ctx, cfg)
	if err != nil {
		return nil, err
	}
	defer a.Close(ctx) //nolint:errcheck // nothing was written
	f := &FreeRADIUS{pools: make(map[string][]netip.Addr)}
	for _, t := range radiusTables {
		rows, err := a.radiusRows(ctx, t.name, t.query)
		switch {
		case codeOf(err) == undefinedTable && t.name == "radcheck":
			return nil, &AdminError{What: "read " + a.where, Text: "there is no table radcheck, so this is no database of FreeRADIUS",
				Advice: "the address names the database behind the last /; a schema of its own is reached with ?search_path=NAME"}
		case codeOf(err) == undefinedTable:
		case err != nil:
			return nil, a.explain(ctx, "read "+t.name, err)
		}
		switch t.name {
		case "radcheck", "radreply":
			f.users = append(f.users, rows...)
		case "radusergroup":
			f.members = rows
		default:
			f.groups = append(f.groups, rows...)
		}
	}
	return f, a.explain(ctx, "read radippool", f.readPools(ctx, a.conn))
}

func (a *Admin) radiusRows(ctx context.Context, table, query string) ([]radiusRow, error) {
	rows, err := a.conn.Query(ctx, query)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (radiusRow, error) {
		r := radiusRow{table: table}
		err := row.Scan(&r.id, &r.owner, &r.attribute, &r.operator, &r.text)
		return r, err
	})
}

func (f *FreeRADIUS) readPools(ctx context.Context, conn *pgx.Conn) error {
	rows, err := conn.Query(ctx, sqlRadiusPools)
	var name string
	var address netip.Addr
	if err == nil {
		_, err = pgx.ForEachRow(rows, []any{&name, &address}, func() error {
			f.pools[name] = append(f.pools[name], address)
			return nil
		})
	}
	if err == nil {
		err = conn.QueryRow(ctx, sqlRadiusHeld).Scan(&f.held)
	}
	var pg *pgconn.PgError
	if errors.As(err, &pg) && pg.Code == undefinedTable {
		return nil
	}
	return err
}

// FreeRADIUSReport says what was carried over and what was not.
type FreeRADIUSReport struct {
	Accounts ImportReport `json:"accounts"`
	Domains  []string     `json:"domains"`  // made, because accounts are named by them
	Pools    []string     `json:"pools"`    // made
	Profiles []string     `json:"profiles"` // made, of groups
	Left     []ImportNote `json:"left"`     // what lnsgate has no place for, row by row
}

func (r *FreeRADIUSReport) leave(where, format string, args ...any) {
	r.Left = append(r.Left, ImportNote{where, fmt.Sprintf(format, args...)})
}

// ImportFreeRADIUS carries over what was read: radippool as pools and ranges, groups as profiles, users as accounts, and a
// domain for every realm. What is here already stays as it is, so that it may run again; accounts are replaced when that
// is said. What cannot be carried over is in the report and keeps nothing else back. A dry run keeps nothing.
func (a *Admin) ImportFreeRADIUS(ctx context.Context, f *FreeRADIUS, existing Existing, dryRun bool) (FreeRADIUSReport, error) {
	var report FreeRADIUSReport
	err := a.change(ctx, "import from FreeRADIUS", func(tx pgx.Tx) error {
		known, err := report.importPools(ctx, tx, f.pools)
		if err != nil {
			return err
		}
		if f.held > 0 {
			report.leave("radippool", "sessions of FreeRADIUS hold addresses now: %d; lnsgate does not know these sessions: move the peers while nobody is connected, or use other ranges until they are over", f.held)
		}
		profiles := f.profiles(&report, known)
		if err := report.importProfiles(ctx, tx, profiles); err != nil {
			return err
		}
		rows := f.accounts(&report, known, profiles)
		if err := report.importDomains(ctx, tx, rows); err != nil {
			return err
		}
		if err := report.Accounts.importAll(ctx, tx, rows, existing); err != nil {
			return err
		}
		report.Left = append(report.Left, report.Accounts.Faults...)
		report.Accounts.Faults = nil
		if dryRun {
			return errUndo
		}
		return nil
	})
	return report, undone(err)
}

const (
	sqlPoolNames     = `SELECT name FROM pools`
	sqlImportPool    = `INSERT INTO pools (name, family) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING`
	sqlImportProfile = `INSERT INTO profiles (name) VALUES ($1) ON CONFLICT (name) DO NOTHING`
	sqlImportDomain  = `INSERT INTO domains (name) SELECT lower($1) WHERE NOT EXISTS (SELECT FROM domains WHERE name = lower($1))
		AND NOT EXISTS (SELECT FROM domain_aliases WHERE alias = lower($1))`
)

// tryAlone runs work within a savepoint. A fault of the row is noted, and the transaction goes on.
func (r *FreeRADIUSReport) tryAlone(ctx context.Context, tx pgx.Tx, where string, work func(pgx.Tx) error) (bool, error) {
	err := pgx.BeginFunc(ctx, tx, work)
	if isFault(err) {
		r.leave(where, "%s", faultOf(err))
		return false, nil
	}
	return err == nil, err
}

// importPools makes a pool of each one of radippool that is not here yet. It returns the names of all pools.
func (r *FreeRADIUSReport) importPools(ctx context.Context, tx pgx.Tx, pools map[string][]netip.Addr) (map[string]bool, error) {
	rows, err := tx.Query(ctx, sqlPoolNames)
	if err != nil {
		return nil, err
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	known := make(map[string]bool)
	for _, name := range names {
		known[name] = true
	}
	for _, name := range sortedKeys(pools) {
		if known[name] || err != nil {
			continue
		}
		known[name], err = r.tryAlone(ctx, tx, "radippool pool "+name, func(tx pgx.Tx) error {
			return importPool(ctx, tx, name, pools[name])
		})
		if known[name] {
			r.Pools = append(r.Pools, name)
		}
	}
	return known, err
}

func importPool(ctx context.Context, tx pgx.Tx, name string, addresses []netip.Addr) error {
	family := 4
	if addresses[0].Is6() {
		family = 6
	}
	if _, err := tx.Exec(ctx, sqlImportPool, name, family); err != nil {
		return err
	}
	var ranges []AdminSettings
	for _, written := range runs(addresses) {
		ranges = append(ranges, AdminSettings{"pool": name, "range": written})
	}
	_, err := adminInsert(ctx, tx, "pool_ranges", "", ranges...)
	return err
}

// runs writes sorted addresses as ranges.
func runs(addresses []netip.Addr) (list []string) {
	addresses = slices.Compact(addresses)
	for first := 0; first < len(addresses); {
		last := first
		for last+1 < len(addresses) && addresses[last].Next() == addresses[last+1] {
			last++
		}
		written := addresses[first].String()
		if last > first {
			written += "-" + addresses[last].String()
		}
		list, first = append(list, written), last+1
	}
	return list
}

func (r *FreeRADIUSReport) importProfiles(ctx context.Context, tx pgx.Tx, profiles map[string]AdminSettings) error {
	for _, name := range sortedKeys(profiles) {
		made := false
		good, err := r.tryAlone(ctx, tx, "group "+name, func(tx pgx.Tx) error {
			tag, err := tx.Exec(ctx, sqlImportProfile, name)
			if made = tag.RowsAffected() > 0; err == nil && made {
				_, err = adminUpdate(ctx, tx, "profiles", name, profiles[name])
			}
			return err
		})
		switch {
		case err != nil:
			return err
		case !good:
			delete(profiles, name)
		case made:
			r.Profiles = append(r.Profiles, name)
		}
	}
	return nil
}

// importDomains makes the domains that names are written with. A name that nobody could type is a fault of its account.
func (r *FreeRADIUSReport) importDomains(ctx context.Context, tx pgx.Tx, rows []ImportRow) error {
	realms := make(map[string]bool)
	for _, row := range rows {
		if id, err := aaa.ParseIdentity(row.name()); err == nil && id.Domain != "" {
			realms[id.Domain] = true
		}
	}
	for _, realm := range sortedKeys(realms) {
		_, err := r.tryAlone(ctx, tx, "realm "+realm, func(tx pgx.Tx) error {
			tag, err := tx.Exec(ctx, sqlImportDomain, realm)
			if tag.RowsAffected() > 0 {
				r.Domains = append(r.Domains, realm)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// byOwner groups rows that are sorted by nothing in particular, keeping their order.
func byOwner(rows []radiusRow) map[string][]radiusRow {
	owners := make(map[string][]radiusRow)
	for _, r := range rows {
		owners[r.owner] = append(owners[r.owner], r)
	}
	return owners
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, strings.Compare)
	return keys
}
