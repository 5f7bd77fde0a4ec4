package foreign

import (
	"cmp"
	"container/list"
	"net/netip"
	"time"

	"lnsgate/aaa"
	"lnsgate/pool"
)

// entry is what this node knows of a session, from its login on. It is a value: who has taken the session's turn takes a copy
// out of the book and puts it back.
type entry struct {
	session string
	name    string    // as typed
	started time.Time // of the login, or what the NAS lets us think
	live    bool      // it has had a record; else it is a login that waits for one
	until   time.Time // of a login: when nobody waits for its Start any more
	asked   time.Time // of a login: when its account was asked about
	doomed  string    // of a login: why it is to end as soon as it begins; "" = it is not

	account, domain, backend string
	method                   aaa.Method
	nas                      aaa.NAS
	peer                     netip.AddrPort
	calling                  string
	terms                    *aaa.Terms
	sinks                    []string
	userName                 string
	class                    [][]byte
	cui                      []byte

	lease pool.Lease // of ours; no Address: it has none
	own   bool       // the lease is the address of its account alone
	rival string     // the session that has the address that this one says it has; "" = none

	counted bool      // it is to be in the registry
	entered time.Time // when it was last entered; zero: it is not
	limits  limits    // zero: they do not keep out a session that is up

	sequence uint32    // of its last record that is stored
	heard    time.Time // when that came
}

// limits are those of a login.
type limits struct {
	account, domain int
	policy          aaa.SessionPolicy
}

// tomb is what is left of a session that has ended.
type tomb struct {
	sequence uint32
	started  time.Time
	before   time.Time // records of what was before are late: the NAS has restarted then
}

// place is from where somebody logs in. While a login waits for its Start, the next one from there is the same one again.
type place struct {
	nas, name, portID, calling string
	port                       uint32
}

// nasSession is a session as its NAS names it.
type nasSession struct{ nas, id string }

// mostTombs is how many sessions that have ended are remembered: for as long as a NAS may repeat a record.
const mostTombs = 1 << 16

// book is what this node knows in memory: logins and sessions, and those that have ended. It has no lock and no clock.
type book struct {
	most    int
	entries map[string]*list.Element // of *entry
	recent  *list.List               // of *entry: the one that was changed longest ago first
	logins  []string                 // that wait for their Start, the oldest first, and some that do not any more
	waiting int                      // logins that do

	// Of logins that wait.
	byPlace   map[place]string
	byNAS     map[nasSession]string
	byAddress map[netip.Addr]string

	tombs   map[string]tomb
	buried  []string        // the oldest first
	reports map[string]bool // NASes that have sent an Interim
}

func newBook(most int) *book {
	return &book{
		most: most, entries: map[string]*list.Element{}, recent: list.New(), byPlace: map[place]string{}, byNAS: map[nasSession]string{},
		byAddress: map[netip.Addr]string{}, tombs: map[string]tomb{}, reports: map[string]bool{},
	}
}

func (b *book) get(session string) (entry, bool) {
	if at := b.entries[session]; at != nil {
		return *at.Value.(*entry), true
	}
	return entry{}, false
}

// set puts an entry into the book. The one that was changed longest ago gives way when there are too many; it is returned.
func (b *book) set(e entry) (out *entry) {
	if at := b.entries[e.session]; at != nil {
		e.doomed = cmp.Or(e.doomed, at.Value.(*entry).doomed) // it may have been doomed since the copy was taken
		b.unlink(at.Value.(*entry))
		at.Value = &e
		b.recent.MoveToBack(at)
	} else {
		b.entries[e.session] = b.recent.PushBack(&e)
	}
	b.exhume(e.session)
	b.link(&e)
	if len(b.entries) <= b.most {
		return nil
	}
	oldest := *b.recent.Front().Value.(*entry)
	b.drop(oldest.session)
	return &oldest
}

// doom has a login end as soon as it begins. False: it has begun, or is not known.
func (b *book) doom(session, reason string) bool {
	at := b.entries[session]
	if at == nil || at.Value.(*entry).live {
		return false
	}
	at.Value.(*entry).doomed = reason
	return true
}

// condemned says, once, why a session that has just begun is to end.
func (b *book) condemned(session string) (reason string) {
	if at := b.entries[session]; at != nil {
		e := at.Value.(*entry)
		reason, e.doomed = e.doomed, ""
	}
	return reason
}

// drop forgets a session.
func (b *book) drop(session string) {
	if at := b.entries[session]; at != nil {
		b.unlink(b.recent.Remove(at).(*entry))
		delete(b.entries, session)
	}
}

// link makes it possible to find a login by other names than its own.
func (b *book) link(e *entry) {
	if e.live {
		return
	}
	b.waiting++
	b.logins = append(b.logins, e.session)
	if p, ok := e.place(); ok {
		b.byPlace[p] = e.session
	}
	if e.nas.Session != "" {
		b.byNAS[nasSession{e.nas.Name, e.nas.Session}] = e.session
	}
	if e.lease.Address.IsValid() {
		b.byAddress[e.lease.Address] = e.session
	}
}

func (b *book) unlink(e *entry) {
	if e.live {
		return
	}
	b.waiting--
	if p, _ := e.place(); b.byPlace[p] == e.session {
		delete(b.byPlace, p)
	}
	if n := (nasSession{e.nas.Name, e.nas.Session}); b.byNAS[n] == e.session {
		delete(b.byNAS, n)
	}
	if b.byAddress[e.lease.Address] == e.session {
		delete(b.byAddress, e.lease.Address)
	}
}

// place says from where a login came, if the NAS said so.
func (e *entry) place() (place, bool) {
	p := place{e.nas.Name, e.name, e.nas.PortID, e.calling, e.nas.Port}
	return p, p.port != 0 || p.portID != "" || p.calling != ""
}

// before returns the login that waits for its Start and comes from the same place.
func (b *book) before(e *entry) (entry, bool) {
	p, ok := e.place()
	if session := b.byPlace[p]; ok && session != "" && session != e.session {
		return b.get(session)
	}
	return entry{}, false
}

// claim takes the login out of the book that a record belongs to whose NAS does not send Class back.
func (b *book) claim(r *aaa.Record) (entry, bool) {
	session := b.byNAS[nasSession{r.NAS.Name, r.NAS.Session}]
	if session == "" && r.Address.IsValid() {
		session = b.byAddress[r.Address]
	}
	e, there := b.get(session)
	if !there || e.nas.Name != r.NAS.Name || r.Name != "" && r.Name != e.name && r.Name != e.userName {
		return entry{}, false
	}
	b.drop(session)
	return e, true
}

// lapsed returns the logins that nobody waits for any more, and when the next one is due: zero when there is none.
func (b *book) lapsed(now time.Time) (sessions []string, next time.Time) {
	n := 0
	for ; n < len(b.logins); n++ {
		e, there := b.get(b.logins[n])
		if !there || e.live {
			continue
		}
		if e.until.After(now) {
			next = e.until
			break
		}
		sessions = append(sessions, e.session)
	}
	b.logins = b.logins[n:]
	return sessions, next
}

// bury notes that a session has ended, and forgets the rest of it.
func (b *book) bury(session string, t tomb) {
	b.drop(session)
	if _, again := b.tombs[session]; !again {
		b.buried = append(b.buried, session)
	}
	b.tombs[session] = t
	for len(b.buried) > mostTombs {
		delete(b.tombs, b.buried[0])
		b.buried = b.buried[1:]
	}
}

// exhume forgets that a session has ended: it has not.
func (b *book) exhume(session string) { delete(b.tombs, session) }

// quiet returns sessions of which nothing was heard since before the patience that one may have, at most so many.
func (b *book) quiet(now time.Time, most int) (sessions []string) {
	for at := b.recent.Front(); at != nil && len(sessions) < most; at = at.Next() {
		e := at.Value.(*entry)
		if now.Sub(e.heard) < Patience(&aaa.Terms{Interim: 1}) {
			break
		}
		if e.live && now.Sub(e.heard) > b.patience(e.nas.Name, e.terms, e.sequence) {
			sessions = append(sessions, e.session)
		}
	}
	return sessions
}

// mostReports is how many NASes that send Interims are remembered.
const mostReports = 1 << 16

// reported notes that a NAS sends Interims.
func (b *book) reported(nas string) {
	if len(b.reports) >= mostReports {
		clear(b.reports)
	}
	b.reports[nas] = true
}

// firstSequence is that of a Start.
const firstSequence = 1

// patience is how long a session may be silent. A NAS was asked for Interims with the Accept, and may not have listened: until
// it has sent one, the silence of a session that has had no more than its Start tells nothing.
func (b *book) patience(nas string, t *aaa.Terms, sequence uint32) time.Duration {
	if sequence <= firstSequence && !b.reports[nas] {
		return Patience(nil)
	}
	return Patience(t)
}
