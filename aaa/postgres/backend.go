package postgres

import (
	"context"
	"crypto/rand"
	"errors"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"lnsgate/aaa"
	"lnsgate/aaa/secret"
)

// Name is the name chains use for this back end.
const Name = "postgres"

// Config says how a Backend works. The zero value is fit for use.
type Config struct {
	Keys        *Keyring      // what credentials are sealed with; nil: sealed credentials cannot be read
	Timeout     time.Duration // for one question to the database; 0: DefaultTimeout
	Hashes      int           // slow password hashes computed at once; 0: half of the processors
	HashQueue   int           // logins that may wait for one; 0: 1024
	VerifiedFor time.Duration // how long a password that matched a slow hash is not hashed again; 0: 5 min; < 0: always hashed
	Remembered  int           // accounts that logged in lately whose rows are kept while a Watcher hears what changes, some 1 kB each; 0: 20,000; < 0: none
}

// defaultRemembered is how many accounts are remembered unless it is said.
const defaultRemembered = 20_000

// Keyring holds the keys of this node. A reload of the key file sets new ones under the feet of those who use it. It is
// safe for concurrent use; nil holds none.
type Keyring struct{ keys atomic.Pointer[secret.Keys] }

// NewKeyring makes a keyring. keys may be nil.
func NewKeyring(keys *secret.Keys) *Keyring {
	var k Keyring
	k.Set(keys)
	return &k
}

// Set replaces the keys.
func (k *Keyring) Set(keys *secret.Keys) { k.keys.Store(keys) }

// Get returns the keys, or nil.
func (k *Keyring) Get() *secret.Keys {
	if k == nil {
		return nil
	}
	return k.keys.Load()
}

// Backend answers from the tables accounts, profiles, credentials and static_addresses. It implements aaa.Backend, is
// safe for concurrent use, and starts goroutines only while it asks the database. With a Watcher that knows of it (WatcherConfig.Backend) it remembers
// accounts that logged in lately: it says yes to them without a question, but never no. An answer is never older than
// a second: without a fresh sign that all changes were heard, the database is asked.
type Backend struct {
	db         *database
	keys       *Keyring
	hashing    *hashing
	verified   *verified
	remembered *remembered
	lookups    *gathering[question]
	decoys     sync.Map // domain -> secret.Credential: costs what accounts of the domain cost

	// check is Credential.Check; a test counts the calls.
	check func(c secret.Credential, name string, p aaa.Proof) (string, error)
}

var _ aaa.Backend = (*Backend)(nil)

// New makes a back end on a pool (see Configure). The pool stays the caller's.
func New(pool *pgxpool.Pool, cfg Config) *Backend {
	if cfg.Hashes <= 0 {
		cfg.Hashes = max(1, runtime.GOMAXPROCS(0)/2)
	}
	if cfg.HashQueue <= 0 {
		cfg.HashQueue = 1024
	}
	if cfg.VerifiedFor == 0 {
		cfg.VerifiedFor = 5 * time.Minute
	}
	if cfg.Remembered == 0 {
		cfg.Remembered = defaultRemembered
	}
	var key [32]byte
	rand.Read(key[:]) //nolint:errcheck // never fails
	b := &Backend{
		db: newDatabase(pool, cfg.Timeout), keys: cfg.Keys, hashing: newHashing(cfg.Hashes, cfg.HashQueue),
		verified: newVerified(key, cfg.VerifiedFor), remembered: newRemembered(max(0, cfg.Remembered)), check: secret.Credential.Check,
	}
	b.lookups = newCrowd(maxLookups, lookupsAtOnce, b.answer)
	return b
}

// Name returns "postgres".
func (b *Backend) Name() string { return Name }

// Authenticate checks the proof. Unknown names are checked against a decoy, accounts that may not log in against their
// own credential, and near misses are looked for after every no, so that all ways to fail do the same work: nobody is
// refused by what is remembered, but asked for again, and checked again only if that is not the same.
func (b *Backend) Authenticate(ctx context.Context, q *aaa.Query) (aaa.Grant, error) {
	known := b.recall(q)
	var reply string
	var no *aaa.Rejection
	if known != nil {
		reply, no = b.prove(ctx, known, q)
		switch {
		case no != nil && no.Retryable():
			return aaa.Grant{}, no
		case no == nil && known.usual():
			return b.granted(known, reply, q.Request.Proof), nil
		}
	}
	a, err := b.lookup(ctx, q)
	if err != nil {
		return aaa.Grant{}, err
	}
	if known == nil || !known.same(a) {
		reply, no = b.prove(ctx, a, q)
	}
	switch {
	case no != nil && no.Retryable():
		return aaa.Grant{}, no
	case no == nil && a.usual():
		return b.granted(a, reply, q.Request.Proof), nil
	}
	return aaa.Grant{}, b.refuse(ctx, a, q, no)
}

// granted is the yes to a proof that matched, with the keys that it makes for the link.
func (b *Backend) granted(a *account, reply string, p aaa.Proof) aaa.Grant {
	g := a.yes(reply)
	if p.Method == aaa.MSCHAPv1 || p.Method == aaa.MSCHAPv2 {
		if chosen, lack := a.choose(p.Method, b.keys.Get()); lack == nil {
			g.Keys = chosen.LinkKeys(p)
		}
	}
	return g
}

// refuse says why an account may not log in. The rejection of its proof is nil if that was right.
func (b *Backend) refuse(ctx context.Context, a *account, q *aaa.Query, no *aaa.Rejection) *aaa.Rejection {
	near, reason := b.explain(ctx, q)
	ok, why := a.valid()
	switch {
	case !a.known():
		return unknown(q, near, reason)
	case a.disabled:
		return knowing(no == nil, reject(aaa.AccountDisabled, shown(no), near))
	case !ok:
		return knowing(no == nil, reject(aaa.AccountExpired, why, shown(no), near))
	}
	return reject(no.Cause, no.Detail, near).For(no.Reason)
}

// knowing notes that the peer knows the password.
func knowing(yes bool, no *aaa.Rejection) *aaa.Rejection {
	no.Proven = yes
	return no
}

// Authorize says what the account would get, without a proof.
func (b *Backend) Authorize(ctx context.Context, q *aaa.Query) (aaa.Grant, error) {
	if known := b.recall(q); known != nil && known.usual() {
		return known.yes(""), nil
	}
	a, err := b.lookup(ctx, q)
	if err != nil {
		return aaa.Grant{}, err
	}
	ok, why := a.valid()
	switch {
	case !a.known():
		near, reason := b.explain(ctx, q)
		return aaa.Grant{}, unknown(q, near, reason)
	case a.disabled:
		return aaa.Grant{}, reject(aaa.AccountDisabled)
	case !ok:
		return aaa.Grant{}, reject(aaa.AccountExpired, why)
	}
	return a.yes(""), nil
}

// prove checks the proof against what is stored. The rejection is nil if it matches.
func (b *Backend) prove(ctx context.Context, a *account, q *aaa.Query) (reply string, no *aaa.Rejection) {
	p := q.Request.Proof
	chosen, lack := a.choose(p.Method, b.keys.Get())
	if chosen.IsZero() && p.Method == aaa.PAP {
		chosen = b.decoy(q.Domain, a)
	}
	if p.Method == aaa.PAP && chosen.Slow() {
		no = b.proveSlowly(ctx, a, chosen, q)
	} else {
		var err error
		reply, err = b.check(chosen, q.Identity.Raw, p)
		no = asRejection(err)
	}
	if lack != nil && (no == nil || !no.Retryable()) {
		return "", lack
	}
	return reply, no
}

// proveSlowly checks a PAP password against a slow hash, unless the same one matched it a moment ago.
func (b *Backend) proveSlowly(ctx context.Context, a *account, c secret.Credential, q *aaa.Query) *aaa.Rejection {
	token := b.verified.token(a, q.Request.Proof.Password)
	if !c.IsZero() {
		b.decoys.Store(q.Domain, c.Decoy())
		if b.verified.knows(token, time.Now()) {
			return nil
		}
	}
	var err error
	no := b.hashing.run(ctx, func() { _, err = b.check(c, q.Identity.Raw, q.Request.Proof) })
	if no != nil {
		return no
	}
	if err == nil && !c.IsZero() {
		b.verified.learn(token, time.Now())
	}
	return asRejection(err)
}

// decoy is what a name without a usable credential is checked against: what the last account of the domain cost that
// had a slow hash, else what a domain would store that accepts PAP only.
func (b *Backend) decoy(domain string, a *account) secret.Credential {
	if known, ok := b.decoys.Load(domain); ok {
		return known.(secret.Credential)
	}
	if allowsOnlyPAP(a.methods) {
		return slowDecoy()
	}
	return secret.Credential{}
}

// slowDecoy costs what our own argon2id hashes cost.
var slowDecoy = sync.OnceValue(func() secret.Credential {
	return secret.Hashed(secret.HashArgon2id(aaa.NewSecret("decoy"), [16]byte{})).Decoy()
})

func asRejection(err error) *aaa.Rejection {
	var r *aaa.Rejection
	switch {
	case err == nil:
		return nil
	case errors.As(err, &r):
		return r
	}
	return &aaa.Rejection{Cause: aaa.BackendUnavailable, Detail: err.Error(), Err: err}
}

// shown says whether the password was the right one, for an account that may not log in anyway.
func shown(no *aaa.Rejection) string {
	if no == nil {
		return "the password was right"
	}
	return "and the proof was wrong too: " + no.Error()
}

func reject(cause aaa.Cause, details ...string) *aaa.Rejection {
	r := &aaa.Rejection{Cause: cause}
	for _, d := range details {
		if d != "" {
			r.Detail = strings.TrimPrefix(r.Detail+"; "+d, "; ")
		}
	}
	return r
}
