package pgtest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// victim makes this test binary a process that starts a server and is killed.
const victim = "LNSGATE_PGTEST_VICTIM"

func TestMain(m *testing.M) {
	if os.Getenv(victim) != "" {
		beVictim()
	}
	Main(m)
}

func beVictim() {
	found, err := findPrograms()
	if err != nil {
		panic(err)
	}
	s, err := newServer(found, nil)
	if err != nil {
		panic(err)
	}
	pid, err := s.pid()
	fmt.Println(s.folder, pid, err)
	select {}
}

func one[T any](t *testing.T, db *pgxpool.Pool, query string, args ...any) T {
	t.Helper()
	var v T
	if err := db.QueryRow(context.Background(), query, args...).Scan(&v); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return v
}

func do(t *testing.T, db *pgxpool.Pool, statement string) {
	t.Helper()
	if _, err := db.Exec(context.Background(), statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

func TestEachTestHasADatabaseOfItsOwn(t *testing.T) {
	first, second := New(t), New(t)
	do(t, first, "INSERT INTO domains(name) VALUES ('a')")
	if n := one[int](t, second, "SELECT count(*) FROM domains"); n != 0 {
		t.Errorf("the second database has %d domains", n)
	}
	if v := one[string](t, first, "SHOW server_version_num"); v < "150000" {
		t.Errorf("server version %s", v)
	}
}

func TestDatabaseGoesWithTheTest(t *testing.T) {
	var name string
	t.Run("inner", func(t *testing.T) { name = one[string](t, New(t), "SELECT current_database()") })
	if one[bool](t, New(t), "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", name) {
		t.Errorf("database %s is still there", name)
	}
}

func TestEmptyHasNoSchema(t *testing.T) {
	db := connect(t, Empty(t))
	if n := one[int](t, db, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"); n != 0 {
		t.Errorf("%d tables", n)
	}
}

func TestAsChangesTheUser(t *testing.T) {
	dsn := DSN(t)
	do(t, connect(t, dsn), "DROP ROLE IF EXISTS pgtest_somebody; CREATE ROLE pgtest_somebody LOGIN")
	t.Cleanup(func() { do(t, connect(t, dsn), "DROP ROLE pgtest_somebody") })
	if who := one[string](t, connect(t, As(t, dsn, "pgtest_somebody")), "SELECT session_user"); who != "pgtest_somebody" {
		t.Errorf("connected as %s", who)
	}
}

func TestAddressSurvivesWriting(t *testing.T) {
	for _, dsn := range []string{
		"host=/tmp/x user=a dbname=b sslmode=disable",
		`host=h port=99 user='o\'neil' password='a b\\c' dbname=b sslmode=disable`,
	} {
		want, err := pgx.ParseConfig(dsn)
		if err != nil {
			t.Fatal(err)
		}
		got, err := pgx.ParseConfig(write(want))
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range [][2]any{{got.Host, want.Host}, {got.Port, want.Port}, {got.User, want.User}, {got.Password, want.Password}, {got.Database, want.Database}} {
			if c[0] != c[1] {
				t.Errorf("%s: got %v, want %v", dsn, c[0], c[1])
			}
		}
	}
}

func TestClusterGoesAndComesBack(t *testing.T) {
	t.Parallel()
	s := Cluster(t, "max_connections=17")
	db := s.New()
	ping := func() error { return db.Ping(context.Background()) }
	if v := one[string](t, db, "SHOW max_connections"); v != "17" {
		t.Errorf("max_connections = %s", v)
	}
	if v := one[string](t, db, "SHOW fsync"); v != "on" {
		t.Errorf("fsync = %s", v)
	}
	do(t, db, "INSERT INTO domains(name) VALUES ('before')")
	s.Stop()
	if ping() == nil {
		t.Error("a stopped server answers")
	}
	s.Start()
	do(t, db, "INSERT INTO domains(name) VALUES ('between')")
	s.Crash()
	if ping() == nil {
		t.Error("a crashed server answers")
	}
	s.Start()
	do(t, db, "INSERT INTO domains(name) VALUES ('after')")
	s.Restart()
	db.Reset() // its connections do not know yet that the server went
	if n := one[int](t, db, "SELECT count(*) FROM domains"); n != 3 {
		t.Errorf("%d domains after crash and restart, want 3", n)
	}
}

// Through the pooler the next transaction is on another connection to the server.
func TestPoolerGivesEachTransactionAnotherServerConnection(t *testing.T) {
	t.Parallel()
	dsn := DSN(t)
	do(t, connect(t, dsn), "INSERT INTO domains(name) VALUES ('here')")
	conn, err := pgx.Connect(context.Background(), Pooler(t, dsn))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background()) //nolint:errcheck // the test is over
	other, err := pgx.Connect(context.Background(), conn.Config().ConnString())
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close(context.Background()) //nolint:errcheck // the test is over
	tx, err := other.Begin(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	seen := make(map[int]bool)
	for range 4 {
		var pid, domains int
		for _, c := range []interface {
			QueryRow(context.Context, string, ...any) pgx.Row
		}{conn, tx} {
			if err := c.QueryRow(context.Background(), "SELECT pg_backend_pid(), (SELECT count(*) FROM domains)", pgx.QueryExecModeExec).Scan(&pid, &domains); err != nil || domains != 1 {
				t.Fatal(domains, err)
			}
			seen[pid] = true
		}
		if err := tx.Commit(context.Background()); err != nil {
			t.Fatal(err)
		}
		if tx, err = other.Begin(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	if len(seen) < 2 {
		t.Errorf("all transactions were on one connection")
	}
}

func TestPoolerGoesWithTheTest(t *testing.T) {
	t.Parallel()
	var dsn string
	t.Run("inner", func(t *testing.T) { dsn = Pooler(t, DSN(t)) })
	cfg, err := pgx.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(cfg.Host); !os.IsNotExist(err) {
		t.Errorf("%s is still there: %v", cfg.Host, err)
	}
}

func TestStandbyFollowsAndTakesOver(t *testing.T) {
	t.Parallel()
	first := Cluster(t)
	db := first.New()
	second := first.Standby()
	all := connect(t, Failover("lnsgate", second, first))
	do(t, db, "INSERT INTO domains(name) VALUES ('kept')")
	first.Replicated()
	if n := one[int](t, connect(t, second.DSN("lnsgate")), "SELECT count(*) FROM domains"); n != 1 {
		t.Errorf("%d domains at the standby", n)
	}
	first.Crash()
	second.Promote()
	all.Reset()
	do(t, all, "INSERT INTO domains(name) VALUES ('new')")
	if n := one[int](t, all, "SELECT count(*) FROM domains"); n != 2 {
		t.Errorf("%d domains after the change", n)
	}
}

func TestClusterGoesWithTheTest(t *testing.T) {
	t.Parallel()
	var folder string
	t.Run("inner", func(t *testing.T) { folder = Cluster(t).folder })
	if _, err := os.Stat(folder); !os.IsNotExist(err) {
		t.Errorf("%s is still there: %v", folder, err)
	}
}

func TestServerGoesWhenTheTestBinaryIsKilled(t *testing.T) {
	t.Parallel()
	_, err := findPrograms()
	require(t, err)
	cmd := exec.Command(os.Args[0])
	cmd.Env, cmd.Stderr = append(os.Environ(), victim+"=1"), os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, readErr := bufio.NewReader(out).ReadString('\n')
	if err := errors.Join(readErr, cmd.Process.Kill()); err != nil {
		t.Fatal(err)
	}
	cmd.Wait() //nolint:errcheck // it was killed
	var folder string
	var pid int
	if _, err := fmt.Sscan(strings.TrimSuffix(line, " <nil>\n"), &folder, &pid); err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	gone := func() bool {
		_, err := os.Stat(folder)
		return os.IsNotExist(err) && errors.Is(syscall.Kill(pid, 0), syscall.ESRCH)
	}
	deadline := time.After(20 * time.Second)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !gone() {
		select {
		case <-deadline:
			t.Fatalf("server %d or folder %s is still there", pid, folder)
		case <-tick.C:
		}
	}
}

// told records what a test is told.
type told struct {
	TestingT
	what string
}

func (f *told) Helper()                           {}
func (f *told) Skipf(format string, args ...any)  { f.what = "skip: " + fmt.Sprintf(format, args...) }
func (f *told) Fatalf(format string, args ...any) { f.what = "fatal: " + fmt.Sprintf(format, args...) }

func TestOtherProgramsMayBeNamed(t *testing.T) {
	folder := t.TempDir()
	t.Setenv(programsVariable, folder)
	if _, err := findPrograms(); err == nil || !strings.Contains(err.Error(), programsVariable) {
		t.Errorf("there are none: %v", err)
	}
	if err := os.WriteFile(filepath.Join(folder, "initdb"), nil, 0o700); err != nil {
		t.Fatal(err)
	}
	if found, err := findPrograms(); err != nil || found.folder != folder {
		t.Errorf("%+v %v", found, err)
	}
	if found := Program(t, "initdb"); found != filepath.Join(folder, "initdb") {
		t.Errorf("found %s", found)
	}
	t.Setenv("LNSGATE_TEST_ALL", "")
	f := &told{TestingT: t}
	if Program(f, "pg_dump"); f.what != "skip: needs a PostgreSQL server: there is no "+filepath.Join(folder, "pg_dump") {
		t.Error(f.what)
	}
}

func TestMissingServerSkipsUnlessEverythingMustRun(t *testing.T) {
	missing := &missingError{"there is no initdb"}
	for _, c := range []struct {
		all  string
		err  error
		want string
	}{
		{"", nil, ""},
		{"", missing, "skip: needs a PostgreSQL server: there is no initdb"},
		{"1", missing, "fatal: this test needs a PostgreSQL server, and LNSGATE_TEST_ALL=1 forbids to skip it: there is no initdb"},
		{"", errors.New("disk full"), "fatal: pgtest: disk full"},
		{"1", errors.New("disk full"), "fatal: pgtest: disk full"},
	} {
		t.Setenv("LNSGATE_TEST_ALL", c.all)
		f := &told{}
		if require(f, c.err); f.what != c.want {
			t.Errorf("LNSGATE_TEST_ALL=%q, %v: %q, want %q", c.all, c.err, f.what, c.want)
		}
	}
}
