package udp

import (
	"testing"

	"lnsgate/test/netns"

	"golang.org/x/sys/unix"
)

// TestRoomForACrowd: the system's limit holds some five hundred requests, which is less than a NAS sends when its users come back at once.
func TestRoomForACrowd(t *testing.T) {
	netns.Require(t)
	s, err := Open(anyPort)
	if err != nil {
		t.Fatal(err)
	}
	defer s.UDPConn.Close()
	raw, err := s.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var room int
	var fault error
	if err := raw.Control(func(fd uintptr) { room, fault = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF) }); err != nil || fault != nil {
		t.Fatal(err, fault)
	}
	if room/2 != RoomInKernel { // the kernel tells the double
		t.Errorf("room for %d octets, want %d", room/2, RoomInKernel)
	}
}
