package main

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
)

// show runs lnsgate show sessions as somebody at the console does, and counts the lines, with that of the head.
func (w *world) show(ctx context.Context) (int, error) {
	var said bytes.Buffer
	c := exec.CommandContext(ctx, w.program, "show", "sessions", "--socket", w.socket())
	c.Stderr = &said // that there are more
	out, err := c.Output()
	if err != nil {
		return 0, fmt.Errorf("%w\n%s", err, &said)
	}
	return bytes.Count(out, []byte("\n")), nil
}
