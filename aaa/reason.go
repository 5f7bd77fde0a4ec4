package aaa

import "fmt"

// Reason tells more of a rejection than its cause. What is done about a rejection follows from the cause alone; the reason is
// for whoever explains it to the administrator. ReasonNone: the cause says all there is.
type Reason uint8

// The reasons.
const (
	ReasonNone Reason = iota

	NearMissDomain // UnknownUser: an account has the name with another domain, or without one
	NearMissName   // UnknownUser: an account has nearly this name

	NameDelayed     // TooManyFailures: of this name
	SourceDelayed   // TooManyFailures: of the peer's address
	AccountBanned   // TooManyFailures: the account is shut out for a time
	SourceBanned    // TooManyFailures: the peer's address is
	AccountSessions // SessionLimit: of the account
	DomainSessions  // SessionLimit: of the domain

	DatabaseAway      // the database could not be asked, or not in time
	TooManyChecks     // too many logins are being checked at once
	RADIUSNoAnswer    // no RADIUS server answered
	RADIUSWrongSecret // a RADIUS server answered, with another secret
	RADIUSUnsigned    // a RADIUS server answered, without the Message-Authenticator that is wanted of it
	RADIUSGrant       // a RADIUS server granted what this server cannot give
	EAPNoMethod       // the peer wants none of the EAP methods that are offered
	EAPBrokeOff       // the EAP conversation came to no good end

	NoSuchPool     // Misconfigured: the pool that is named
	NoSuchFilter   // Misconfigured: the filter that is named
	NoSuchTemplate // Misconfigured: the virtual template that is named
	RouteTaken     // Misconfigured: a network behind the peer overlaps another
	SealKeyMissing // Misconfigured: of the password that is stored
	reasonCount
)

var reasonWords = [reasonCount]string{
	ReasonNone:        "no reason",
	NearMissDomain:    "the domain was left out, added or written otherwise",
	NearMissName:      "nearly the name of an account",
	NameDelayed:       "the name must wait",
	SourceDelayed:     "the source must wait",
	AccountBanned:     "the account is banned",
	SourceBanned:      "the source is banned",
	AccountSessions:   "too many sessions of the account",
	DomainSessions:    "too many sessions of the domain",
	DatabaseAway:      "the database is away",
	TooManyChecks:     "too many logins are being checked",
	RADIUSNoAnswer:    "no RADIUS server answered",
	RADIUSWrongSecret: "a RADIUS server has another secret",
	RADIUSUnsigned:    "a RADIUS server does not sign",
	RADIUSGrant:       "a RADIUS server grants what cannot be given",
	EAPNoMethod:       "no EAP method in common",
	EAPBrokeOff:       "the EAP conversation broke off",
	NoSuchPool:        "no such pool",
	NoSuchFilter:      "no such filter",
	NoSuchTemplate:    "no such virtual template",
	RouteTaken:        "a network behind the peer is taken",
	SealKeyMissing:    "the key of the stored password is missing",
}

// String returns the reason in words.
func (r Reason) String() string {
	if r < reasonCount {
		return reasonWords[r]
	}
	return fmt.Sprintf("reason %d", uint8(r))
}

// Reasons returns every reason there is.
func Reasons() []Reason {
	all := make([]Reason, reasonCount)
	for i := range all {
		all[i] = Reason(i)
	}
	return all
}

// For gives a rejection its reason and returns it.
func (r *Rejection) For(reason Reason) *Rejection {
	r.Reason = reason
	return r
}
