package aaa

import "fmt"

// Cause is why a request was rejected. It is for the administrator; the peer is told nothing of it.
type Cause uint8

// The causes.
const (
	CauseNone             Cause = iota
	UnknownUser                 // no back end of the chain knows the name
	WrongPassword               // the proof does not match the stored credential
	AccountDisabled             // the account exists and is switched off
	UnknownDomain               // the domain in the name, or the one the l2tp group asks for, does not exist
	MalformedName               // the name cannot be an identity, see ParseIdentity
	MalformedProof              // the proof has a wrong length or lacks its challenge
	MethodNotAllowed            // the domain does not accept the method the peer used
	NoCredentialForMethod       // the account's stored credential cannot check this method
	BackendUnavailable          // a back end could not be asked
	Timeout                     // the time allowed was used up
	SessionLimit                // the account or its domain has as many sessions as it may
	AccountExpired              // the account is not valid yet, or no longer
	DomainBlocked               // the domain is switched off
	TooManyFailures             // the account or the source must wait after failed logins
	Misconfigured               // what the account or domain asks for does not exist on this server
	OnlyAtLogin                 // of Authorize alone: the back end can tell only when the peer proves who it is; what it granted stays
	Refused                     // a RADIUS server said no, and does not say why
	NoAddress                   // no address is left for it, or its own is in use
)

var causeWords = [...]string{
	CauseNone:             "no cause",
	UnknownUser:           "unknown user",
	WrongPassword:         "wrong password",
	AccountDisabled:       "account disabled",
	UnknownDomain:         "unknown domain",
	MalformedName:         "malformed name",
	MalformedProof:        "malformed proof",
	MethodNotAllowed:      "authentication method not allowed",
	NoCredentialForMethod: "no credential for this authentication method",
	BackendUnavailable:    "back end unavailable",
	Timeout:               "timed out",
	SessionLimit:          "too many sessions",
	AccountExpired:        "account not valid at this time",
	DomainBlocked:         "domain blocked",
	TooManyFailures:       "too many failed logins",
	Misconfigured:         "configuration fault",
	OnlyAtLogin:           "known only at login",
	Refused:               "refused by the RADIUS server",
	NoAddress:             "no address",
}

// String returns the cause in words.
func (c Cause) String() string {
	if int(c) < len(causeWords) {
		return causeWords[c]
	}
	return fmt.Sprintf("cause %d", uint8(c))
}

// Rejection is the answer to a request that was not granted. It is an error. Nothing of it is for the peer but what says so.
type Rejection struct {
	Cause  Cause
	Reason Reason // more of the cause, where there is more to tell
	Detail string // for the administrator: the near miss, what to change
	Proven bool   // the peer has shown that it knows the password of the account, and may be told what is wrong with that

	// What the gateway knew when it gave up. Back ends leave these empty.
	Domain  string // the domain chosen, "" if none was
	Rule    string // in words: which rule chose it
	Backend string // the back end that rejected, "" if none was asked

	Err error // what a back end failed with, if it failed

	// What a RADIUS server wants the peer to be told.
	Reply  string // MS-CHAPv2: the whole failure message "E=691 R=0 ..."; PAP and CHAP: a text
	Packet []byte // EAP: the Failure
}

// Reject makes a rejection with a formatted detail.
func Reject(cause Cause, format string, args ...any) *Rejection {
	return &Rejection{Cause: cause, Detail: fmt.Sprintf(format, args...)}
}

// Error gives the cause, and the detail if there is one.
func (r *Rejection) Error() string {
	if r.Detail == "" {
		return r.Cause.String()
	}
	return r.Cause.String() + ": " + r.Detail
}

// Unwrap returns what a back end failed with.
func (r *Rejection) Unwrap() error { return r.Err }

// Retryable reports whether the same request may succeed later with nothing changed: the fault is on our side.
func (r *Rejection) Retryable() bool { return r.Cause == BackendUnavailable || r.Cause == Timeout }
