package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"lnsgate/lns/admin"
	"lnsgate/test/netns"
)

// process is a running program whose output is kept.
type process struct {
	t        *testing.T
	command  *exec.Cmd
	out, err transcript
	done     chan struct{} // closed when it has ended
}

// start runs the program inside a namespace. The end of the test ends it.
func (w *world) start(n *netns.Namespace, command *exec.Cmd) *process {
	w.t.Helper()
	p := &process{t: w.t, command: command, done: make(chan struct{})}
	command.Stdout, command.Stderr = &p.out, &p.err
	must(w.t, n.Start(command))
	go func() {
		defer close(p.done)
		command.Wait() // the outcome stays in ProcessState
	}()
	w.t.Cleanup(func() {
		p.signal(syscall.SIGKILL)
		<-p.done
		if strings.Contains(p.err.String(), "DATA RACE") {
			w.t.Errorf("%v: a data race", command.Args)
		}
		if w.t.Failed() {
			w.t.Logf("%s\n%s%s", strings.Join(command.Args[1:], " "), &p.out, &p.err)
		}
	})
	return p
}

// signal sends a signal; a process that is gone does not mind.
func (p *process) signal(s syscall.Signal) { p.command.Process.Signal(s) }

// ended waits for the process and returns its exit code, -1 after a signal.
func (p *process) ended() int {
	p.t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	select {
	case <-p.done:
	case <-deadline.C:
		p.signal(syscall.SIGQUIT) // it writes down what it is doing
		poll(patience, func() bool { return !p.running() })
		p.t.Fatalf("%v does not end", p.command.Args)
	}
	return p.command.ProcessState.ExitCode()
}

func (p *process) running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// server is a running lnsgate serve.
type server struct {
	*process
	w      *world
	admin  *admin.Client
	config string // path of the configuration file
	socket string // path of the admin socket
	folder string
	in     *netns.Namespace
}

// serve starts the server with a configuration, which need not say what every test wants alike, and waits until it
// serves. The environment is that of the test and these variables.
func (w *world) serve(config string, environment ...string) *server {
	w.t.Helper()
	s := w.prepare(config)
	command := exec.Command(program, "serve", "-c", s.config)
	command.Env = append(command.Environ(), environment...)
	s.launch(command)
	return s
}

// prepare writes the configuration of a server that is to be launched.
func (w *world) prepare(config string) *server {
	w.t.Helper()
	return w.prepareAs("", config)
}

// prepareAs does so for a server with files of its own beside those of another.
func (w *world) prepareAs(name, config string) *server {
	w.t.Helper()
	folder := filepath.Join(w.folder, name)
	must(w.t, os.MkdirAll(folder, 0o700))
	s := &server{w: w, folder: folder, socket: filepath.Join(folder, "admin.sock"), in: w.lns}
	s.admin = admin.NewClient(s.socket)
	w.t.Cleanup(s.admin.Close)
	s.write(config)
	return s
}

func (s *server) launch(command *exec.Cmd) {
	s.w.t.Helper()
	s.process = s.w.start(s.in, command)
	eventually(s.t, "the server says that it serves", func() bool { return s.logged("serving") != nil || !s.running() })
	if !s.running() {
		s.t.Fatal("the server has ended at once")
	}
}

// write replaces the configuration file.
func (s *server) write(config string) {
	s.w.t.Helper()
	head := fmt.Sprintf("admin_socket: %s\nstate_dir: %s\nlog: {level: debug, format: json}\n", s.socket, s.folder)
	s.config = filepath.Join(s.folder, "lnsgate.yaml")
	must(s.w.t, os.WriteFile(s.config, []byte(head+unindent(config)), 0o600))
}

// entry is one line of the log.
type entry map[string]any

func (e entry) text(key string) string { return fmt.Sprint(e[key]) }

// log is what the server has said.
func (s *server) log() []entry {
	s.t.Helper()
	var all []entry
	for _, line := range s.err.lines() {
		if bytes.HasPrefix(line, []byte("lnsgate: ")) {
			break // the last words, for the person who started it
		}
		var e entry
		if err := json.Unmarshal(line, &e); err != nil {
			s.t.Fatalf("the server wrote a line that is no JSON: %s", line)
		}
		all = append(all, e)
	}
	return all
}

// logged finds the last line with this message whose values contain the words given as key and word by turns.
func (s *server) logged(message string, words ...string) entry {
	s.t.Helper()
	all := s.log()
	for i := len(all) - 1; i >= 0; i-- {
		fits := all[i].text("msg") == message
		for k := 0; k+1 < len(words); k += 2 {
			fits = fits && strings.Contains(all[i].text(words[k]), words[k+1])
		}
		if fits {
			return all[i]
		}
	}
	return nil
}

// says waits until the log has such a line.
func (s *server) says(message string, words ...string) entry {
	s.t.Helper()
	var e entry
	eventually(s.t, fmt.Sprintf("the log says %q %q", message, words), func() bool {
		e = s.logged(message, words...)
		return e != nil
	})
	return e
}

func (s *server) sessions() []admin.Session {
	s.t.Helper()
	list, err := s.admin.Sessions(context.Background(), admin.SessionFilter{})
	must(s.t, err)
	return list
}

// session finds the open session of a user.
func (s *server) session(user string) admin.Session {
	s.t.Helper()
	list, err := s.admin.Sessions(context.Background(), admin.SessionFilter{User: user})
	must(s.t, err)
	if len(list) != 1 {
		s.t.Fatalf("%s has %d sessions, not 1", user, len(list))
	}
	return list[0]
}

func (s *server) tunnels() []admin.Tunnel {
	s.t.Helper()
	list, err := s.admin.Tunnels(context.Background())
	must(s.t, err)
	return list
}

func (s *server) pools() []admin.Pool {
	s.t.Helper()
	list, err := s.admin.Pools(context.Background())
	must(s.t, err)
	return list
}

func (s *server) counter(name string) uint64 {
	s.t.Helper()
	all, err := s.admin.Counters(context.Background())
	must(s.t, err)
	n, known := all[name]
	if !known {
		s.t.Fatalf("there is no counter %q in %v", name, all)
	}
	return n
}

// empty waits until nobody is connected. A tunnel that was closed stays in the list for a while, to acknowledge a StopCCN
// that comes again (RFC 2661 section 5.7).
func (s *server) empty() {
	s.t.Helper()
	eventually(s.t, "no session and no open tunnel is left", func() bool {
		open := func(v admin.Tunnel) bool { return v.State == "established" || v.Sessions > 0 }
		return len(s.sessions()) == 0 && !slices.ContainsFunc(s.tunnels(), open)
	})
}

// command runs an operator's command against this server.
func (s *server) command(args ...string) (output string, code int) {
	s.t.Helper()
	command := exec.Command(program, append(args, "--socket", s.socket)...)
	printed, err := command.CombinedOutput()
	if command.ProcessState == nil {
		s.t.Fatal(err)
	}
	return string(printed), command.ProcessState.ExitCode()
}

// show reads the JSON of lnsgate show.
func (s *server) show(what string, into any) {
	s.t.Helper()
	output, code := s.command("show", what, "-o", "json")
	if code != 0 {
		s.t.Fatalf("show %s: exit code %d\n%s", what, code, output)
	}
	if err := json.Unmarshal([]byte(output), into); err != nil {
		s.t.Fatalf("show %s: %v\n%s", what, err, output)
	}
}

// stop interrupts the server, as systemd does, and wants it to end well.
func (s *server) stop() {
	s.t.Helper()
	s.signal(syscall.SIGTERM)
	if code := s.ended(); code != 0 {
		s.t.Fatalf("after SIGTERM the server ends with code %d", code)
	}
}
