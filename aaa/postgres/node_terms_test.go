package postgres

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"
)

// logged keeps what is said.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func TestNodesWithAnotherLeaseLifeAreNamed(t *testing.T) {
	pool := sharedPool(t)
	ctx := context.Background()
	run(t, pool, `INSERT INTO nodes (name, heartbeat_at, lease_life) VALUES ('alike', now(), '4 h'), ('dead', now() - interval '1 h', '1 h'), ('mute', now(), NULL)`)
	said := &logged{}
	node := NewNode(pool, NodeConfig{Name: "n1", LeaseLife: 4 * time.Hour, Log: slog.New(slog.NewTextHandler(said, nil))})
	stop := background(t, node.Run)
	until(t, "it is written down", 10*time.Second, func() bool {
		return one[int](t, pool, `SELECT count(*) FROM nodes WHERE name = 'n1' AND lease_life = '4 h'`) == 1
	})
	stop()
	if text := said.String(); text != "" {
		t.Errorf("said: %s", text)
	}
	run(t, pool, `INSERT INTO nodes (name, lease_life) VALUES ('long', '8 h'), ('short', '90 min')`)
	for range 2 {
		node.compare(ctx)
	}
	if text := said.String(); strings.Count(text, "level=WARN") != 1 || !strings.Contains(text, `here=4h0m0s others="long 8h0m0s, short 1h30m0s"`) || !strings.Contains(text, "database.lease_life") {
		t.Errorf("said: %s", text)
	}
	run(t, pool, `DELETE FROM nodes WHERE name = 'long'`)
	if node.compare(ctx); strings.Count(said.String(), "level=WARN") != 2 {
		t.Errorf("said: %s", said)
	}
	if others, err := OtherLeaseLives(ctx, pool, "short", 4*time.Hour); err != nil || len(others) != 0 {
		t.Errorf("but for itself: %v %v", others, err)
	}
}
