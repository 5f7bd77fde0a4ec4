package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
)

// profiled runs f while perf records what the server does, if profiles are wanted. The report lies beside the recording.
func (b *bench) profiled(ctx context.Context, w *world, s *server, label string, f func() error) error {
	if b.profile == "" {
		return f()
	}
	if err := os.MkdirAll(b.profile, 0o755); err != nil {
		return err
	}
	recording := filepath.Join(b.profile, label+".perf")
	p, err := w.start(w.lns, "perf", "perf", "record", "-q", "-F", "997", "-g", "-o", recording, "-p", strconv.Itoa(s.pid()))
	if err != nil {
		return err
	}
	if err := f(); err != nil {
		return err
	}
	if err := p.interrupt(ctx); err != nil {
		return err
	}
	report, err := exec.CommandContext(ctx, "perf", "report", "-i", recording, "--stdio", "--no-children", "-g", "none").Output()
	if err != nil {
		return fmt.Errorf("perf report: %w\n%s", err, p.said())
	}
	return os.WriteFile(filepath.Join(b.profile, label+".txt"), report, 0o644)
}
