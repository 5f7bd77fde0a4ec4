package main

import (
	"lnsgate/lns/admin"
	"lnsgate/lns/datapath/tun"
	"lnsgate/lns/transport"
)

// figures is the engine with the counts of the rooms beneath it.
type figures struct {
	admin.Engine
	transport *transport.Transport
	path      *tun.DataPath
}

// Counters returns those of the engine, and by prefix: "udp_" those of the sockets together, "tun_" those of the virtual
// templates together. Names that end in "_sockets" tell how many there are now, and tun_offload is 1 while all virtual
// templates take large packets unsegmented.
func (f figures) Counters() map[string]uint64 {
	all := f.Engine.Counters()
	for _, name := range []string{"udp_rx_buffer_full", "udp_tx_buffer_full"} { // shown even before they happen
		all[name] = 0
	}
	for _, s := range f.transport.Stats().Sockets {
		all["udp_sockets"]++
		all["udp_gso_sockets"] += one(s.GSO)
		all["udp_gro_sockets"] += one(s.GRO)
		all["udp_gso_refused"] += s.GSORefused
		all["udp_rx_datagrams"] += s.RxDatagrams
		all["udp_rx_octets"] += s.RxOctets
		all["udp_tx_datagrams"] += s.TxDatagrams
		all["udp_tx_octets"] += s.TxOctets
		for reason, n := range s.Drops {
			all["udp_"+reason] += n
		}
	}
	all["tun_offload"] = one(f.path.Capabilities().Offload)
	all["tun_merge_refused"] = f.path.MergeRefused()
	return all
}

func one(yes bool) uint64 {
	if yes {
		return 1
	}
	return 0
}
