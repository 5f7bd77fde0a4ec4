package pgtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// poolerPort names the socket in the folder of a pooler. Nothing listens on a port.
const poolerPort = 6432

// Pooler starts PgBouncer in transaction mode before the database at this address, and returns the address of the same
// database through it. Each transaction gets the connection to the server that was used the longest ago, so what one
// leaves behind is not there for the next. Settings are those of pgbouncer.ini. The pooler is gone when the test ends.
func Pooler(t TestingT, dsn string, settings ...string) string {
	t.Helper()
	found, err := findPrograms()
	require(t, err)
	program, err := findPooler()
	require(t, err)
	cfg, err := pgx.ParseConfig(dsn)
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	folder, err := os.MkdirTemp("", "lnsgate-pgbouncer-")
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	stop, err := startPooler(found, program, folder, poolerConfig(cfg, folder, settings))
	t.Cleanup(stop)
	through := cfg.Copy()
	through.Host, through.Port, through.TLSConfig, through.Password = folder, poolerPort, nil, ""
	if err == nil {
		err = answers(write(through))
	}
	if err != nil {
		log, _ := os.ReadFile(filepath.Join(folder, "log"))
		t.Fatalf("pgtest: pgbouncer: %v\n%s", err, log)
	}
	return write(through)
}

func findPooler() (string, error) {
	for _, name := range []string{"pgbouncer", "/usr/sbin/pgbouncer"} { // Debian keeps it out of PATH
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", &missingError{"there is no pgbouncer: install the package pgbouncer"}
}

func poolerConfig(cfg *pgx.ConnConfig, folder string, settings []string) string {
	quote := func(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }
	server := fmt.Sprintf("host=%s port=%d user=%s dbname=%s", quote(cfg.Host), cfg.Port, quote(cfg.User), quote(cfg.Database))
	if cfg.Password != "" {
		server += " password=" + quote(cfg.Password)
	}
	return "[databases]\n" + cfg.Database + " = " + server + "\n[pgbouncer]\n" + strings.Join(append([]string{
		"pool_mode = transaction", "server_round_robin = 1", "default_pool_size = 8",
		"auth_type = any", "unix_socket_dir = " + folder, fmt.Sprint("listen_port = ", poolerPort), "listen_addr =",
		"logfile = " + filepath.Join(folder, "log"),
	}, settings...), "\n") + "\n"
}

// startPooler runs it under a shell that ends it, and removes the folder, once we close its input or die.
func startPooler(found programs, program, folder, config string) (stop func(), err error) {
	remove := func() { os.RemoveAll(folder) }
	file := filepath.Join(folder, "ini")
	if err := errors.Join(os.WriteFile(file, []byte(config), 0o644), found.own(folder)); err != nil {
		return remove, err
	}
	cmd := exec.Command("/bin/sh", "-c", `trap "" INT TERM HUP
"$0" -q "$1/ini" </dev/null & p=$!
read _
kill -KILL $p; wait $p; rm -rf "$1"`, program, folder)
	cmd.Dir, cmd.SysProcAttr = "/", &syscall.SysProcAttr{Credential: found.user, Setsid: true}
	leash, err := cmd.StdinPipe()
	if err != nil {
		return remove, err
	}
	if err := cmd.Start(); err != nil {
		return remove, err
	}
	return func() {
		leash.Close()
		cmd.Wait() //nolint:errcheck // it has nothing to tell
	}, nil
}

// answers waits until a server answers at the address.
func answers(dsn string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		conn, err := pgx.Connect(ctx, dsn)
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-ctx.Done():
			return err
		case <-tick.C:
		}
	}
}
