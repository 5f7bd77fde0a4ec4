package radtest

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// patience is how long the server may take to start or to stop, which takes it a second on a busy machine.
const patience = 30 * time.Second

// port is what a port is for.
type port int

const (
	auth port = iota
	acct
	radsec
	coa
	portCount
)

// Server is a running FreeRADIUS with a folder of its own. It is for one test and not safe for concurrent use.
type Server struct {
	t       TestingT
	options Options
	program string
	folder  string
	ports   [portCount]uint16
	command *exec.Cmd // nil: it does not run
	pidfd   int
	leash   io.Closer // the watcher acts when this closes
	watcher *exec.Cmd
}

// Start starts a server and returns when it answers. It ends with the test.
func Start(t TestingT, o Options) *Server {
	t.Helper()
	s := &Server{t: t, options: o.withDefaults(), program: server(t, o.Database != "")}
	var err error
	s.folder, err = os.MkdirTemp("", "lnsgate-radius-")
	s.check(err)
	s.check(s.watch())
	t.Cleanup(s.remove)
	s.check(prepareDatabase(s.options))
	_, err = MakeCertificates(s.folder, s.options.Address)
	s.check(err)
	s.check(s.startSomewhere())
	return s
}

// startSomewhere tries other ports when somebody took ours meanwhile.
func (s *Server) startSomewhere() (err error) {
	for range 3 {
		if s.ports, err = freePorts(s.options); err != nil {
			return err
		}
		if err = s.writeConfiguration(); err != nil {
			return err
		}
		if err = s.start(); err == nil || !strings.Contains(s.Log(), "Address already in use") {
			return err
		}
	}
	return err
}

// freePorts finds ports that nobody uses, outside of the range from which the kernel gives ports to clients, so that the
// server finds them free after Stop.
func freePorts(o Options) (ports [portCount]uint16, err error) {
	for p := range ports {
		for range 100 {
			candidate := netip.AddrPortFrom(o.Address, uint16(20000+rand.IntN(12000)))
			if err = o.inside(func() error { return bothFree(candidate) }); err == nil {
				ports[p] = candidate.Port()
				break
			}
		}
		if err != nil {
			return ports, fmt.Errorf("no free port: %w", err)
		}
	}
	return ports, nil
}

// bothFree fails when the port is in use by UDP or TCP.
func bothFree(at netip.AddrPort) error {
	u, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(at))
	if err != nil {
		return err
	}
	defer u.Close()
	l, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(at))
	if err != nil {
		return err
	}
	return l.Close()
}

// inside runs f where the server runs.
func (o Options) inside(f func() error) error {
	if o.Namespace == nil {
		return f()
	}
	return o.Namespace.Do(f)
}

// start runs the program on the ports it has and waits until it answers.
func (s *Server) start() error {
	log, err := os.OpenFile(s.path("log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	mode := "-f" // in the foreground, with its threads
	if s.options.Debug {
		mode = "-X"
	}
	command := exec.Command(s.program, mode, "-l", "stdout", "-d", s.folder, "-D", dictionaries)
	command.Stdout, command.Stderr, command.Dir = log, log, s.folder
	// A session of its own: Ctrl-C is for the tests, the watcher does the rest.
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if s.options.Namespace != nil {
		err = s.options.Namespace.Start(command)
	} else {
		err = command.Start()
	}
	if err != nil {
		return err
	}
	if s.pidfd, err = unix.PidfdOpen(command.Process.Pid, 0); err != nil {
		return errors.Join(err, command.Process.Kill(), command.Wait())
	}
	s.command = command
	if err := s.writeFile("pid", strconv.Itoa(command.Process.Pid)); err != nil {
		return err
	}
	if err := s.awaitAnswer(); err != nil {
		s.end(unix.SIGKILL)
		return err
	}
	return nil
}

func (s *Server) awaitAnswer() error {
	var conn *net.UDPConn
	err := s.options.inside(func() (err error) {
		conn, err = net.ListenUDP("udp", &net.UDPAddr{IP: s.options.Address.AsSlice()})
		return err
	})
	if err != nil {
		return err
	}
	defer conn.Close()
	secret := s.secretOf(s.options.Address)
	return awaitStatus(conn, s.Auth(), secret, time.Now().Add(patience), func() error {
		if s.ended(0) {
			return errors.New("freeradius ended at once")
		}
		return nil
	})
}

// secretOf is the secret that the server shares with a client at that address: that of the narrowest network.
func (s *Server) secretOf(a netip.Addr) string {
	secret, bits := "", -1
	for _, c := range s.options.clients() {
		if c.Network.Contains(a) && c.Network.Bits() > bits {
			secret, bits = c.Secret, c.Network.Bits()
		}
	}
	return secret
}

// ended says whether the process has ended, waiting that long for it.
func (s *Server) ended(wait time.Duration) bool {
	until := time.Now().Add(wait)
	for {
		fds := []unix.PollFd{{Fd: int32(s.pidfd), Events: unix.POLLIN}}
		n, err := unix.Poll(fds, max(0, int(time.Until(until).Milliseconds())))
		if !errors.Is(err, unix.EINTR) {
			return n > 0
		}
	}
}

// end sends the signal, waits until the process is gone, and kills one that does not go.
func (s *Server) end(signal unix.Signal) {
	if s.command == nil {
		return
	}
	unix.PidfdSendSignal(s.pidfd, signal, nil, 0) //nolint:errcheck // one that has ended does not mind
	if !s.ended(patience) {
		s.t.Errorf("radtest: freeradius did not end after %v", signal)
		unix.PidfdSendSignal(s.pidfd, unix.SIGKILL, nil, 0) //nolint:errcheck // as above
	}
	s.command.Wait() //nolint:errcheck // how it ended is of no interest
	unix.Close(s.pidfd)
	os.Remove(s.path("pid"))
	s.command = nil
}

// Stop ends the server as an administrator would.
func (s *Server) Stop() { s.t.Helper(); s.end(unix.SIGTERM) }

// Kill ends the server at once.
func (s *Server) Kill() { s.t.Helper(); s.end(unix.SIGKILL) }

// Restart starts the server again on the same ports, after ending it if it still runs, and waits until it answers.
func (s *Server) Restart() { s.t.Helper(); s.Stop(); s.check(s.start()) }

// Pause stops the process without ending it: it answers nothing, and nobody is told that it does not. Resume undoes it.
func (s *Server) Pause() { s.t.Helper(); s.signal(unix.SIGSTOP) }

// Resume lets a paused server go on. What came meanwhile waits in its sockets.
func (s *Server) Resume() { s.t.Helper(); s.signal(unix.SIGCONT) }

func (s *Server) signal(n unix.Signal) {
	s.t.Helper()
	if s.command == nil {
		s.t.Fatalf("radtest: the server does not run")
	}
	s.check(unix.PidfdSendSignal(s.pidfd, n, nil, 0))
}

// watch starts a shell that waits for us to close its input or to die, kills the server and removes the folder.
func (s *Server) watch() error {
	s.watcher = exec.Command("/bin/sh", "-c", `trap "" INT TERM HUP; read _
p=$(cat "$0/pid" 2>/dev/null) && kill -KILL "$p"
rm -rf "$0"`, s.folder)
	s.watcher.Dir, s.watcher.SysProcAttr = "/", &syscall.SysProcAttr{Setsid: true}
	leash, err := s.watcher.StdinPipe()
	if err != nil {
		return err
	}
	s.leash = leash
	return s.watcher.Start()
}

// remove ends the server, shows what it said if the test failed, and removes the folder.
func (s *Server) remove() {
	s.end(unix.SIGKILL)
	if s.t.Failed() {
		s.t.Logf("freeradius said:\n%s", s.Log())
	}
	s.leash.Close()
	s.watcher.Wait() //nolint:errcheck // it has nothing to tell
}

func (s *Server) check(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatalf("radtest: %v", err)
	}
}

func (s *Server) path(name string) string { return filepath.Join(s.folder, name) }
