package migrations_test

import "testing"

func TestOldLoginsAreDroppedByMonths(t *testing.T) {
	db := open(t)
	db.do("SELECT make_partitions(0, 6)")
	db.do(`INSERT INTO logins(attempt, at, verdict, name, node)
		SELECT 'a' || n, date_trunc('month', now()) - make_interval(months => n), 'granted', 'a', 'n' FROM generate_series(0, 6) n`)
	db.do("INSERT INTO logins(attempt, at, verdict, name, node) VALUES ('older', now() - interval '5 years', 'granted', 'a', 'n')")
	db.is("8|1", "SELECT count(*), count(*) FILTER (WHERE tableoid = 'logins_other'::regclass) FROM logins")
	db.is("t", "SELECT drop_logins(interval '95 days') BETWEEN 2 AND 3")
	db.is("f|t|t", `SELECT bool_or(attempt IN ('a5', 'a6', 'older')), bool_or(attempt = 'a2'),
		count(*) FILTER (WHERE at >= now() - interval '95 days') >= 3 FROM logins`)
	db.is("0", "SELECT drop_logins(interval '95 days')")
	db.refused(noValue, "", "SELECT drop_logins(interval '1 hour')")
	db.refused(noValue, "", "SELECT drop_logins(NULL)")
}
