package pgtest

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"lnsgate/migrations"
)

// shared is the server of this test binary. It starts with the first test that asks for a database.
var shared struct {
	once     sync.Once
	server   *Server // nil: the one of the environment
	admin    string  // address of its superuser
	template string  // the database that all others are copies of
	err      error
	count    atomic.Int64
}

// Main runs the tests, ends the server and exits. A package without it leaves that to the watcher.
func Main(m *testing.M) { os.Exit(Run(m)) }

// Run is Main without the exit, for a TestMain that has more to do.
func Run(m interface{ Run() int }) int {
	code := m.Run()
	if shared.server != nil {
		shared.server.remove()
	}
	return code
}

// New makes a database with the schema of lnsgate for this test and connects to it as superuser. The database goes when
// the test ends.
func New(t TestingT) *pgxpool.Pool {
	t.Helper()
	return connect(t, DSN(t))
}

// DSN is the address of a new database with the schema of lnsgate, as the superuser. It goes when the test ends, whoever
// is still connected.
func DSN(t TestingT) string {
	t.Helper()
	shared.once.Do(begin)
	require(t, shared.err)
	return create(t, shared.template)
}

// Empty is the address of a new database without any schema.
func Empty(t TestingT) string {
	t.Helper()
	shared.once.Do(begin)
	require(t, shared.err)
	return create(t, "template0")
}

// New makes a database with the schema of lnsgate on this server and connects to it.
func (s *Server) New() *pgxpool.Pool {
	s.t.Helper()
	dsn := s.DSN("lnsgate")
	s.check(execute(s.DSN("postgres"), "CREATE DATABASE lnsgate"))
	s.check(migrate(dsn))
	return connect(s.t, dsn)
}

// As changes the user of an address.
func As(t TestingT, dsn, user string) string {
	t.Helper()
	return with(t, dsn, func(c *pgx.ConnConfig) { c.User, c.Password = user, "" })
}

func connect(t TestingT, dsn string) *pgxpool.Pool {
	t.Helper()
	pool, err := pgxpool.New(context.Background(), dsn)
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// begin finds or starts the server and makes the template.
func begin() {
	shared.admin = os.Getenv("LNSGATE_TEST_DATABASE")
	if shared.admin == "" {
		found, err := findPrograms()
		if err != nil {
			shared.err = err
			return
		}
		server, err := newServer(found, []string{"fsync=off", "synchronous_commit=off", "full_page_writes=off"})
		if err != nil {
			shared.err = err
			return
		}
		shared.server, shared.admin = server, server.DSN("postgres")
	}
	shared.template, shared.err = makeTemplate(shared.admin)
}

// makeTemplate makes the database that others are copies of. Its name tells the schema, so that it can stay on a server
// that outlives us; two test binaries do not make it at once.
func makeTemplate(admin string) (string, error) {
	name, err := templateName()
	if err != nil {
		return "", err
	}
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, admin)
	if err != nil {
		return "", err
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, "SELECT pg_advisory_lock(hashtext($1))", name); err != nil {
		return "", err
	}
	var there bool
	if err := conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", name).Scan(&there); err != nil || there {
		return name, err
	}
	making := name + "_making"
	for _, statement := range []string{"DROP DATABASE IF EXISTS " + making, "CREATE DATABASE " + making + " TEMPLATE template0"} {
		if _, err := conn.Exec(ctx, statement); err != nil {
			return "", err
		}
	}
	dsn, err := inDatabase(admin, making)
	if err != nil {
		return "", err
	}
	if err := migrate(dsn); err != nil {
		return "", err
	}
	_, err = conn.Exec(ctx, "ALTER DATABASE "+making+" RENAME TO "+name)
	return name, err
}

func templateName() (string, error) {
	sum := sha256.New()
	// Partitions are made for the current month, so a template does not outlive it.
	fmt.Fprint(sum, time.Now().UTC().Format("2006-01"))
	err := fs.WalkDir(migrations.Files(), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := fs.ReadFile(migrations.Files(), path)
		fmt.Fprint(sum, path, len(text))
		sum.Write(text)
		return err
	})
	return fmt.Sprintf("lnsgate_template_%x", sum.Sum(nil)[:6]), err
}

func migrate(dsn string) error {
	cfg, err := pgx.ParseConfig(dsn)
	if err != nil {
		return err
	}
	_, err = migrations.Migrate(context.Background(), cfg, slog.New(slog.DiscardHandler))
	return err
}

// create makes a database that lives as long as the test.
func create(t TestingT, template string) string {
	t.Helper()
	name := fmt.Sprintf("lnsgate_test_%d_%d", os.Getpid(), shared.count.Add(1))
	if err := execute(shared.admin, "CREATE DATABASE "+name+" TEMPLATE "+template); err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	t.Cleanup(func() {
		if err := execute(shared.admin, "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			t.Errorf("pgtest: %v", err)
		}
	})
	dsn, err := inDatabase(shared.admin, name)
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	return dsn
}

func execute(dsn, statement string) error {
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, statement)
	return err
}

func with(t TestingT, dsn string, change func(*pgx.ConnConfig)) string {
	t.Helper()
	cfg, err := pgx.ParseConfig(dsn)
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	change(cfg)
	return write(cfg)
}

func inDatabase(dsn, database string) (string, error) {
	cfg, err := pgx.ParseConfig(dsn)
	if err != nil {
		return "", err
	}
	cfg.Database = database
	return write(cfg), nil
}

// write turns what pgx read back into an address.
func write(c *pgx.ConnConfig) string {
	quote := strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace
	dsn := fmt.Sprintf("host='%s' port=%d user='%s' dbname='%s'", quote(c.Host), c.Port, quote(c.User), quote(c.Database))
	if c.Password != "" {
		dsn += fmt.Sprintf(" password='%s'", quote(c.Password))
	}
	if c.TLSConfig == nil {
		dsn += " sslmode=disable"
	}
	return dsn
}
