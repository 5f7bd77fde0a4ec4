package main

import (
	"maps"

	"lnsgate/aaa/eap"
	"lnsgate/aaa/guard"
	"lnsgate/lns/admin"
	"lnsgate/lns/datapath/tun"
	"lnsgate/lns/transport"
)

// figures is the engine with the counts of the rooms beneath it.
type figures struct {
	admin.Engine
	transport *transport.Transport
	path      *tun.DataPath
	db        *database // nil without one
	radius    *radiusGroups
	books     *books

	authorization *authorization
	answering     *answering  // nil: no NAS of others is answered
	eap           *eap.Server // nil: nobody is offered EAP
	fast          fastPath
	bans          *guard.Bans // nil: nobody is banned, and nobody has to wait
	guesses       *guard.Guard
}

// Counters returns those of the engine, and by prefix: "udp_" those of the sockets together, "tun_" those of the virtual
// templates together, "db_" and "spool_" those of the database and of the records for it, "radius_" those of the RADIUS
// servers of all groups together, "dynauth_" what they asked of us, "nas_" those of our own RADIUS server for other NASes,
// "eap_" EAP conversations, "admission_" what became of requests for tunnels before anything was kept of them, "ebpf_" what is
// carried in the kernel now, if that is asked for, and what could not be. Names that end in "_sockets" tell how many there are
// now, and tun_offload is 1 while all virtual templates take large packets unsegmented. "tun_" with "refused_now" tells how
// many virtual templates are refused by this host what would make them faster: threads of the kernel where they are asked for,
// and a BPF program that chooses among several queues.
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
	maps.Copy(all, admissionFigures(f.transport.Admission()))
	maps.Copy(all, banFigures(f.bans, f.guesses))
	all["tun_offload"] = one(f.path.Capabilities().Offload)
	all["tun_merge_refused"] = f.path.MergeRefused()
	lacking := f.path.Lacking()
	all["tun_threads_refused_now"], all["tun_steering_refused_now"] = uint64(lacking.Threads), uint64(lacking.Steering)
	maps.Copy(all, f.fast.figures())
	if f.db != nil {
		maps.Copy(all, f.db.figures())
	}
	maps.Copy(all, f.radius.figures())
	maps.Copy(all, f.books.figures())
	maps.Copy(all, f.authorization.figures())
	maps.Copy(all, f.answering.figures())
	maps.Copy(all, eapFigures(f.eap))
	return all
}

// admissionFigures are the decisions about strangers, those that have not happened yet too.
func admissionFigures(a *transport.Admission) map[string]uint64 {
	stats := a.Stats()
	all := map[string]uint64{"admission_admitted": stats.Admitted}
	for _, r := range transport.Refusals() {
		all["admission_"+r.String()] = stats.Refused[r.String()]
	}
	return all
}

// figures are those of the rooms that work with the database. Names that end in "_now" tell how it is at this moment, the
// others count from the start.
func (d *database) figures() map[string]uint64 {
	connections, leases, records := d.pool.Stat(), d.leases.Stats(), d.spool.Stats()
	return map[string]uint64{
		"db_reached_now":           one(leases.Attached),
		"db_connections_now":       uint64(connections.TotalConns()),
		"db_connections_busy_now":  uint64(connections.AcquiredConns()),
		"db_changes":               d.heard.Load(),
		"db_logins_written":        d.attempts.Written(),
		"db_logins_lost":           d.attempts.Lost(),
		"db_leases_now":            uint64(leases.Held),
		"db_lease_blocks_now":      uint64(leases.Blocks),
		"db_leases_unwritten_now":  uint64(leases.Unwritten),
		"db_leases_written":        leases.Written,
		"db_lease_conflicts":       leases.Conflicts,
		"db_lease_refused":         leases.Refused,
		"db_lease_mended":          leases.Mended,
		"db_lease_taken_over":      leases.TakenOver,
		"spool_accepted":           records.Accepted,
		"spool_lost":               records.Lost,
		"spool_written":            records.Written,
		"spool_delivered":          records.Delivered,
		"spool_memory_now":         uint64(records.Memory),
		"spool_waiting_now":        uint64(records.Waiting),
		"spool_refused_now":        uint64(records.Refused),
		"spool_disk_fault_now":     one(records.DiskFault != nil),
		"spool_delivery_fault_now": one(records.SinkFault != nil),
	}
}

func one(yes bool) uint64 {
	if yes {
		return 1
	}
	return 0
}
