package admin

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// DefaultSocket is where the server listens and the command line looks when nothing else is said.
const DefaultSocket = "/run/lnsgate/lnsgate.sock"

// socketMode lets the owner and the group of the server in, nobody else.
const socketMode = 0o660

// Listen makes the unix socket, and the folder it lives in when that is missing. A socket left behind by a process that
// is gone is removed; one that is still answered gives an [InUseError]; anything else at that path is never touched.
// Closing the listener removes the socket.
func Listen(path string) (net.Listener, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, hintAtOwner(fmt.Errorf("the folder of the admin socket cannot be made: %w", err))
	}
	if err := removeStale(path); err != nil {
		return nil, hintAtOwner(err)
	}
	config := net.ListenConfig{Control: narrow}
	listener, err := config.Listen(context.Background(), "unix", path)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, &InUseError{Socket: path} // somebody was faster
	}
	if err != nil {
		return nil, hintAtOwner(fmt.Errorf("the admin socket cannot be made: %w", err))
	}
	// The umask may have taken the group's right to write away.
	if err := os.Chmod(path, socketMode); err != nil {
		listener.Close()
		return nil, fmt.Errorf("the admin socket's mode cannot be set: %w", err)
	}
	return listener, nil
}

// hintAtOwner says what to do about a socket, or a folder, that belongs to another user.
func hintAtOwner(err error) error {
	if !errors.Is(err, fs.ErrPermission) {
		return err
	}
	return fmt.Errorf("%w\n  run lnsgate as root or as the user that runs it here, or give its user that folder (systemd: RuntimeDirectory=lnsgate)", err)
}

// narrow sets the mode before the socket has a name. Setting it only afterwards would, under a generous umask, leave
// a moment in which everybody may connect.
func narrow(_, _ string, conn syscall.RawConn) error {
	var failed error
	if err := conn.Control(func(fd uintptr) { failed = syscall.Fchmod(int(fd), socketMode) }); err != nil {
		return err
	}
	return failed
}

// removeStale makes the path free, unless somebody lives there.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("the admin socket cannot be looked at: %w", err)
	}
	if info.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("%s is there already and is no socket: remove it, or configure another path for the admin socket", path)
	}
	conn, err := net.DialTimeout("unix", path, time.Second)
	if err == nil {
		conn.Close()
		return &InUseError{Socket: path}
	}
	// Only a refusal proves that nobody listens. A full backlog, for one, is the sign of a living server.
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("the admin socket %s may be in use: %w", path, err)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("the admin socket of a server that is gone cannot be removed: %w", err)
	}
	return nil
}
