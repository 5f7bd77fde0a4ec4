package pgtest

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// superuser is the user of a server of ours. There are no passwords: only this machine reaches its socket.
const superuser = "postgres"

// Server is a PostgreSQL server in a folder of its own. It is for one test and not safe for concurrent use.
type Server struct {
	t        TestingT
	programs programs
	folder   string
	settings []string // those of whoever asked for it
	options  []string

	watcher *exec.Cmd
	leash   io.Closer // the watcher acts when this closes
}

// Cluster starts a server for this test alone, one that keeps what it promised: with fsync, so a crash loses nothing.
// Settings are those of postgresql.conf, such as "max_connections=10". The server is gone when the test ends.
func Cluster(t TestingT, settings ...string) *Server {
	t.Helper()
	found, err := findPrograms()
	require(t, err)
	s, err := newServer(found, append([]string{"fsync=on"}, settings...))
	require(t, err)
	s.t = t
	t.Cleanup(func() { s.remove() })
	return s
}

// newServer makes the folder, and the cluster in it, and starts the server.
func newServer(found programs, settings []string) (*Server, error) {
	return startServer(found, settings, func(s *Server) error {
		return s.programs.run(s.folder, "initdb", "--pgdata="+s.data(), "--username="+superuser, "--auth=trust",
			"--encoding=UTF8", "--locale=C.UTF-8", "--no-sync")
	})
}

// startServer makes the folder and starts the server on what fill puts into its data directory.
func startServer(found programs, settings []string, fill func(*Server) error) (*Server, error) {
	folder, err := os.MkdirTemp("", "lnsgate-pg-")
	if err != nil {
		return nil, err
	}
	s := &Server{programs: found, folder: folder, settings: settings}
	for _, setting := range append([]string{
		"listen_addresses=", "unix_socket_directories=" + folder, "max_connections=200", "timezone=UTC",
		// A test wants the plans of a busy server, not those of an idle one, and none of its background work.
		"autovacuum=off", "jit=off", "shared_buffers=64MB",
	}, settings...) {
		s.options = append(s.options, "-c "+setting)
	}
	if err := s.make(fill); err != nil {
		s.remove()
		return nil, err
	}
	return s, nil
}

func (s *Server) make(fill func(*Server) error) error {
	if err := s.programs.own(s.folder); err != nil {
		return err
	}
	if err := s.watch(); err != nil {
		return err
	}
	if err := fill(s); err != nil {
		return err
	}
	return s.start()
}

// watch starts a shell that waits for us to close its input or to die, ends the server at once and removes the folder.
func (s *Server) watch() error {
	s.watcher = exec.Command("/bin/sh", "-c", `trap "" INT TERM HUP; read _
p=$(head -n 1 "$0/data/postmaster.pid" 2>/dev/null) && kill -QUIT "$p"
n=0; while [ -n "$p" ] && kill -0 "$p" 2>/dev/null && [ $n -lt 100 ]; do sleep 0.05; n=$((n+1)); done
rm -rf "$0"`, s.folder)
	s.watcher.Dir, s.watcher.SysProcAttr = "/", &syscall.SysProcAttr{Setsid: true}
	leash, err := s.watcher.StdinPipe()
	if err != nil {
		return err
	}
	s.leash = leash
	return s.watcher.Start()
}

// remove ends the server and removes all of it.
func (s *Server) remove() {
	if s.watcher == nil || s.watcher.Process == nil {
		os.RemoveAll(s.folder)
		return
	}
	s.leash.Close()
	s.watcher.Wait() //nolint:errcheck // it has nothing to tell
}

func (s *Server) data() string { return filepath.Join(s.folder, "data") }

func (s *Server) start() error {
	err := s.programs.run(s.folder, "pg_ctl", "start", "--pgdata="+s.data(), "--wait", "--timeout=60",
		"--log="+filepath.Join(s.folder, "log"), "--options="+strings.Join(s.options, " "))
	if err != nil {
		log, _ := os.ReadFile(filepath.Join(s.folder, "log"))
		return fmt.Errorf("%w\n%s", err, log)
	}
	return nil
}

func (s *Server) stop() error {
	return s.programs.run(s.folder, "pg_ctl", "stop", "--pgdata="+s.data(), "--mode=fast", "--wait", "--timeout=60")
}

// DSN is the address of a database of this server, for its superuser.
func (s *Server) DSN(database string) string {
	return fmt.Sprintf("host=%s user=%s dbname=%s sslmode=disable", s.folder, superuser, database)
}

// Start starts the server again after Stop or Crash and waits until it answers.
func (s *Server) Start() { s.t.Helper(); s.check(s.start()) }

// Stop shuts the server down as an administrator would: clients are disconnected, nothing is lost.
func (s *Server) Stop() { s.t.Helper(); s.check(s.stop()) }

// Restart is Stop and Start.
func (s *Server) Restart() { s.t.Helper(); s.Stop(); s.Start() }

// Crash kills every process of the server at once, as when the power fails. The next Start recovers.
func (s *Server) Crash() {
	s.t.Helper()
	pid, err := s.pid()
	s.check(err)
	children, err := childrenOf(pid)
	s.check(err)
	// The first one goes first, or it would notice the others and begin to recover.
	s.check(kill(append([]int{pid}, children...)))
	// After a power failure nobody has the numbers of the dead, so these would not hold up the next start.
	for _, lock := range []string{filepath.Join(s.data(), "postmaster.pid"), filepath.Join(s.folder, ".s.PGSQL.5432.lock")} {
		s.check(os.Remove(lock))
	}
}

// kill kills processes in this order and waits until all of them are gone. Those that are gone already are fine.
func kill(pids []int) error {
	var watched []unix.PollFd
	for _, pid := range pids {
		fd, err := unix.PidfdOpen(pid, 0)
		if errors.Is(err, unix.ESRCH) {
			continue
		} else if err != nil {
			return fmt.Errorf("watch process %d: %w", pid, err)
		}
		defer unix.Close(fd)
		watched = append(watched, unix.PollFd{Fd: int32(fd), Events: unix.POLLIN})
	}
	for _, w := range watched {
		if err := unix.PidfdSendSignal(int(w.Fd), unix.SIGKILL, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("kill a process of the server: %w", err)
		}
	}
	for i := range watched {
		for {
			_, err := unix.Poll(watched[i:i+1], -1)
			if err == nil {
				break
			} else if !errors.Is(err, unix.EINTR) {
				return err
			}
		}
	}
	return nil
}

func (s *Server) check(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatalf("pgtest: %v", err)
	}
}

func (s *Server) pid() (int, error) {
	text, err := os.ReadFile(filepath.Join(s.data(), "postmaster.pid"))
	if err != nil {
		return 0, fmt.Errorf("the server does not run: %w", err)
	}
	first, _, _ := strings.Cut(string(text), "\n")
	return strconv.Atoi(first)
}

func childrenOf(pid int) ([]int, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		return nil, err
	}
	var children []int
	for _, field := range strings.Fields(string(text)) {
		child, err := strconv.Atoi(field)
		if err != nil {
			return nil, err
		}
		children = append(children, child)
	}
	return children, nil
}
