package host

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// ErrRunning says that another lnsgate serves here, so that what looks left over is in use. Errors that wrap it say which
// process that is.
var ErrRunning = errors.New("another lnsgate is running")

const (
	// lockName is a file inside the state directory.
	lockName = "lnsgate.lock"
	// claimName is a socket with an abstract name: such names belong to the network namespace.
	claimName = "@lnsgate-host"
)

// claim keeps a second server away. The kernel gives both parts back when the process ends, however it ends.
//
// The lock in the state directory is the sure one: only who may write there can take it. A second server in the same
// network namespace with another state directory is found by the name of a socket. Any user of this host could take that
// name, so it counts only in the hands of root or of our own user.
type claim struct {
	lock *os.File
	name *net.UnixListener
}

func (c *claim) take(directory string, log *slog.Logger) error {
	if c.lock == nil && directory != "" {
		lock, err := takeLock(filepath.Join(directory, lockName))
		if err != nil {
			return err
		}
		c.lock = lock
	}
	if c.name == nil {
		name, err := takeName(log)
		if err != nil {
			c.release()
			return err
		}
		c.name = name
	}
	return nil
}

func (c *claim) release() {
	if c.lock != nil {
		c.lock.Close()
		c.lock = nil
	}
	if c.name != nil {
		c.name.Close()
		c.name = nil
	}
}

// takeLock locks a file and writes the number of this process into it. The file stays for ever: removing it would let two
// processes lock two files of one name.
func takeLock(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if errors.Is(err, fs.ErrPermission) {
		return nil, fmt.Errorf("%w\n  run lnsgate as root, or as the user that runs it here", err)
	}
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		defer file.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, running("has locked "+path, holderOf(path))
		}
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	err = file.Truncate(0)
	if err == nil {
		_, err = file.WriteAt(strconv.AppendInt(nil, int64(os.Getpid()), 10), 0)
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// holderOf reads who has locked a file; zero when it does not tell.
func holderOf(path string) int {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	pid, _ := strconv.Atoi(string(bytes.TrimSpace(b)))
	return pid
}

// takeName takes the name in this network namespace. The listener is nil when a stranger has it.
func takeName(log *slog.Logger) (*net.UnixListener, error) {
	address := &net.UnixAddr{Name: claimName, Net: "unix"}
	listener, err := net.ListenUnix("unix", address)
	if !errors.Is(err, unix.EADDRINUSE) {
		return listener, err
	}
	holder, err := ownerOf(address)
	if err == nil && (holder.Uid == 0 || int(holder.Uid) == os.Geteuid()) {
		return nil, running("serves in this network namespace", int(holder.Pid))
	}
	if err != nil {
		holder = new(unix.Ucred)
	}
	log.Warn("a process that is not lnsgate's holds its name, so a second lnsgate in this network namespace would not be noticed",
		"name", claimName, "process", holder.Pid, "uid", holder.Uid, "cause", err)
	return nil, nil
}

// ownerOf asks the kernel who listens on a socket.
func ownerOf(address *net.UnixAddr) (*unix.Ucred, error) {
	conn, err := net.DialUnix("unix", nil, address)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, err
	}
	var owner *unix.Ucred
	failed := raw.Control(func(fd uintptr) { owner, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) })
	return owner, errors.Join(failed, err)
}

func running(does string, pid int) error {
	if pid == 0 {
		return fmt.Errorf("%w: it %s", ErrRunning, does)
	}
	return fmt.Errorf("%w: process %d %s", ErrRunning, pid, does)
}
