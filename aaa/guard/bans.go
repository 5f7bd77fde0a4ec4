package guard

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Ban shuts a name or a network out. Exactly one of Account and Source is set.
type Ban struct {
	Account string       `json:"account,omitempty"` // as it is typed, or as it is stored
	Source  netip.Prefix `json:"source,omitzero"`   // of peers
	Since   time.Time    `json:"since"`
	Until   time.Time    `json:"until,omitzero"` // zero: until it is lifted
	Why     string       `json:"why,omitempty"`
	By      string       `json:"by"` // the operator, or Automatic
}

// Automatic is who made the bans that follow from failed logins.
const Automatic = "lnsgate"

// Who is the name or the network.
func (b *Ban) Who() string {
	if b.Account != "" {
		return b.Account
	}
	if b.Source.IsSingleIP() {
		return b.Source.Addr().String()
	}
	return b.Source.String()
}

func (b *Ban) over(now time.Time) bool { return !b.Until.IsZero() && !now.Before(b.Until) }

// words say until when, by whom and why, and how it ends.
func (b *Ban) words() string {
	until := "until it is lifted"
	if !b.Until.IsZero() {
		until = "until " + b.Until.UTC().Format("2006-01-02 15:04:05 MST")
	}
	return fmt.Sprintf("%s is banned %s by %s: %s; lnsgate bans lift %s", b.Who(), until, b.By, cmp.Or(b.Why, "no reason given"), b.Who())
}

// Policy says after how many failed logins in a row somebody is banned, and for how long. Zero failures: never.
type Policy struct {
	AccountFailures int
	AccountTime     time.Duration
	SourceFailures  int
	SourceTime      time.Duration
	Exempt          []netip.Prefix // networks that are not banned for failures; an operator may
}

// maxAutomatic bounds the bans that strangers can bring about; beyond it names and sources only wait.
const maxAutomatic = 1 << 16

// Bans are all that are in force on this node. It is safe for concurrent use, and a nil one bans nobody. Whether a source is banned is
// asked for every SCCRQ, so that takes no lock.
type Bans struct {
	policy   atomic.Pointer[Policy]
	store    Store
	refused  atomic.Uint64
	networks atomic.Pointer[networks]

	mu        sync.Mutex // guards the rest
	accounts  map[string]Ban
	sources   map[netip.Prefix]Ban
	automatic int
	most      int       // of them
	swept     time.Time // when room was last looked for
}

// sweepGap is how often room is looked for at most: a flood of failures must not have all bans looked at each time.
const sweepGap = 10 * time.Second

// Store keeps the bans of operators over a restart.
type Store interface {
	// Load returns what Save has kept.
	Load() ([]Ban, error)
	// Save keeps these and no others.
	Save([]Ban) error
}

// networks is a copy of the banned networks to look one up in.
type networks struct {
	bits [2][]int // the lengths that there are: of IPv4, of IPv6
	bans map[netip.Prefix]Ban
}

// NewBans reads what the store has kept. A store that cannot be read is an error, and the bans work without what it has kept.
func NewBans(p Policy, store Store, now time.Time) (*Bans, error) {
	b := &Bans{store: store, most: maxAutomatic, accounts: make(map[string]Ban), sources: make(map[netip.Prefix]Ban)}
	b.policy.Store(&p)
	kept, err := store.Load()
	for _, k := range kept {
		if k.Account = folded(k.Account); !k.over(now) {
			b.enter(k)
		}
	}
	b.publish()
	return b, err
}

// SetPolicy changes when bans are made. Those that there are stay.
func (b *Bans) SetPolicy(p Policy) { b.policy.Store(&p) }

// Account tells the ban of a name. Known is asked for somebody who only an operator can ban.
func (b *Bans) Account(name string, known bool, now time.Time) (Ban, bool) {
	if b == nil || name == "" {
		return Ban{}, false
	}
	b.mu.Lock()
	ban, ok := b.accounts[name]
	b.mu.Unlock()
	return b.counted(ban, ok && !ban.over(now) && (!known || ban.By != Automatic))
}

// Source tells the ban of an address: that of the smallest network around it.
func (b *Bans) Source(a netip.Addr, now time.Time) (Ban, bool) {
	if b == nil || !a.IsValid() {
		return Ban{}, false
	}
	n := b.networks.Load()
	if len(n.bans) == 0 {
		return Ban{}, false
	}
	a = a.Unmap().WithZone("")
	for _, bits := range n.bits[family(a)] {
		p, _ := a.Prefix(bits)
		if ban, ok := n.bans[p]; ok && !ban.over(now) {
			return b.counted(ban, true)
		}
	}
	return Ban{}, false
}

// Banned reports whether an address is banned.
func (b *Bans) Banned(a netip.Addr, now time.Time) bool {
	_, banned := b.Source(a, now)
	return banned
}

func (b *Bans) counted(ban Ban, banned bool) (Ban, bool) {
	if banned {
		b.refused.Add(1)
	}
	return ban, banned
}

func family(a netip.Addr) int {
	if a.Is4() {
		return 0
	}
	return 1
}

// Refused is how many logins and tunnels a ban has stopped.
func (b *Bans) Refused() uint64 { return b.refused.Load() }

// List tells the bans in force: those of names first, then those of networks.
func (b *Bans) List(now time.Time) []Ban {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.expire(now)
	all := slices.SortedFunc(maps.Values(b.accounts), func(x, y Ban) int { return cmp.Compare(x.Account, y.Account) })
	return append(all, slices.SortedFunc(maps.Values(b.sources), func(x, y Ban) int { return x.Source.Compare(y.Source) })...)
}

// Add bans a name or a network by an operator's word, in place of what ban it may have. The error is that of the store: the ban is in
// force, and a restart will not know of it.
func (b *Bans) Add(ban Ban) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	ban.Account = folded(ban.Account)
	if ban.By == Automatic { // somebody is called so, perhaps the service's own user
		ban.By = "operator " + Automatic
	}
	b.expire(ban.Since)
	b.enter(ban)
	b.publish()
	return b.save()
}

// Lift ends a ban. It says false when there is none. The error is as with Add.
func (b *Bans) Lift(account string, source netip.Prefix, now time.Time) (bool, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.expire(now)
	ban, ok := b.accounts[folded(account)]
	if account == "" {
		ban, ok = b.sources[source.Masked()]
	}
	if !ok {
		return false, nil
	}
	b.drop(ban)
	b.publish()
	return true, b.save()
}

// account bans a name for its failures, if it has enough of them, and says whether it did.
func (b *Bans) account(name string, failed int, now time.Time) bool {
	if b == nil {
		return false
	}
	p := b.policy.Load()
	return p.AccountFailures > 0 && failed >= p.AccountFailures &&
		b.punish(Ban{Account: name, Since: now, Until: now.Add(p.AccountTime), Why: inARow(failed)})
}

// source bans an address for its failures likewise.
func (b *Bans) source(a netip.Addr, failed int, now time.Time) bool {
	if b == nil || !a.IsValid() {
		return false
	}
	p := b.policy.Load()
	if p.SourceFailures <= 0 || failed < p.SourceFailures || slices.ContainsFunc(p.Exempt, func(e netip.Prefix) bool { return e.Contains(a) }) {
		return false
	}
	return b.punish(Ban{Source: hostOf(a), Since: now, Until: now.Add(p.SourceTime), Why: inARow(failed)})
}

func inARow(n int) string { return fmt.Sprintf("%d failed logins in a row", n) }

// hostOf is the network of one host: of IPv6 it commands a /64.
func hostOf(a netip.Addr) netip.Prefix {
	bits := a.BitLen()
	if a.Is6() {
		bits = 64
	}
	p, _ := a.WithZone("").Prefix(bits)
	return p
}

// punish enters a ban that follows from failures, unless an operator has banned the same already.
func (b *Bans) punish(ban Ban) bool {
	ban.By = Automatic
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.automatic >= b.most && ban.Since.Sub(b.swept) >= sweepGap {
		b.swept = ban.Since
		b.expire(ban.Since)
	}
	_, named := b.accounts[ban.Account]
	_, placed := b.sources[ban.Source]
	if b.automatic >= b.most || named || placed {
		return false
	}
	b.enter(ban)
	if ban.Account == "" {
		b.publish()
	}
	return true
}

// enter, drop, expire, publish and save are called with the lock held.

func (b *Bans) enter(ban Ban) {
	if old, ok := b.accounts[ban.Account]; ok && ban.Account != "" {
		b.drop(old)
	}
	if old, ok := b.sources[ban.Source]; ok && ban.Account == "" {
		b.drop(old)
	}
	if ban.By == Automatic {
		b.automatic++
	}
	if ban.Account != "" {
		b.accounts[ban.Account] = ban
		return
	}
	ban.Source = ban.Source.Masked()
	b.sources[ban.Source] = ban
}

func (b *Bans) drop(ban Ban) {
	if ban.By == Automatic {
		b.automatic--
	}
	if ban.Account != "" {
		delete(b.accounts, ban.Account)
		return
	}
	delete(b.sources, ban.Source)
}

// expire forgets what is over.
func (b *Bans) expire(now time.Time) {
	for _, ban := range b.accounts {
		if ban.over(now) {
			b.drop(ban)
		}
	}
	for _, ban := range b.sources {
		if ban.over(now) {
			b.drop(ban)
		}
	}
}

// publish shows the banned networks to whoever looks without the lock.
func (b *Bans) publish() {
	n := &networks{bans: maps.Clone(b.sources)}
	for p := range n.bans {
		bits := &n.bits[family(p.Addr())]
		if !slices.Contains(*bits, p.Bits()) {
			*bits = append(*bits, p.Bits())
		}
	}
	for i := range n.bits {
		slices.SortFunc(n.bits[i], func(x, y int) int { return y - x })
	}
	b.networks.Store(n)
}

func (b *Bans) save() error {
	var kept []Ban
	for _, ban := range b.accounts {
		if ban.By != Automatic {
			kept = append(kept, ban)
		}
	}
	for _, ban := range b.sources {
		if ban.By != Automatic {
			kept = append(kept, ban)
		}
	}
	slices.SortFunc(kept, func(x, y Ban) int { return cmp.Compare(x.Who(), y.Who()) })
	return b.store.Save(kept)
}
