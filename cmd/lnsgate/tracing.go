package main

import (
	"fmt"
	"time"

	"lnsgate/configs"
	"lnsgate/lns/recorder"
)

// openTracing makes the recorder, which has what is older, and what other nodes have seen, from the database.
func (n *node) openTracing(c *configs.Config) error {
	config := recorder.Config{
		Node:   c.Node,
		Prefix: fmt.Sprintf("%s-%x-", c.Node, time.Now().UnixMilli()),
		Octets: int(c.Trace.Memory),
	}
	n.recorder = recorder.New(config)
	return nil
}
