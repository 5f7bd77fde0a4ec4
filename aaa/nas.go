package aaa

import (
	"net/netip"
	"time"
)

// NAS is where a session lives that lnsgate does not carry itself: another NAS asks lnsgate by RADIUS and tells of its
// sessions. These are the words that name the session in a request to end or change it (RFC 5176 section 3).
type NAS struct {
	Name       string     // in records: Client, and which one where that stands for several
	Client     string     // whose secret, kind and policy it has
	Address    netip.Addr // where it is reached
	Identifier string     // NAS-Identifier; "" = none
	Session    string     // Acct-Session-Id; "" = it did not say yet
	Port       uint32     // NAS-Port; 0 = it did not say
	PortID     string     // NAS-Port-Id; "" = it did not say
	PortType   uint32     // NAS-Port-Type; 0 = it did not say
}

// SameTime is how far apart two estimates of one moment may be, such as the start of a NAS's session: a NAS counts seconds, and its
// records take some time to arrive.
const SameTime = time.Minute

// IsSameTime says that two estimates may be of one moment.
func IsSameTime(a, b time.Time) bool { return a.Sub(b).Abs() <= SameTime }

// Terms are what a session was granted and what of it can be changed while it lives.
type Terms struct {
	SessionTimeout, IdleTimeout time.Duration // 0 = no limit
	Interim                     time.Duration // between two interim records; 0 = none
	RateUp, RateDown            uint64        // bits per second; 0 = no limit
	Filter                      string        // by name; "" = none
}

// Terms are those of a decision.
func (d *Decision) Terms() Terms {
	return Terms{
		SessionTimeout: d.SessionTimeout, IdleTimeout: d.IdleTimeout, Interim: d.Interim,
		RateUp: d.RateUp, RateDown: d.RateDown, Filter: d.Filter,
	}
}
