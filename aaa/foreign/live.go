package foreign

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"lnsgate/aaa"
)

// List returns the live sessions, each by its last record, the oldest first.
func (s *Sessions) List(ctx context.Context, q Query) ([]aaa.Record, error) {
	return s.config.Store.Find(ctx, q)
}

// Find implements aaa.Sessions.
func (s *Sessions) Find(ctx context.Context, m aaa.Match) []aaa.Live {
	if m.LocalTunnel != 0 || m.LocalSession != 0 {
		return nil // they are in no tunnel of ours
	}
	found, err := s.config.Store.Find(ctx, Query{Session: m.Session, Name: m.Name})
	if err != nil {
		s.config.Log.Warn("foreign: sessions could not be looked for", "cause", err)
	}
	var live []aaa.Live
	for i := range found {
		if r := &found[i]; matches(&m, r) {
			live = append(live, aaa.Live{
				Session: r.Session, Name: r.Name, UserName: cmp.Or(r.UserName, r.Name), Account: r.Account, Domain: r.Domain,
				Backend: r.Backend, Address: r.Address, Peer: r.Peer, Since: r.Started,
			})
		}
	}
	return live
}

// matches compares what the Store does not.
func matches(m *aaa.Match, r *aaa.Record) bool {
	is := func(wanted, have string) bool { return wanted == "" || wanted == have }
	for _, wanted := range m.Class {
		if !slices.ContainsFunc(r.Class, func(have []byte) bool { return bytes.Equal(have, wanted) }) {
			return false
		}
	}
	return is(m.UserName, cmp.Or(r.UserName, r.Name)) && is(m.CallingNumber, r.CallingNumber) && is(m.CalledNumber, r.CalledNumber) &&
		(!m.Address.IsValid() || m.Address.Unmap() == r.Address.Unmap()) &&
		(!m.Peer.IsValid() || m.Peer.Unmap() == r.Peer.Addr().Unmap()) &&
		(m.CUI == nil || bytes.Equal(m.CUI, r.CUI))
}

// Change implements aaa.Sessions: the NASes are ordered to. What a NAS cannot change shows in its answer, which the order keeps.
func (s *Sessions) Change(ctx context.Context, sessions []string, c aaa.Change) error {
	return each(ctx, sessions, func(session string) error {
		found, err := s.config.Store.Find(ctx, Query{Session: session, Limit: 1})
		if err != nil || len(found) == 0 {
			return err
		}
		var terms aaa.Terms
		if found[0].Terms != nil {
			terms = *found[0].Terms
		}
		_, err = s.order(ctx, &found[0], Order{
			Key: s.onceOnly("change"), Kind: Change, Terms: changed(terms, &c), Changed: c, Reason: "it was asked to be changed",
		})
		return err
	})
}

// changed are terms after a change.
func changed(t aaa.Terms, c *aaa.Change) aaa.Terms {
	set(&t.SessionTimeout, c.SessionTimeout)
	set(&t.IdleTimeout, c.IdleTimeout)
	set(&t.Interim, c.Interim)
	set(&t.RateUp, c.RateUp)
	set(&t.RateDown, c.RateDown)
	set(&t.Filter, c.Filter)
	return t
}

func set[T any](value *T, change *T) {
	if change != nil {
		*value = *change
	}
}

// Disconnect implements aaa.Sessions: the NAS is ordered to. A login that waits for its Start is ended when that comes.
func (s *Sessions) Disconnect(ctx context.Context, session, reason string) bool {
	return s.disconnect(ctx, session, reason, s.onceOnly("disconnect"))
}

// End is Disconnect for what every node hears that shares the Store: of any number that say it one order comes.
func (s *Sessions) End(ctx context.Context, session, reason string) bool {
	return s.disconnect(ctx, session, reason, "end: "+reason)
}

func (s *Sessions) disconnect(ctx context.Context, session, reason, key string) bool {
	found, err := s.config.Store.Find(ctx, Query{Session: session, Limit: 1})
	if err == nil && len(found) == 0 {
		s.mu.Lock()
		doomed := s.book.doom(session, reason)
		e, known := s.book.get(session)
		s.mu.Unlock()
		if doomed || !known {
			return doomed
		}
		found = []aaa.Record{e.record()} // it has just begun, and the Store will know
	}
	if err == nil {
		_, err = s.order(ctx, &found[0], Order{Key: key, Kind: Disconnect, Reason: reason})
	}
	if err != nil {
		s.config.Log.Error("foreign: the NAS could not be told to end a session; try again", "session", session, "cause", err)
	}
	return err == nil
}

// record names a session that no Store knows yet.
func (e *entry) record() aaa.Record {
	nas := e.nas
	r := aaa.Record{
		Kind: aaa.RecordInterim, Session: e.session, Sequence: e.sequence, Started: e.started, At: e.heard, Name: e.name, Account: e.account,
		Domain: e.domain, Backend: e.backend, Method: e.method, Address: e.leases[four].Address, Pool: e.leases[four].Pool, Peer: e.peer,
		CallingNumber: e.calling, NAS: &nas, Terms: e.terms, UserName: e.userName, Class: e.class, CUI: e.cui, Sinks: e.sinks,
	}
	e.tellPrefixes(&r)
	return r
}

// onceOnly makes a key that no other order has: who asks by hand asks again when it is to be told again.
func (s *Sessions) onceOnly(what string) string {
	return fmt.Sprintf("%s asked at %s on %s", what, s.config.Now().UTC().Format(time.RFC3339Nano), s.config.Node)
}
