package lns

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// What strangers can make us log: this many lines at once, and this many per second in the long run.
const (
	chatterBurst = 50
	chatterRate  = 5
)

// chatter lets the events that a stranger can cause into the log, a few each second: a flood must not fill the disk, nor push
// out what the administrator looks for. It is safe for concurrent use.
type chatter struct {
	mu         sync.Mutex // guards all below
	tokens     float64
	last       time.Time
	suppressed uint64
}

// warn logs a line, or counts it as left out.
func (c *chatter) warn(log *slog.Logger, message string, args ...any) {
	now := time.Now()
	c.mu.Lock()
	if c.last.IsZero() {
		c.tokens, c.last = chatterBurst, now
	}
	c.tokens = min(chatterBurst, c.tokens+now.Sub(c.last).Seconds()*chatterRate)
	c.last = now
	if c.tokens < 1 {
		c.suppressed++
		c.mu.Unlock()
		return
	}
	c.tokens--
	left := c.suppressed
	c.suppressed = 0
	c.mu.Unlock()
	if left > 0 {
		args = append(args, "lines_left_out_before", left)
	}
	log.Log(context.Background(), slog.LevelWarn, message, args...)
}
