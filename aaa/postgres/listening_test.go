package postgres

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"lnsgate/test/pgtest"
)

func TestAPoolerIsDeaf(t *testing.T) {
	dsn := pgtest.DSN(t)
	through := pgtest.Pooler(t, dsn)
	direct, pooled, admin := openPool(t, dsn, false), openPool(t, through, true), adminAt(t, dsn)
	ctx := context.Background()
	var all sync.WaitGroup
	for what, test := range map[string]struct {
		at   string
		via  Announcer
		deaf bool
	}{
		"the server itself":                  {dsn, direct, false},
		"an administrator at the server":     {dsn, admin.Conn(), false},
		"announced through the pooler":       {dsn, pooled, false},
		"listening through the pooler":       {through, direct, true},
		"both through the pooler":            {through, pooled, true},
		"a pooler that keeps the connection": {pgtest.Pooler(t, dsn, "pool_mode = session"), direct, false},
		"another database":                   {pgtest.DSN(t), direct, true},
	} {
		at := connectConfig(t, test.at)
		all.Go(func() { // silence takes its time
			err := CheckListening(ctx, at, test.via)
			if errors.Is(err, ErrDeaf) != test.deaf || (err != nil) != test.deaf {
				t.Errorf("%s: %v", what, err)
			}
		})
	}
	all.Wait()
	err := CheckListening(ctx, connectConfig(t, "host=127.0.0.1 port=1 user=u password=geheim dbname=d sslmode=disable"), direct)
	if err == nil || errors.Is(err, ErrDeaf) || !strings.Contains(err.Error(), "is PostgreSQL running there") || strings.Contains(err.Error(), "geheim") {
		t.Error(err)
	}
}
