package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"lnsgate/lns/host/netns"
)

// patience is how long something may take that normally takes no time.
const patience = 30 * time.Second

// process is a running program whose output goes to a file.
type process struct {
	command *exec.Cmd
	output  string // path of what it writes to standard output
	errors  string // path of what it writes to standard error
	done    chan struct{}
}

// start runs a program inside a namespace, or where this program runs. Whatever still runs at the end of the run is killed.
func (w *world) start(n *netns.Namespace, label, name string, args ...string) (*process, error) {
	w.started++
	label = fmt.Sprintf("%d-%s", w.started, label)
	p := &process{
		command: exec.Command(name, args...), done: make(chan struct{}),
		output: filepath.Join(w.folder, label+".out"), errors: filepath.Join(w.folder, label+".err"),
	}
	p.command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // l2tpns ends all of its group with itself
	stdout, err := os.Create(p.output)
	if err != nil {
		return nil, err
	}
	defer stdout.Close()
	stderr, err := os.Create(p.errors)
	if err != nil {
		return nil, err
	}
	defer stderr.Close()
	p.command.Stdout, p.command.Stderr = stdout, stderr
	begin := p.command.Start
	if n != nil {
		begin = func() error { return n.Start(p.command) }
	}
	if err := begin(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	w.processes = append(w.processes, p)
	go func() {
		defer close(p.done)
		p.command.Wait() // the outcome stays in ProcessState
	}()
	return p, nil
}

// wait waits for the program to end well.
func (p *process) wait(ctx context.Context) error {
	select {
	case <-p.done:
	case <-ctx.Done():
		return ctx.Err()
	}
	if !p.command.ProcessState.Success() {
		return fmt.Errorf("%s: %s\n%s", p.command, p.command.ProcessState, p.said())
	}
	return nil
}

// interrupt asks the program to end and waits until it has.
func (p *process) interrupt(ctx context.Context) error {
	if err := p.command.Process.Signal(syscall.SIGINT); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	bounded, cancel := context.WithTimeout(ctx, 2*patience)
	defer cancel()
	select {
	case <-p.done:
		return nil
	case <-bounded.Done():
		return fmt.Errorf("%s does not end: %w", p.command, bounded.Err())
	}
}

// kill ends the program at once.
func (p *process) kill() {
	p.command.Process.Kill() // one that has ended does not mind
	<-p.done
}

func (p *process) running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

func (p *process) pid() int { return p.command.Process.Pid }

// said is the end of what the program wrote.
func (p *process) said() string {
	const most = 2000
	var text []byte
	for _, path := range []string{p.output, p.errors} {
		written, err := os.ReadFile(path)
		if err != nil {
			written = []byte(err.Error())
		}
		text = append(text, written[max(0, len(written)-most):]...)
	}
	return string(text)
}

// until asks again and again until the condition holds or fails.
func until(ctx context.Context, what string, condition func() (bool, error)) error {
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		if done, err := condition(); done || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting until %s: %w", what, ctx.Err())
		case <-again.C:
		}
	}
}

// pass waits for a while.
func pass(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
