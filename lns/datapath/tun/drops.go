package tun

import (
	"sync/atomic"

	"lnsgate/lns/datapath"
)

// drops counts packets that were not carried, by reason.
type drops [datapath.Reasons]atomic.Uint64

func (d *drops) add(reason datapath.Reason, n int) { d[reason].Add(uint64(n)) }

// byReason lists all reasons, those with no drops too, so that a metric exists before its first packet.
func (d *drops) byReason() map[string]uint64 {
	m := make(map[string]uint64, len(d))
	for reason := range datapath.Reasons {
		m[reason.String()] = d[reason].Load()
	}
	return m
}
