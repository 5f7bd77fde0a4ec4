package netns

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// WireLike makes an interface send what would be seen on a wire: packets of at most its MTU with complete checksums. By itself
// a veth hands large packets to the other end unsegmented, and leaves the checksums out.
func WireLike(n *Namespace, name string) error {
	const off = 0
	return n.Do(func() error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		for _, command := range []uint32{unix.ETHTOOL_SGSO, unix.ETHTOOL_STSO, unix.ETHTOOL_STXCSUM} {
			value := struct{ command, data uint32 }{command, off}
			var request struct {
				name [unix.IFNAMSIZ]byte
				data unsafe.Pointer
				_    [16]byte
			}
			copy(request.name[:unix.IFNAMSIZ-1], name)
			request.data = unsafe.Pointer(&value)
			if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&request))); errno != 0 {
				return fmt.Errorf("make %s behave like a wire: %w", name, errno)
			}
		}
		return nil
	})
}
