package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"
)

// demoOptions are the flags of demo.
type demoOptions struct {
	json, keep bool
}

func newDemoCommand() *cobra.Command {
	o := &demoOptions{}
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "See it work: client, LNS and headquarters on this machine, in a few seconds",
		Long: `demo builds a client-initiated VPN out of three network namespaces of this machine: a client on the internet, the LNS,
and a server at headquarters. It runs the real lnsgate serve and the real lnsgate dial in them, shows the dialogue of the
login, sends a ping and fetches a web page through the tunnel, tries a wrong password, and takes everything away again.

It needs root and /dev/net/tun. It asks nothing, reads no file, and changes neither routes nor settings of this machine.
The exit code is 0 only if everything worked.`,
		Example: `  sudo lnsgate demo            watch it
  sudo lnsgate demo --keep     leave it running and look around
  sudo lnsgate demo --json     for programs`,
		Args: onlyFlags,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return demo(cmd.Context(), o, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.Flags().BoolVar(&o.json, "json", false, "print one JSON object with the outcome and every step, and nothing else")
	cmd.Flags().BoolVar(&o.keep, "keep", false, "leave it running until interrupted, and print what can be tried")
	return cmd
}

// demo runs the command. For programs the story goes nowhere, and its report to standard output.
func demo(ctx context.Context, o *demoOptions, stdout, stderr io.Writer) error {
	// A terminal that is closed and a reader that has seen enough must not keep us from taking everything away.
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGHUP, syscall.SIGPIPE)
	defer stop()
	story, hints := stdout, stdout
	if o.json {
		story, hints = io.Discard, stderr
	}
	run := &demoRun{tell: newDemoTeller(story), began: time.Now()}
	run.hold = func() error {
		if o.json {
			run.report.print(stdout)
		}
		return run.waitForUser(ctx, hints)
	}
	err := run.play(ctx, o.keep)
	if err == nil {
		run.tell.line("Everything worked, in %.1f seconds.", time.Since(run.began).Seconds())
	}
	if o.json && !run.held {
		run.report.fail(err)
		run.report.print(stdout)
	}
	return err
}

// demoRun is one run of the demo.
type demoRun struct {
	tell   *demoTeller
	report demoReport
	began  time.Time
	hold   func() error // with --keep: tells the user what to try, and returns when it is time to go
	held   bool

	world *demoWorld
	lns   *demoServer
	dial  *demoDialler
}

// play runs the acts one after the other, and leaves nothing behind, however far it came.
func (r *demoRun) play(ctx context.Context, keep bool) (err error) {
	if err := demoPossible(); err != nil {
		return err
	}
	defer func() {
		if ctx.Err() != nil && err != nil {
			err = errors.New("interrupted")
		}
		err = errors.Join(err, r.close(err == nil))
	}()
	for _, act := range []func(context.Context) error{
		r.build, r.serve, r.logIn, r.useTunnel, r.logInWrongly,
	} {
		if err := act(ctx); err != nil {
			return err
		}
	}
	r.report.OK = true
	if keep {
		r.held = true
		return r.hold()
	}
	return nil
}

// build makes the three machines and shows them.
func (r *demoRun) build(context.Context) (err error) {
	if r.world, err = newDemoWorld(); err != nil {
		return err
	}
	r.tell.picture()
	if _, err := r.world.ping(demoHeadquarters, 1); err == nil {
		return errors.New("the client reaches headquarters before there is a tunnel: the demo would prove nothing")
	}
	r.tell.line("Before the tunnel, the client cannot reach headquarters: it has no route to %s.", demoNetwork)
	return nil
}

// serve starts the LNS and waits until it is ready.
func (r *demoRun) serve(ctx context.Context) (err error) {
	r.lns, err = startDemoServer(ctx, r.world)
	if err != nil {
		return err
	}
	r.tell.line("The LNS is ready, with the smallest configuration. The client dials, with password %s:", demoPassword)
	r.tell.command("lnsgate dial --server %s --user %s --auth chap --tun %s --route %s", demoLNS, demoUser, demoDevice, demoNetwork)
	return nil
}

// logIn dials as the user of the configuration and waits for an address.
func (r *demoRun) logIn(ctx context.Context) (err error) {
	r.dial, err = startDemoDialler(r.world, demoPassword, "--tun", demoDevice, "--route", demoNetwork)
	if err != nil {
		return err
	}
	end, err := r.dial.follow(ctx, func(e demoEvent) {
		r.tell.step(e)
		r.note(r.dial, e.Step, e)
	})
	if err != nil {
		return err
	}
	if end.Event != "up" {
		return fmt.Errorf("the login failed at %s: %s", end.Step, end.Reason)
	}
	r.report.Address = end.Address
	r.tell.up(end)
	return nil
}

// note adds a message of a dialogue to the report.
func (r *demoRun) note(d *demoDialler, phase string, e demoEvent) {
	at := d.began.Sub(r.began) + time.Duration(e.Seconds*float64(time.Second))
	from, to := e.speakers()
	r.report.add(at, demoStep{Phase: phase, From: from, To: to, Message: e.Message, Detail: e.Detail})
}

// noteOwn adds something that the demo itself did.
func (r *demoRun) noteOwn(phase, from, to, message, detail string) {
	r.report.add(time.Since(r.began), demoStep{Phase: phase, From: from, To: to, Message: message, Detail: detail})
}

// useTunnel sends a ping and fetches a page.
func (r *demoRun) useTunnel(ctx context.Context) error {
	r.tell.heading("The traffic", "headquarters, seen from the client through the tunnel")
	trips, err := r.world.ping(demoHeadquarters, demoPings)
	if err != nil {
		return fmt.Errorf("ping through the tunnel: %w", err)
	}
	r.report.PingMS = milliseconds(median(trips))
	r.tell.pings(trips)
	r.noteOwn("ping", "client", "headquarters", "ICMP echo", fmt.Sprintf("%d of %d answered", len(trips), demoPings))

	page, err := r.world.fetch(ctx)
	if err != nil {
		return fmt.Errorf("fetch a page through the tunnel: %w", err)
	}
	r.report.HTTPSource = page.source
	r.noteOwn("http", "client", "headquarters", "GET "+demoURL, page.status+", seen from "+page.source)
	r.tell.page(page)
	if page.source != r.report.Address {
		return fmt.Errorf("the headquarters server saw the request come from %s, not from %s: it did not come through the tunnel",
			page.source, r.report.Address)
	}
	r.report.HTTPOK = true
	return nil
}

// logInWrongly dials once more and must be refused.
func (r *demoRun) logInWrongly(ctx context.Context) error {
	r.tell.heading("A wrong password", demoWrongPassword+" instead of "+demoPassword)
	dial, err := startDemoDialler(r.world, demoWrongPassword)
	if err != nil {
		return err
	}
	defer dial.child.stop()
	end, err := dial.follow(ctx, func(e demoEvent) {
		if e.Step == "authentication" {
			r.tell.bareStep(e)
		}
		r.note(dial, "wrong password", e)
	})
	switch {
	case err != nil:
		return err
	case end.Event == "up":
		return errors.New("the LNS let a wrong password in")
	case end.Step != "authentication":
		return fmt.Errorf("the login with a wrong password failed at %s, before the password was asked for: %s", end.Step, end.Reason)
	}
	refusal, err := r.lns.refusal(ctx)
	if err != nil {
		return err
	}
	r.report.RejectedReason = refusal.Cause
	r.noteOwn("wrong password", "lns", "log", refusal.Message, refusal.Cause)
	r.tell.refusal(end, refusal)
	return nil
}

// close says goodbye, ends the processes and takes the machines away. Only a demo that worked shows its goodbye.
func (r *demoRun) close(show bool) error {
	if r.dial != nil {
		if show && !r.dial.child.ended() {
			r.tell.heading("Goodbye", "the client hangs up, the LNS takes the address back")
		}
		r.dial.child.stop()
		for _, e := range r.dial.rest() {
			if show {
				r.tell.bareStep(e)
			}
			r.note(r.dial, "goodbye", e)
		}
	}
	if r.lns != nil {
		r.lns.close()
	}
	if r.world != nil {
		if err := r.world.close(); err != nil {
			return err
		}
		r.tell.line("\nNothing is left: the processes have ended, the namespaces and %s are gone.", demoFolder)
	}
	return nil
}

// waitForUser prints what can be tried, and waits for Ctrl-C.
func (r *demoRun) waitForUser(ctx context.Context, w io.Writer) error {
	self, err := os.Executable()
	if err != nil {
		self = "lnsgate"
	}
	newDemoTeller(w).hints(self)
	hungUp := r.dial.child.done
	for {
		select {
		case <-ctx.Done():
			fmt.Fprintln(w)
			return nil
		case <-hungUp:
			fmt.Fprintln(w, "The session of the client has ended. Ctrl-C ends the demo.")
			hungUp = nil
		case <-r.lns.child.done:
			return fmt.Errorf("the LNS has ended, its last words were:\n%s", r.lns.log)
		}
	}
}
