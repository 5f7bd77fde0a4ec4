package lns

import (
	"errors"
	"fmt"
	"sync/atomic"

	"lnsgate/lns/control"
	"lnsgate/lns/l2tp"
)

// counter numbers what the engine counts: datagrams dropped by reason, and what became of tunnels and sessions.
type counter uint8

const (
	dropNotL2TP counter = iota
	dropUnknownTunnel
	dropWrongSource
	dropMailboxFull
	dropUnknownSession
	dropFrame
	dropUserData
	dropControl
	dropControlWindow
	dropControlUnexpected
	dropControlSession
	dropControlQueue
	dropControlAVP
	dropTunnelZero
	dropBannedSource
	dropBudget
	dropHalfOpenPerSource
	dropTunnelLimit
	dropNoGroup
	dropWithoutIPsec
	dropMalformedSCCRQ
	dropClosing
	dropNewcomersWaiting
	evictedHalfOpen
	sketchesMade
	sketchesAwakened
	evictedSketches
	tunnelsOpened
	tunnelsClosed
	tunnelsOldSecret
	tunnelsFollowed
	followsRefused
	sessionsOpened
	sessionsClosed
	loginsAccepted
	loginsRejected
	loginsChallenged
	eapTooLong
	sendFailed
	informsAnswered
	dropInform
	counterCount
)

var counterNames = [counterCount]string{
	dropNotL2TP:           "drop_not_l2tp",
	dropUnknownTunnel:     "drop_unknown_tunnel",
	dropWrongSource:       "drop_wrong_source",
	dropMailboxFull:       "drop_mailbox_full",
	dropUnknownSession:    "drop_unknown_session",
	dropFrame:             "drop_ppp_frame",
	dropUserData:          "drop_user_data_outside_open_session",
	dropControl:           "drop_control_message",
	dropControlWindow:     "drop_control_outside_window",
	dropControlUnexpected: "drop_control_unexpected_in_state",
	dropControlSession:    "drop_control_unknown_session",
	dropControlQueue:      "drop_control_queue_full",
	dropControlAVP:        "drop_control_bad_avp",
	dropTunnelZero:        "drop_tunnel_zero",
	dropBannedSource:      "drop_banned_source",
	dropBudget:            "drop_source_over_budget",
	dropHalfOpenPerSource: "drop_source_half_open_limit",
	dropTunnelLimit:       "drop_tunnel_limit",
	dropNoGroup:           "drop_no_l2tp_group",
	dropWithoutIPsec:      "drop_without_ipsec",
	dropMalformedSCCRQ:    "drop_malformed_sccrq",
	dropClosing:           "drop_shutting_down",
	dropNewcomersWaiting:  "drop_newcomers_waiting",
	evictedHalfOpen:       "evicted_half_open_tunnels",
	sketchesMade:          "half_open_sketches",
	sketchesAwakened:      "half_open_sketches_completed",
	evictedSketches:       "evicted_half_open_sketches",
	tunnelsOpened:         "tunnels_opened",
	tunnelsClosed:         "tunnels_closed",
	tunnelsOldSecret:      "tunnels_with_previous_secret",
	tunnelsFollowed:       "tunnels_followed",
	followsRefused:        "tunnels_not_followed",
	sessionsOpened:        "sessions_opened",
	sessionsClosed:        "sessions_closed",
	loginsAccepted:        "logins_accepted",
	loginsRejected:        "logins_rejected",
	loginsChallenged:      "logins_challenged",
	eapTooLong:            "eap_request_too_long_for_peer",
	sendFailed:            "send_failed",
	informsAnswered:       "dhcp_informs_answered",
	dropInform:            "drop_dhcp_question",
}

// String returns the name under which the counter is shown.
func (c counter) String() string {
	if c < counterCount {
		return counterNames[c]
	}
	return fmt.Sprintf("counter_%d", uint8(c))
}

// controlFault is which count a control message belongs to that was dropped, or answered with a refusal.
func controlFault(err error) counter {
	var message *l2tp.MessageError
	switch {
	case errors.As(err, &message):
		return dropControlAVP
	case errors.Is(err, control.ErrOutsideWindow), errors.Is(err, control.ErrAcknowledgement):
		return dropControlWindow
	case errors.Is(err, control.ErrUnexpected), errors.Is(err, control.ErrClosing), errors.Is(err, control.ErrFinished):
		return dropControlUnexpected
	case errors.Is(err, control.ErrUnknownSession), errors.Is(err, control.ErrSessionID):
		return dropControlSession
	case errors.Is(err, control.ErrQueueFull):
		return dropControlQueue
	default:
		return dropControl
	}
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
