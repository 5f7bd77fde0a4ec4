package ebpf

import (
	"context"
	"encoding/binary"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// useEvery is how often the kernel is told which neighbours are in use.
const useEvery = 5 * time.Second

// neighbour is a host on a link, through which peers are reached.
type neighbour struct{ out, hop uint32 }

// useNeighbours has the kernel look whether the neighbours that the programs send to are still there. It does so by itself for what
// its own stack sends, which the programs do not ask: packets would go to a card that was exchanged until somebody else sends there.
// Only what the kernel has learned itself and doubts is touched: an entry that an administrator has made would become one of ARP.
func (d *DataPath) useNeighbours() {
	used := d.neighbours(useEvery)
	if len(used) == 0 {
		return
	}
	all, err := d.netlink.NeighList(0, unix.AF_INET)
	if err != nil {
		d.log.Debug("the neighbours cannot be listed", "cause", err)
		return
	}
	for _, n := range all {
		hop := n.IP.To4()
		if n.State != unix.NUD_STALE || n.Flags != 0 || n.FlagsExt != 0 || hop == nil ||
			!used[neighbour{uint32(n.LinkIndex), binary.NativeEndian.Uint32(hop)}] {
			continue
		}
		use := netlink.Neigh{LinkIndex: n.LinkIndex, Family: unix.AF_INET, IP: hop, Flags: unix.NTF_USE}
		if err := d.netlink.NeighSet(&use); err != nil {
			d.log.Debug("a neighbour cannot be looked for", "neighbour", hop, "cause", err)
		}
	}
}

// neighbours are those that packets went to within a time.
func (d *DataPath) neighbours(within time.Duration) map[neighbour]bool {
	found := make(map[neighbour]bool)
	var now unix.Timespec
	if unix.ClockGettime(unix.CLOCK_MONOTONIC, &now) != nil {
		return found
	}
	var ways []pathWay
	for slot := range d.objects.Ways.MaxEntries() {
		if d.objects.Ways.Lookup(slot, &ways) != nil {
			return found
		}
		for _, w := range ways {
			if w.Asked != 0 && w.Hop != 0 && now.Nano()-int64(w.Asked) < int64(within) {
				found[neighbour{w.Out, w.Hop}] = true
			}
		}
	}
	return found
}

// keepNeighbours uses them until the context ends.
func (d *DataPath) keepNeighbours(ctx context.Context) {
	tick := time.NewTicker(useEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if d.Carried() > 0 {
				d.useNeighbours()
			}
		}
	}
}
