package host

import (
	"fmt"
	"os"
	"slices"
	"strings"
)

const sysctlRoot = "/proc/sys/"

const forwarding = "net/ipv4/ip_forward"

// EnableForwarding lets this host forward IPv4 packets between its interfaces. What was set before is restored on Close;
// a host that forwards already is left as it is.
func (h *Host) EnableForwarding() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.sysctl(forwarding, "1")
}

const forwarding6 = "net/ipv6/conf/all/forwarding"

// EnableIPv6Forwarding lets this host forward IPv6 packets between its interfaces. A host that forwards no longer takes
// router advertisements unless it is told to (accept_ra=2): those that live by them are told so first, or the host would lose
// its own way out. What was set before is restored on Close; a host that forwards already is left as it is.
func (h *Host) EnableIPv6Forwarding() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if now, err := readSysctl(forwarding6); err == nil && now == "1" {
		return nil
	}
	links, err := os.ReadDir(sysctlRoot + "net/ipv6/conf")
	if err != nil {
		return failure("look for IPv6", err)
	}
	for _, link := range links {
		name := sysctl6(link.Name(), "accept_ra")
		now, err := readSysctl(name)
		if err != nil || now != "1" || slices.Contains([]string{"all", "default", "lo"}, link.Name()) {
			continue
		}
		if err := h.sysctl(name, "2"); err != nil {
			return err
		}
	}
	return h.sysctl(forwarding6, "1")
}

// sysctl sets a value and remembers the old one, in the journal first: after a crash the journal may name a change that
// was never made, but never misses one.
func (h *Host) sysctl(name, value string) error {
	old, err := readSysctl(name)
	if err != nil {
		return failure("read sysctl "+dotted(name), err)
	}
	if old == value {
		return nil
	}
	action := fmt.Sprintf("set sysctl %s=%s", dotted(name), value)
	if err := h.journal.add(change{Sysctl: name, Old: old, New: value}); err != nil {
		return failure(action, err)
	}
	if err := writeSysctl(name, value); err != nil {
		return failure(action, err)
	}
	h.log.Info("sysctl changed", "sysctl", dotted(name), "from", old, "to", value)
	h.onClose("sysctl "+dotted(name), func() error { return h.restore(change{Sysctl: name, Old: old, New: value}) })
	return nil
}

// restore writes an old value back, unless somebody has set yet another one since.
func (h *Host) restore(c change) error {
	now, err := readSysctl(c.Sysctl)
	if err == nil && now == c.New {
		err = writeSysctl(c.Sysctl, c.Old)
	}
	if err != nil && !gone(err) {
		return err
	}
	return h.journal.remove(c.Sysctl)
}

func readSysctl(name string) (string, error) {
	b, err := os.ReadFile(sysctlRoot + name)
	return strings.TrimSpace(string(b)), err
}

func writeSysctl(name, value string) error {
	return os.WriteFile(sysctlRoot+name, []byte(value), 0)
}

// dotted is the name of a sysctl as people write it; a dot inside an interface's name becomes a slash then.
func dotted(name string) string { return strings.NewReplacer("/", ".", ".", "/").Replace(name) }
