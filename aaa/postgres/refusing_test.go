package postgres

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sys/unix"

	"lnsgate/aaa"
	"lnsgate/test/pgtest"
)

// dataFolder is where a server keeps its files, and whose they are.
func dataFolder(t *testing.T, pool *pgxpool.Pool) (folder string, owner int) {
	t.Helper()
	folder = one[string](t, pool, "SHOW data_directory")
	info, err := os.Stat(folder)
	if err != nil {
		t.Fatal(err)
	}
	return folder, int(info.Sys().(*syscall.Stat_t).Uid)
}

// refusedBy wants a login to be rejected in time, for a reason of the server that the administrator can read.
func refusedBy(t *testing.T, code string, ask func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	began := time.Now()
	err := ask(ctx)
	if took := time.Since(began); took > 2500*time.Millisecond {
		t.Errorf("rejected after %s", took)
	}
	var no *aaa.Rejection
	if !errors.As(err, &no) || !no.Retryable() || !strings.Contains(no.Detail, code) || !strings.Contains(no.Detail, "database ") {
		t.Errorf("want %s in %v", code, err)
	}
}

// A server whose disk is full answers questions and takes nothing down. Who needs to be counted cannot log in, all others can.
func TestLoginsWhileTheDiskIsFull(t *testing.T) {
	server := pgtest.Cluster(t, "fsync=off")
	pool := server.New()
	data, owner := dataFolder(t, pool)
	folder := filepath.Join(filepath.Dir(data), "tiny")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", folder, "tmpfs", 0, "size=1m"); err != nil {
		if os.Getenv("LNSGATE_TEST_ALL") == "1" {
			t.Fatalf("mount: %v", err)
		}
		t.Skipf("needs the right to mount (CAP_SYS_ADMIN): %v", err)
	}
	t.Cleanup(func() { unix.Unmount(folder, unix.MNT_DETACH) }) //nolint:errcheck // the folder goes in any case
	if err := os.Chown(folder, owner, -1); err != nil {
		t.Fatal(err)
	}
	run(t, pool, `INSERT INTO accounts (name) VALUES ('bob')`)
	run(t, pool, hashed)
	run(t, pool, fmt.Sprintf("CREATE TABLESPACE tiny LOCATION '%s'", folder))
	run(t, pool, "ALTER TABLE session_slots SET TABLESPACE tiny")
	node := openPool(t, server.DSN("lnsgate"), false)
	b, r := New(node, Config{Timeout: 2 * time.Second}), joined(t, node, "n1")
	ballast, err := os.Create(filepath.Join(folder, "ballast"))
	for err == nil {
		_, err = ballast.Write(make([]byte, 4096))
	}
	ballast.Close()
	enter := func(ctx context.Context) error { return r.Enter(ctx, entry("s1", "bob", "", 1, 0, aaa.RefuseNew)) }
	for range 3 {
		refusedBy(t, "53100", enter)
		if _, err := b.Authenticate(context.Background(), queryPAP("bob", "x")); err != nil {
			t.Errorf("a login that writes nothing: %v", err)
		}
	}
	if len(r.doubts) != 0 {
		t.Errorf("what the server refused is in doubt: %v", r.doubts)
	}
	if err := unix.Mount("tmpfs", folder, "tmpfs", unix.MS_REMOUNT, "size=64m"); err != nil {
		t.Fatal(err)
	}
	if err := enter(context.Background()); err != nil {
		t.Errorf("with room on the disk: %v", err)
	}
}

// A server that is in recovery, and takes nobody in before it is over.
func TestLoginsWhileTheServerRecovers(t *testing.T) {
	server := pgtest.Cluster(t, "fsync=off", "hot_standby=off")
	pool := server.New()
	run(t, pool, `INSERT INTO accounts (name) VALUES ('bob')`)
	run(t, pool, hashed)
	data, owner := dataFolder(t, pool)
	node := openPool(t, server.DSN("lnsgate"), false)
	b, r := New(node, Config{Timeout: 2 * time.Second}), joined(t, node, "n1")
	login := func(ctx context.Context) error {
		_, err := b.Authenticate(ctx, queryPAP("bob", "x"))
		return err
	}
	if err := login(context.Background()); err != nil {
		t.Fatal(err)
	}
	server.Stop()
	signal := filepath.Join(data, "standby.signal")
	if err := errors.Join(os.WriteFile(signal, nil, 0o600), os.Chown(signal, owner, -1)); err != nil {
		t.Fatal(err)
	}
	server.Start()
	for range 3 {
		refusedBy(t, "57P03", login)
		refusedBy(t, "57P03", func(ctx context.Context) error { return r.Enter(ctx, entry("s1", "bob", "", 1, 0, aaa.RefuseNew)) })
	}
	server.Promote()
	until(t, "logins work again", 10*time.Second, func() bool { return login(context.Background()) == nil })
	until(t, "sessions are counted again", 10*time.Second, func() bool {
		return r.Enter(context.Background(), entry("s1", "bob", "", 1, 0, aaa.RefuseNew)) == nil
	})
}
