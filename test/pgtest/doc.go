// Package pgtest gives tests a real PostgreSQL server: one for each test binary, made of the server programs of this
// machine, with one database for each test that already has the schema of lnsgate.
//
//	func TestMain(m *testing.M) { pgtest.Main(m) }
//
//	func TestSomething(t *testing.T) {
//		db := pgtest.New(t)
//		...
//	}
//
// The server refuses to run as root, so it runs as the user postgres, or nobody. It listens on a unix socket in a
// folder of its own; a watcher ends it and removes the folder when the test binary is gone, however it went. With
// LNSGATE_TEST_DATABASE set to the address of a superuser, that server is used instead; LNSGATE_TEST_PG_BIN names the folder
// of other server programs (initdb, pg_ctl, postgres, and pg_basebackup for a Standby), such as those of another version:
//
//	LNSGATE_TEST_PG_BIN=/opt/postgresql-18/bin go test ./migrations ./aaa/postgres ./pool/postgres
//
// Cluster gives a test a server of its own that it may stop, crash, and let a Standby follow; Pooler puts PgBouncer before
// a database.
//
// It does not stand in for the server: what a test sees is what PostgreSQL does. No test may count on rows of another.
package pgtest
