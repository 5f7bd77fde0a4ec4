package pgtest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// Standby starts a second server for this test that follows s by streaming replication and answers questions that only
// read. It has what s has, up to a moment ago.
func (s *Server) Standby() *Server {
	s.t.Helper()
	standby, err := startServer(s.programs, s.settings, func(standby *Server) error {
		return s.programs.run(standby.folder, "pg_basebackup", "--pgdata="+standby.data(), "--host="+s.folder, "--username="+superuser,
			"--write-recovery-conf", "--checkpoint=fast", "--no-sync")
	})
	s.check(err)
	standby.t = s.t
	s.t.Cleanup(standby.remove)
	return standby
}

// Replicated waits until the standby of s has whatever was committed before.
func (s *Server) Replicated() {
	s.t.Helper()
	s.check(s.replicated())
}

func (s *Server) replicated() error {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.DSN("postgres"))
	if err != nil {
		return err
	}
	defer conn.Close(context.Background()) //nolint:errcheck // nothing was written
	var now string
	if err := conn.QueryRow(ctx, "SELECT pg_current_wal_lsn()::text").Scan(&now); err != nil {
		return err
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		var there bool
		if err := conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_stat_replication WHERE replay_lsn >= $1::text::pg_lsn)", now).Scan(&there); err != nil || there {
			return err
		}
		select {
		case <-ctx.Done():
			return errors.New("the standby does not keep up")
		case <-tick.C:
		}
	}
}

// Promote makes a standby the primary, as an administrator or a cluster manager does after the old one is gone.
func (s *Server) Promote() {
	s.t.Helper()
	s.check(s.programs.run(s.folder, "pg_ctl", "promote", "--pgdata="+s.data(), "--wait", "--timeout=60"))
}

// Failover is the address of a database of whichever of these servers is the primary.
func Failover(database string, servers ...*Server) string {
	var hosts, ports []string
	for _, s := range servers {
		hosts, ports = append(hosts, s.folder), append(ports, "5432")
	}
	return fmt.Sprintf("host=%s port=%s user=%s dbname=%s sslmode=disable target_session_attrs=read-write",
		strings.Join(hosts, ","), strings.Join(ports, ","), superuser, database)
}
