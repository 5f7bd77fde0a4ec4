// Package migrations holds the PostgreSQL schema of lnsgate and brings a database up to it. sql/00001_types.sql begins
// with a map of the tables; every table and column has a comment in the database itself.
//
// It does not read or write what the tables hold, and it never goes back to an older schema.
package migrations
