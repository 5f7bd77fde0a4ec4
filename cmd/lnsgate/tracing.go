package main

import (
	"fmt"
	"time"

	sqlaccounts "lnsgate/aaa/postgres"
	"lnsgate/configs"
	"lnsgate/lns/recorder"
)

// archiveTimeout is how long the database may look for attempts.
const archiveTimeout = 8 * time.Second

// openTracing makes the recorder, unless there is to be none, which has what is older, and what other nodes have seen, from the database.
func (n *node) openTracing(c *configs.Config) error {
	config := recorder.Config{
		Node:   c.Node,
		Prefix: fmt.Sprintf("%s-%x-", c.Node, time.Now().UnixMilli()),
		Octets: int(c.Trace.Memory),
	}
	if n.db != nil {
		n.db.attempts.Keep(sqlaccounts.Which(c.Trace.Rows), sqlaccounts.Which(c.Trace.Steps))
		config.Archive = archive{sqlaccounts.NewAttemptBook(n.db.pool, archiveTimeout)}
	}
	if c.Trace.Memory > 0 {
		n.recorder = recorder.New(config)
	}
	return nil
}
