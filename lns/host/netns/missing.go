package netns

import (
	"strings"

	"golang.org/x/sys/unix"
)

// Missing names what this process lacks to build networks: capabilities in words, or "" when nothing is missing.
func Missing() string {
	var missing []string
	if !effective(unix.CAP_SYS_ADMIN) {
		missing = append(missing, "CAP_SYS_ADMIN")
	}
	if !effective(unix.CAP_NET_ADMIN) {
		missing = append(missing, "CAP_NET_ADMIN")
	}
	return strings.Join(missing, " and ")
}

// effective says whether the calling thread holds a capability.
func effective(capability int) bool {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return false
	}
	return data[capability/32].Effective&(1<<(capability%32)) != 0
}
