// Package postgres keeps accounts, domains and the count of sessions in PostgreSQL, shared by any number of nodes.
//
// Backend checks a login with one indexed query, which it shares with those who log in at the same moment, or with none if
// the account logged in lately and a Watcher vouches that it has not changed since, and asks for near misses only after a
// no. It also reads what a Gateway is made of (Domains) and who may ask by RADIUS (NASes). Watcher tells within a moment what
// changed, Sealer takes clear passwords and secrets out of the tables, Registry counts sessions over all nodes, Attempts
// writes what came of logins. Recorder writes what comes of sessions, and
// ForeignSessions knows those that other NASes carry and what their NASes are to be told.
//
// It does not choose a domain or merge grants (aaa), does not hash or seal by itself (aaa/secret), does not give out an
// address (pool/postgres) and does not make the schema (migrations). It holds no clear password in memory, and a bounded
// number of accounts: a change of a row counts within a second, and a million accounts cost no more than ten thousand.
package postgres
