package lns

import (
	"fmt"
	"sync/atomic"
)

// counter numbers what the engine counts: datagrams dropped by reason, and what became of tunnels and sessions.
type counter uint8

const (
	dropTruncated counter = iota
	dropNotL2TP
	dropUnknownTunnel
	dropWrongSource
	dropMailboxFull
	dropUnknownSession
	dropFrame
	dropControl
	dropTunnelZero
	dropBudget
	dropHalfOpenPerSource
	dropTunnelLimit
	dropNoGroup
	dropMalformedSCCRQ
	dropClosing
	evictedHalfOpen
	tunnelsOpened
	tunnelsClosed
	sessionsOpened
	sessionsClosed
	loginsAccepted
	loginsRejected
	sendFailed
	counterCount
)

var counterNames = [counterCount]string{
	dropTruncated:         "drop_truncated",
	dropNotL2TP:           "drop_not_l2tp",
	dropUnknownTunnel:     "drop_unknown_tunnel",
	dropWrongSource:       "drop_wrong_source",
	dropMailboxFull:       "drop_mailbox_full",
	dropUnknownSession:    "drop_unknown_session",
	dropFrame:             "drop_ppp_frame",
	dropControl:           "drop_control_message",
	dropTunnelZero:        "drop_tunnel_zero",
	dropBudget:            "drop_source_over_budget",
	dropHalfOpenPerSource: "drop_source_half_open_limit",
	dropTunnelLimit:       "drop_tunnel_limit",
	dropNoGroup:           "drop_no_l2tp_group",
	dropMalformedSCCRQ:    "drop_malformed_sccrq",
	dropClosing:           "drop_shutting_down",
	evictedHalfOpen:       "evicted_half_open_tunnels",
	tunnelsOpened:         "tunnels_opened",
	tunnelsClosed:         "tunnels_closed",
	sessionsOpened:        "sessions_opened",
	sessionsClosed:        "sessions_closed",
	loginsAccepted:        "logins_accepted",
	loginsRejected:        "logins_rejected",
	sendFailed:            "send_failed",
}

// String returns the name under which the counter is shown.
func (c counter) String() string {
	if c < counterCount {
		return counterNames[c]
	}
	return fmt.Sprintf("counter_%d", uint8(c))
}

// counters are safe for concurrent use.
type counters [counterCount]atomic.Uint64

func (c *counters) add(n counter) { c[n].Add(1) }

// Counters returns every count since the start by name; those of the data path are prefixed with "data_".
func (s *Server) Counters() map[string]uint64 {
	all := make(map[string]uint64, int(counterCount)+16)
	for n := counter(0); n < counterCount; n++ {
		all[n.String()] = s.counters[n].Load()
	}
	for reason, count := range s.deps.DataPath.Drops() {
		all["data_"+reason] = count
	}
	return all
}
