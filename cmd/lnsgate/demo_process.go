package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"lnsgate/lns/host/netns"
)

// demoPatience bounds each wait of the demo: for the server to be ready, for a login, for a process to say goodbye.
const demoPatience = farewell + time.Second

// demoChild is a process of this same binary in one of the machines.
type demoChild struct {
	command *exec.Cmd
	done    chan struct{} // closed when it has ended and all it printed has been read
}

// startDemoChild runs this binary. It gets a process group of its own, so that Ctrl-C reaches the demo alone, and it dies
// with the demo, however that dies. The kernel watches the thread that starts it, so that thread stays until the end.
func startDemoChild(machine *netns.Namespace, command *exec.Cmd) (*demoChild, error) {
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	c := &demoChild{command: command, done: make(chan struct{})}
	started := make(chan error, 1)
	go func() {
		defer close(c.done)
		err := machine.Do(func() error {
			err := command.Start()
			started <- err
			if err == nil {
				command.Wait() // what it has to say, it has printed
			}
			return nil
		})
		if err != nil {
			started <- err // it could not enter the machine
		}
	}()
	if err := <-started; err != nil {
		<-c.done
		return nil, fmt.Errorf("start %s: %w", command, err)
	}
	return c, nil
}

// demoCommand is this binary with the arguments, and without what the environment says to lnsgate itself.
func demoCommand(args ...string) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	command := exec.Command(self, args...)
	for _, variable := range os.Environ() {
		if !strings.HasPrefix(variable, "LNSGATE_") && !strings.HasPrefix(variable, "NOTIFY_SOCKET=") {
			command.Env = append(command.Env, variable)
		}
	}
	return command, nil
}

func (c *demoChild) ended() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

// stop asks the process to say goodbye, and ends it if that takes too long.
func (c *demoChild) stop() {
	if c.ended() {
		return
	}
	c.command.Process.Signal(syscall.SIGTERM) // an error means that it has just ended
	late := time.NewTimer(demoPatience)
	defer late.Stop()
	select {
	case <-c.done:
	case <-late.C:
		c.command.Process.Kill()
		<-c.done
	}
}

// demoLines hands on what is written to it line by line, and remembers the last lines.
type demoLines struct {
	each func(line []byte)

	mu   sync.Mutex // guards what follows
	rest []byte     // a line that has no end yet
	last []string
}

// Write implements io.Writer.
func (l *demoLines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rest = append(l.rest, b...)
	for {
		line, rest, whole := bytes.Cut(l.rest, []byte("\n"))
		if !whole {
			return len(b), nil
		}
		const remembered = 5
		l.last = append(l.last[max(0, len(l.last)-remembered+1):], string(line))
		if l.each != nil {
			l.each(line)
		}
		l.rest = rest
	}
}

// String returns the last lines.
func (l *demoLines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.last, "\n")
}

// demoServer is lnsgate serve in the machine of the LNS.
type demoServer struct {
	child    *demoChild
	ready    *net.UnixConn // where it reports its readiness, as to systemd
	log      *demoLines
	file     *os.File // its log, for the user to read
	refusals chan demoRefusal
}

// demoRefusal is the line that the LNS logs about a login that failed.
type demoRefusal struct {
	Level   string `json:"level"`
	Message string `json:"msg"`
	Peer    string `json:"peer"`
	User    string `json:"user"`
	Phase   string `json:"phase"`
	Cause   string `json:"cause"`
}

// startDemoServer returns when the server is ready.
func startDemoServer(ctx context.Context, w *demoWorld) (_ *demoServer, err error) {
	s := &demoServer{refusals: make(chan demoRefusal, 16)}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	if s.file, err = os.OpenFile(demoFile("lns.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600); err != nil {
		return nil, err
	}
	s.log = &demoLines{each: s.logged}
	command, err := demoCommand("serve", "-c", demoFile("lnsgate.yaml"))
	if err != nil {
		return nil, err
	}
	command.Env = append(command.Env, "NOTIFY_SOCKET="+demoFile("notify"), "LNSGATE_ADMIN_SOCKET="+demoFile("admin.sock"),
		"LNSGATE_STATE_DIR="+demoFile("state"), "LNSGATE_LOG__FORMAT=json")
	command.Stderr = io.MultiWriter(s.file, s.log)
	if s.ready, err = net.ListenUnixgram("unixgram", &net.UnixAddr{Name: demoFile("notify"), Net: "unixgram"}); err != nil {
		return nil, err
	}
	if s.child, err = startDemoChild(w.lns, command); err != nil {
		return nil, err
	}
	return s, s.waitUntilReady(ctx)
}

// logged takes a line of the log in.
func (s *demoServer) logged(line []byte) {
	var r demoRefusal
	if json.Unmarshal(line, &r) != nil || r.User != demoUser || r.Phase == "" || r.Cause == "" {
		return
	}
	select {
	case s.refusals <- r:
	default: // with --keep, nobody asks any more
	}
}

func (s *demoServer) waitUntilReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, demoPatience)
	defer cancel()
	defer context.AfterFunc(ctx, func() { s.ready.SetReadDeadline(time.Unix(1, 0)) })()
	go func() { // ends the wait for a server that has ended
		select {
		case <-s.child.done:
			cancel()
		case <-ctx.Done():
		}
	}()
	var state [256]byte
	for {
		n, err := s.ready.Read(state[:])
		switch {
		case err == nil && strings.Contains(string(state[:n]), notifyReady):
			return nil
		case err == nil:
		case s.child.ended():
			return fmt.Errorf("the LNS has ended, its last words were:\n%s", s.log)
		default:
			return fmt.Errorf("the LNS is not ready after %s, its last words were:\n%s", demoPatience, s.log)
		}
	}
}

// refusal waits for the line about a login that failed.
func (s *demoServer) refusal(ctx context.Context) (demoRefusal, error) {
	ctx, cancel := context.WithTimeout(ctx, demoPatience)
	defer cancel()
	select {
	case r := <-s.refusals:
		return r, nil
	case <-ctx.Done():
		return demoRefusal{}, fmt.Errorf("the LNS logs nothing about the login that it refused, its last words were:\n%s", s.log)
	}
}

// close ends the server and lets go of what the demo holds of it.
func (s *demoServer) close() {
	if s.child != nil {
		s.child.stop()
	}
	if s.ready != nil {
		s.ready.Close()
	}
	if s.file != nil {
		s.file.Close()
	}
}

// demoDialler is lnsgate dial in the machine of the client.
type demoDialler struct {
	child  *demoChild
	began  time.Time      // when its clock was at 0; known with the first event
	events chan demoEvent // closed when the process has ended
	stderr *demoLines
}

// demoEvent is one object that dial prints: a step, up, or the end.
type demoEvent struct {
	Event   string  `json:"event"`
	Seconds float64 `json:"seconds"` // since the process dialled
	Step    string  `json:"step"`
	From    string  `json:"from"`
	Message string  `json:"message"`
	Detail  string  `json:"detail"`
	Again   bool    `json:"again"`
	Address string  `json:"address"`
	Peer    string  `json:"peer"`
	TookMS  float64 `json:"took_ms"`
	Reason  string  `json:"reason"`
}

// speakers tells who said it to whom.
func (e demoEvent) speakers() (from, to string) {
	if e.From == "client" {
		return "client", "lns"
	}
	return "lns", "client"
}

// startDemoDialler dials. The password goes in on standard input.
func startDemoDialler(w *demoWorld, password string, more ...string) (*demoDialler, error) {
	command, err := demoCommand(append([]string{"dial", "--server", demoLNS, "--user", demoUser, "--password-file", "-",
		"--auth", "chap", "--host-name", "pc", "--timeout", (demoPatience - time.Second).String(), "--json"}, more...)...)
	if err != nil {
		return nil, err
	}
	d := &demoDialler{events: make(chan demoEvent, 256), stderr: &demoLines{}}
	command.Stdin = strings.NewReader(password + "\n")
	command.Stdout, command.Stderr = &demoLines{each: d.printed}, d.stderr
	if d.child, err = startDemoChild(w.client, command); err != nil {
		return nil, err
	}
	go func() {
		<-d.child.done
		close(d.events)
	}()
	return d, nil
}

// printed takes a line of the output in.
func (d *demoDialler) printed(line []byte) {
	var e demoEvent
	if json.Unmarshal(line, &e) != nil {
		return
	}
	if d.began.IsZero() {
		d.began = time.Now().Add(-time.Duration(e.Seconds * float64(time.Second)))
	}
	select {
	case d.events <- e:
	default: // with --keep, nobody listens any more
	}
}

// follow hands on each message until the call is up or has ended, and returns that event.
func (d *demoDialler) follow(ctx context.Context, each func(demoEvent)) (demoEvent, error) {
	for {
		select {
		case <-ctx.Done():
			return demoEvent{}, ctx.Err()
		case e, more := <-d.events:
			switch {
			case !more:
				return demoEvent{}, errors.New("lnsgate dial has ended: " + strings.TrimPrefix(d.stderr.String(), "lnsgate: "))
			case e.Event == "up" || e.Event == "end":
				return e, nil
			case e.Event == "step":
				each(e)
			}
		}
	}
}

// rest lists the messages that were said since, when the process has ended.
func (d *demoDialler) rest() []demoEvent {
	var steps []demoEvent
	for e := range d.events {
		if e.Event == "step" {
			steps = append(steps, e)
		}
	}
	return steps
}
