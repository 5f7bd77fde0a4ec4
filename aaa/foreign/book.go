package foreign

import (
	"cmp"
	"hash/maphash"
	"net/netip"
	"time"

	"lnsgate/aaa"
	"lnsgate/aaa/fair"
)

// entry is what this node knows of a session, from its login on. It is a value: who has taken the session's turn takes a copy
// out of the book and puts it back.
type entry struct {
	session string
	name    string    // as typed
	started time.Time // of the login, or what the NAS lets us think
	claimed time.Time // what it lets us think though it cannot be: its clock was set back
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

	leases leases
	own    [parts]bool   // they are those of its account alone
	rivals [parts]string // the sessions that have what this one says it has; "" = none

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

// mostTombs is how many sessions that have ended are remembered: for as long as a NAS may repeat a record.
const mostTombs = 1 << 16

// book is what this node knows in memory: logins and sessions, and those that have ended. It has no lock and no clock.
type book struct {
	most    int
	begun   time.Time // moments are kept as the time since then
	seed    maphash.Seed
	cards   map[string]*card
	recent  shelf             // the one that was changed longest ago first
	signs   map[uint64]*card  // logins that wait, by what else they are found by
	logins  []waiting         // for their Start, the one that is due first comes first, and some that do not any more
	waiting int               // logins that do
	unheard map[uint64]offers // of them, by unheardSigns
	scratch []byte            // to write cards in

	tombs   *fair.Map[string, tomb]
	reports *fair.Map[string, bool] // NASes that have sent an Interim
}

func newBook(most int, begun time.Time) *book {
	return &book{
		most: most, begun: begun, seed: maphash.MakeSeed(), cards: map[string]*card{}, signs: map[uint64]*card{},
		unheard: map[uint64]offers{},
		tombs:   fair.NewMap[string, tomb](mostTombs), reports: fair.NewMap[string, bool](mostReports),
	}
}

func (b *book) get(session string) (entry, bool) { return b.read(b.cards[session]) }

// read returns what a card says; nil says nothing.
func (b *book) read(c *card) (entry, bool) {
	if c == nil {
		return entry{}, false
	}
	return c.entry(b.begun), true
}

// set puts an entry into the book. The one that was changed longest ago gives way when there are too many; it is returned.
func (b *book) set(e entry) (out *entry) {
	c := b.cards[e.session]
	if c == nil {
		c = &card{}
		b.cards[e.session] = c
	} else {
		e.doomed = cmp.Or(e.doomed, c.doomed) // it may have been doomed since the copy was taken
		b.unlink(c)
		b.recent.remove(c)
	}
	b.scratch = c.write(&e, b.begun, b.scratch[:0])
	b.recent.add(c)
	b.exhume(e.session)
	b.link(c, &e)
	if len(b.cards) <= b.most {
		return nil
	}
	oldest := b.recent.first.entry(b.begun)
	b.drop(oldest.session)
	return &oldest
}

// doom has a login end as soon as it begins. False: it has begun, or is not known.
func (b *book) doom(session, reason string) bool {
	c := b.cards[session]
	if c == nil || c.live {
		return false
	}
	c.doomed = reason
	return true
}

// condemned says, once, why a session that has just begun is to end.
func (b *book) condemned(session string) (reason string) {
	if c := b.cards[session]; c != nil {
		reason, c.doomed = c.doomed, ""
	}
	return reason
}

// drop forgets a session.
func (b *book) drop(session string) {
	if c := b.cards[session]; c != nil {
		b.unlink(c)
		b.recent.remove(c)
		delete(b.cards, session)
		*c = card{gone: true} // it may be among the logins still
	}
}

// waiting is a login that waits for its Start until then.
type waiting struct {
	card  *card
	until time.Duration // since the book was begun
}

// waits says that it still does, and not for longer: one that has asked anew comes again.
func (w *waiting) waits() bool { return !w.card.gone && !w.card.live && w.card.until == w.until }

// link makes it possible to find a login by other names than its own.
func (b *book) link(c *card, e *entry) {
	if c.live {
		return
	}
	b.waiting++
	b.logins = append(b.logins, waiting{c, c.until})
	c.unheard = b.unheardOf(e)
	b.count(c.unheard, c.until)
	c.signs = [...]uint64{b.placeSign(e), b.nasSign(e.nas.Name, e.nas.Session),
		b.addressSign(e.leases[four].Address), b.addressSign(e.leases[link].Address), b.addressSign(e.leases[delegated].Address)}
	for _, sign := range c.signs {
		if sign != 0 {
			b.signs[sign] = c
		}
	}
}

func (b *book) unlink(c *card) {
	if c.live {
		return
	}
	b.waiting--
	b.discount(c.unheard, c.until)
	for _, sign := range c.signs {
		if b.signs[sign] == c {
			delete(b.signs, sign)
		}
	}
}

// before returns the login that waits for its Start and comes from the same place.
func (b *book) before(e *entry) (entry, bool) {
	old, there := b.read(b.signs[b.placeSign(e)])
	if !there || old.session == e.session || old.place() != e.place() {
		return entry{}, false
	}
	return old, true
}

// offeredTo returns the login that waits for its Start and was offered an address.
func (b *book) offeredTo(a netip.Addr) (entry, bool) {
	e, there := b.read(b.signs[b.addressSign(a)])
	return e, there && e.leases[four].Address == a
}

// claim takes the login out of the book that a record belongs to whose NAS does not send Class back.
func (b *book) claim(r *aaa.Record) (entry, bool) {
	e, there := b.read(b.signs[b.nasSign(r.NAS.Name, r.NAS.Session)])
	if there && e.nas.Session != r.NAS.Session {
		return entry{}, false
	}
	for p := part(0); p < parts && !there; p++ {
		has := leaseOf(told(p, r)).Address
		if e, there = b.read(b.signs[b.addressSign(has)]); there && e.leases[p].Address != has {
			return entry{}, false
		}
	}
	if !there || e.nas.Name != r.NAS.Name || r.Name != "" && r.Name != e.name && r.Name != e.userName {
		return entry{}, false
	}
	b.drop(e.session)
	return e, true
}

// loginsAt returns the logins that wait for their Start, of a NAS, and that began before.
func (b *book) loginsAt(nas string, before time.Time) (sessions []string) {
	for _, w := range b.logins {
		if !w.waits() {
			continue
		}
		if e := w.card.entry(b.begun); e.nas.Name == nas && e.started.Before(before) {
			sessions = append(sessions, e.session)
		}
	}
	return sessions
}

// lapsed returns the logins that nobody waits for any more, and when the next one is due: zero when there is none.
func (b *book) lapsed(now time.Time) (sessions []string, next time.Time) {
	n := 0
	for ; n < len(b.logins); n++ {
		w := b.logins[n]
		if !w.waits() {
			continue
		}
		if until := b.begun.Add(w.until); until.After(now) {
			next = until
			break
		}
		sessions = append(sessions, w.card.session)
	}
	clear(b.logins[:n])
	b.logins = b.logins[n:]
	return sessions, next
}

// bury notes that a session of a client has ended, and forgets the rest of it.
func (b *book) bury(session, client string, t tomb) {
	b.drop(session)
	b.tombs.Put(session, t, client)
}

// exhume forgets that a session has ended: it has not.
func (b *book) exhume(session string) { b.tombs.Delete(session) }

// quiet returns sessions of which nothing was heard since before the patience that one may have, at most so many.
func (b *book) quiet(now time.Time, most int) (sessions []string) {
	for c := b.recent.first; c != nil && len(sessions) < most; c = c.newer {
		silence := now.Sub(b.begun.Add(c.heard))
		if silence < Patience(&aaa.Terms{Interim: 1}) {
			break
		}
		if !c.live {
			continue
		}
		if e := c.entry(b.begun); silence > b.patience(e.nas.Name, e.terms, e.sequence) {
			sessions = append(sessions, e.session)
		}
	}
	return sessions
}

// mostReports is how many NASes that send Interims are remembered.
const mostReports = 1 << 16

// reported notes that a NAS of a client sends Interims.
func (b *book) reported(nas, client string) {
	if !b.sendsInterims(nas) {
		b.reports.Put(nas, true, client)
	}
}

func (b *book) sendsInterims(nas string) bool {
	_, does := b.reports.Get(nas)
	return does
}

// firstSequence is that of a Start.
const firstSequence = 1

// patience is how long a session may be silent. A NAS was asked for Interims with the Accept, and may not have listened: until
// it has sent one, the silence of a session that has had no more than its Start tells nothing.
func (b *book) patience(nas string, t *aaa.Terms, sequence uint32) time.Duration {
	if sequence <= firstSequence && !b.sendsInterims(nas) {
		return Patience(nil)
	}
	return Patience(t)
}
