package postgres

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"lnsgate/test/pgtest"
)

// A session whose row somebody deleted by hand is found by nobody else when its node dies.
func TestRecordsWithoutASessionAreClosedWhenTheirNodeIsDead(t *testing.T) {
	pool := sharedPool(t)
	addNode(t, pool, "dead", 1, "10 minutes")
	addNode(t, pool, "alive", 2, "0")
	run(t, pool, `INSERT INTO accounting (session, started_at, updated_at, node, epoch, name, account, nas)
		SELECT v.session, now() - interval '1 h', now() - interval '20 min', v.node, v.epoch, 'a', 'a', v.nas FROM (VALUES
		('dead', 'dead', 1, NULL), ('restarted', 'alive', 1, NULL), ('deleted', 'nobody', 1, NULL),
		('alive', 'alive', 2, NULL), ('listed', 'dead', 1, NULL), ('foreign', 'dead', NULL, 'router')) v(session, node, epoch, nas)`)
	run(t, pool, "INSERT INTO sessions (id, node, epoch, name, account, started_at) SELECT session, node, epoch, name, account, started_at FROM accounting WHERE session = 'listed'")
	if n, err := closeOrphans(context.Background(), pool, 5*time.Minute); n != 3 || err != nil {
		t.Errorf("closed %d, %v", n, err)
	}
	if got := one[string](t, pool, "SELECT string_agg(session, ' ' ORDER BY session) FROM accounting WHERE stopped_at = updated_at AND terminate_cause = 'NAS-Reboot'"); got != "dead deleted restarted" {
		t.Errorf("closed: %s", got)
	}
}

// Logins kept for less than a month: what is dropped is not made again the next day.
func TestShortRetentionDropsAMonthOnce(t *testing.T) {
	pool := pgtest.New(t)
	u := Upkeep{DB: pool, Log: quiet, KeepLogins: 24 * time.Hour}
	day := func() string {
		for _, d := range u.duties()[:2] {
			if err := d.do(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		return one[string](t, pool, "SELECT string_agg(c.oid::text, ' ' ORDER BY c.oid) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'logins'::regclass")
	}
	if first, second := day(), day(); first != second {
		t.Errorf("partitions %s, and a day later %s", first, second)
	}
	dropped := one[bool](t, pool, "SELECT to_regclass('logins_' || to_char(now() AT TIME ZONE 'UTC' - interval '1 month', 'YYYY_MM')) IS NULL")
	if due := one[bool](t, pool, "SELECT date_trunc('month', now() AT TIME ZONE 'UTC') <= now() AT TIME ZONE 'UTC' - interval '24 h'"); dropped != due {
		t.Errorf("the month before is dropped: %v, want %v", dropped, due)
	}
}

// A duty that fails stops no other.
func TestDutiesDoNotWaitForEachOther(t *testing.T) {
	pool := pgtest.New(t)
	run(t, pool, "ALTER FUNCTION make_partitions(integer, integer) RENAME TO not_now; ALTER FUNCTION drop_logins(interval) RENAME TO not_now")
	addNode(t, pool, "n1", 1, "10 minutes")
	run(t, pool, `INSERT INTO accounting (session, started_at, updated_at, node, epoch, name, account) VALUES ('s', now() - interval '1 h', now() - interval '1 h', 'gone', 1, 'a', 'a');
		INSERT INTO sessions (id, node, epoch, name, account, started_at, updated_at) SELECT session, node, epoch, name, account, started_at, updated_at FROM accounting`)
	log := new(strings.Builder)
	stop := background(t, func(ctx context.Context) {
		err := Upkeep{DB: pool, Log: slog.New(slog.NewTextHandler(log, nil)), KeepLogins: 24 * time.Hour, Retry: 10 * time.Millisecond}.Run(ctx)
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	until(t, "the session of a deleted node is closed", 30*time.Second, func() bool {
		return one[int](t, pool, "SELECT count(*) FROM accounting WHERE stopped_at IS NULL") == 0
	})
	stop()
	for _, duty := range []string{"make the partitions", "drop old months"} {
		if !strings.Contains(log.String(), duty) {
			t.Errorf("the log says nothing of %q:\n%s", duty, log)
		}
	}
}
