package admin

import (
	"cmp"
	"context"
	"net"
	"os"
	"os/user"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// onSocket is where users of this host ask from.
const onSocket = "socket"

// connected puts into the context of a connection over the unix socket who is at its other end. Root and whoever runs the server
// administer; who else may open the socket operates.
func connected(ctx context.Context, conn net.Conn) context.Context {
	if p, ok := conn.(*placed); ok {
		conn = p.Conn
	}
	local, ok := conn.(*net.UnixConn)
	if !ok {
		return ctx
	}
	uid, err := peerUser(local)
	if err != nil {
		return ctx
	}
	actor := Actor{Name: userName(uid), Role: Operate, From: onSocket}
	if uid == 0 || int(uid) == os.Geteuid() {
		actor.Role = Administer
	}
	return WithActor(ctx, actor)
}

// peerUser asks the kernel who has opened the connection.
func peerUser(conn *net.UnixConn) (uid uint32, err error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0, err
	}
	var cred *unix.Ucred
	fault := raw.Control(func(fd uintptr) { cred, err = unix.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, unix.SO_PEERCRED) })
	if err := cmp.Or(fault, err); err != nil {
		return 0, err
	}
	return cred.Uid, nil
}

func userName(uid uint32) string {
	id := strconv.FormatUint(uint64(uid), 10)
	if known, err := user.LookupId(id); err == nil {
		return known.Username
	}
	return "uid " + id
}
