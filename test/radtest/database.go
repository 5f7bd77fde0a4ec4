package radtest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/jackc/pgx/v5"
)

// prepareDatabase makes FreeRADIUS's own tables, and the pools, unless they are there: two servers may share them.
func prepareDatabase(o Options) error {
	if o.Database == "" {
		if len(o.Pools) > 0 {
			return fmt.Errorf("sqlippool wants a database: set Options.Database")
		}
		return nil
	}
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, o.Database)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	for table, schema := range map[string]string{
		"public.radacct": "sql/main/postgresql/schema.sql", "public.radippool": "sql/ippool/postgresql/schema.sql",
	} {
		if err := makeTables(ctx, conn, table, schema); err != nil {
			return err
		}
	}
	for _, p := range o.Pools {
		// The queries take what expired before this second, so the default of now() would be too late for the first.
		_, err := conn.Exec(ctx, `INSERT INTO public.radippool (pool_name, framedipaddress, expiry_time)
			SELECT $1, $2::inet + n, now() - '1 day'::interval FROM generate_series(0, $3::int - 1) AS n
			WHERE NOT EXISTS (SELECT FROM public.radippool WHERE pool_name = $1)`, p.Name, p.First, p.Size)
		if err != nil {
			return fmt.Errorf("pool %s: %w", p.Name, err)
		}
	}
	return nil
}

func makeTables(ctx context.Context, conn *pgx.Conn, table, schema string) error {
	var there bool
	if err := conn.QueryRow(ctx, "SELECT to_regclass($1) IS NOT NULL", table).Scan(&there); err != nil || there {
		return err
	}
	text, err := os.ReadFile(filepath.Join(shipped, "mods-config", schema))
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, withoutClients(string(text)))
	return err
}

// withoutClients drops the statements about the table nas: lnsgate has one of that name, and the server that is tested against
// has its clients in its configuration.
func withoutClients(schema string) string {
	var kept []string
	for statement := range strings.SplitSeq(schema, ";") {
		if !strings.Contains(statement, " nas (") {
			kept = append(kept, statement)
		}
	}
	return strings.Join(kept, ";")
}
