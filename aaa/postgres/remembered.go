package postgres

import (
	"hash/maphash"
	"sync"
	"time"
)

// Times of what is remembered.
const (
	// proven is how long it is taken for granted that nothing has changed, from the moment at which the database was asked
	// for a sign that every notice before it has been heard. It bounds the age of a wrong answer.
	proven = 700 * time.Millisecond
	// rememberedFor bounds the life of a row, whatever is heard: the server that is listened to and the one that answers
	// might not be the same.
	rememberedFor = 5 * time.Minute
)

// remembered holds rows of accounts that logged in lately, so that who comes back costs no question. It holds what the
// database holds: sealed credentials and slow hashes, never a clear password, and never that somebody does not exist.
//
// A Watcher keeps it true. It is closed, and empty, as long as no Watcher hears what changes; and it answers only as long
// as the last sign of life of the database is fresh, so a connection that hangs, or a process that was stopped for a
// while, cannot make it tell what was true once. It is safe for concurrent use.
//
// The rows are in two generations. Those that are used are in the young one; when that is full, it becomes the old one,
// and what was in the old one and has not been used since is forgotten. So the memory is bounded.
type remembered struct {
	most int // rows in one generation; 0: nothing is remembered

	mu         sync.Mutex
	young, old map[string]line // by the name asked
	until      time.Time       // what is remembered is true until then; zero: closed
	seed       maphash.Seed
	all        uint64      // counts what concerned every name
	some       [256]uint64 // counts what concerned a name with such a hash
}

// line is an account as it was read, for a name as typed and a domain.
type line struct {
	account *account // not changed by anybody
	domain  string
	asked   time.Time // by the clock of this node: it was read then, or later
}

// ticket tells whether anything was heard of a name since.
type ticket struct{ all, some uint64 }

func newRemembered(most int) *remembered {
	return &remembered{most: most / 2, young: map[string]line{}, old: map[string]line{}, seed: maphash.MakeSeed()}
}

// get returns what is remembered of a name, as it would be read now; nil is nothing. An answer that took long was true when
// the database gave it, which is not known: for the account it is rather later than it is, never earlier. Nobody may change it.
func (m *remembered) get(name, domain string, now time.Time) *account {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, young := m.young[name]
	if !young {
		r = m.old[name]
	}
	if r.account == nil || r.domain != domain || !now.Before(m.until) || now.Sub(r.asked) >= rememberedFor {
		return nil
	}
	if !young {
		delete(m.old, name)
		m.keep(name, r)
	}
	if r.account.from.IsZero() && r.account.until.IsZero() { // it is the same at any time
		return r.account
	}
	a := *r.account
	a.now = a.now.Add(now.Sub(r.asked))
	return &a
}

// now returns a ticket for a name, to be taken before the database is asked.
func (m *remembered) now(name string) ticket {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.ticket(name)
}

// ticket is one for a name. The lock is held.
func (m *remembered) ticket(name string) ticket { return ticket{m.all, m.some[m.slot(name)]} }

func (m *remembered) slot(name string) uint8 { return uint8(maphash.String(m.seed, name)) }

// put remembers a row that was asked for with a ticket, and when, unless something was heard of the name meanwhile: the row
// may be from before that.
func (m *remembered) put(t ticket, name, domain string, a *account, asked time.Time) {
	if m.most == 0 || !a.mayBeRemembered() {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if !asked.Before(m.until) || t != m.ticket(name) {
		return
	}
	delete(m.old, name)
	m.keep(name, line{a, domain, asked})
}

// keep puts a row among the young ones. The lock is held.
func (m *remembered) keep(name string, r line) {
	if _, there := m.young[name]; !there && len(m.young) >= m.most {
		m.young, m.old = make(map[string]line, m.most), m.young
	}
	m.young[name] = r
}

// mayBeRemembered reports whether the row of an account holds no secret in clear, and may log in now: who may not yet must
// not because somebody thinks that it is later than it is.
func (a *account) mayBeRemembered() bool {
	for i := range a.forms {
		if a.forms[i].kind == kindNT && a.forms[i].key == "" {
			return false // as good as the password for whoever has it
		}
	}
	return a.usual() && a.password == ""
}

// heard forgets what a change may concern.
func (m *remembered) heard(c Change) {
	switch c.Table {
	case Sessions, PoolRanges, DomainPools, DomainAliases, NASes:
		return // no part of a row
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	byName := c.Table == Accounts || c.Table == Credentials || c.Table == StaticAddresses
	if c.All || !byName {
		m.clear()
		return
	}
	m.some[m.slot(c.Key)]++
	delete(m.young, c.Key)
	delete(m.old, c.Key)
}

// clear forgets everything, also what is being read. The lock is held.
func (m *remembered) clear() {
	m.all++
	m.young, m.old = map[string]line{}, map[string]line{}
}

// open begins to remember. From now on every change is heard.
func (m *remembered) open() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.clear() // what is being read may be from before
}

// sure says that every change has been heard that was committed before a moment.
func (m *remembered) sure(at time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.until = at.Add(proven)
}

// close forgets everything, and remembers nothing until open and sure.
func (m *remembered) close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.clear()
	m.until = time.Time{}
}

// size is how many rows are remembered.
func (m *remembered) size() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.young) + len(m.old)
}

// certain reports whether what is remembered counts.
func (m *remembered) certain(now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return now.Before(m.until)
}
