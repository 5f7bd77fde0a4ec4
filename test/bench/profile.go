package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/pprof"
	"strconv"
	"strings"
)

// profiledHere runs f while this process profiles itself and perf records what PostgreSQL does, if profiles are wanted.
func (b *bench) profiledHere(label string, d *sqlDatabase, f func() error) (err error) {
	if b.profile == "" {
		return f()
	}
	if err := os.MkdirAll(b.profile, 0o755); err != nil {
		return err
	}
	file, err := os.Create(filepath.Join(b.profile, label+".pprof"))
	if err != nil {
		return err
	}
	defer file.Close()
	pids, err := d.processes()
	if err != nil {
		return err
	}
	recording := filepath.Join(b.profile, label+"-postgres.perf")
	perf := exec.Command("perf", "record", "-q", "-F", "499", "-g", "-o", recording, "-p", pids)
	if err := perf.Start(); err != nil {
		return err
	}
	defer func() {
		perf.Process.Signal(os.Interrupt)
		perf.Wait() // an interrupted perf tells so by its exit code
		err = errors.Join(err, report(context.Background(), recording))
	}()
	if err := pprof.StartCPUProfile(file); err != nil {
		return err
	}
	defer pprof.StopCPUProfile()
	return f()
}

// report writes what a recording of perf tells beside it, as text.
func report(ctx context.Context, recording string) error {
	text, err := exec.CommandContext(ctx, "perf", "report", "-i", recording, "--stdio", "--no-children", "-g", "none").Output()
	if err != nil {
		return fmt.Errorf("perf report: %w", err)
	}
	return os.WriteFile(strings.TrimSuffix(recording, ".perf")+".txt", text, 0o644)
}

// profiled runs f while perf records what the server does, if profiles are wanted. The report lies beside the recording.
func (b *bench) profiled(ctx context.Context, w *world, s *process, label string, f func() error) error {
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
	return report(ctx, recording)
}
