package aaa

import "context"

// Backend is a store of accounts. It is safe for concurrent use and keeps nothing of a Query after it returned.
//
// A no is a *Rejection: UnknownUser lets the chain go on to the next back end, any other cause ends it. Unknown user,
// wrong password and disabled account do the same work and look the same to the peer. A *Challenge means that the peer has to
// answer once more (EAP). Any other error, and a Rejection that is Retryable, means that the back end could not be asked.
type Backend interface {
	// Name is the name chains refer to, such as "local".
	Name() string
	// Authenticate checks the proof in the query.
	Authenticate(ctx context.Context, q *Query) (Grant, error)
	// Authorize does the same without looking at the proof: is the account still there, and what would it get. A back end
	// that cannot know without the proof rejects with OnlyAtLogin.
	Authorize(ctx context.Context, q *Query) (Grant, error)
}

// Authenticator answers requests. Gateway is one. The error is always a *Rejection, or for EAP a *Challenge.
type Authenticator interface {
	Authenticate(ctx context.Context, r *Request) (Decision, error)
	Authorize(ctx context.Context, r *Request) (Decision, error)
}
