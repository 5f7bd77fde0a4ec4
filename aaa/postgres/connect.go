package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgxpool"

	"lnsgate/aaa"
)

// Pool is a set of connections to one database, which the rooms that work with it share.
type Pool = pgxpool.Pool

// Connect prepares connections to the database at url, as many as connections at most. It does not wait for the database: the
// first question does. Pooled says that a pooler stands in between, see [Configure]. Its error never shows any of the url.
func Connect(ctx context.Context, url aaa.Secret, connections int, pooled bool) (*Pool, error) {
	settings, err := pgxpool.ParseConfig(url.Reveal())
	if err != nil {
		return nil, errors.New("the address of the database cannot be read")
	}
	settings.MaxConns = int32(connections)
	Configure(settings, pooled)
	p, err := pgxpool.NewWithConfig(ctx, settings)
	if err != nil {
		return nil, fmt.Errorf("prepare connections to the database %s: %w", Address(settings.ConnConfig), err)
	}
	return p, nil
}
