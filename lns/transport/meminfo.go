package transport

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// kernelDrops asks the kernel how many datagrams it has thrown away because the receive buffer was full, or their
// checksum was wrong (SO_MEMINFO, SK_MEMINFO_DROPS). It is zero where the kernel does not tell.
func (s *socket) kernelDrops() uint64 {
	const drops = 8 // the index in the kernel's array
	var info [drops + 1]uint32
	size := uint32(unsafe.Sizeof(info))
	var errno unix.Errno
	err := s.raw.Control(func(fd uintptr) {
		_, _, errno = unix.Syscall6(unix.SYS_GETSOCKOPT, fd, unix.SOL_SOCKET, unix.SO_MEMINFO,
			uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&size)), 0)
	})
	if err != nil || errno != 0 || uintptr(size) < unsafe.Sizeof(info) {
		return 0
	}
	return uint64(info[drops])
}
