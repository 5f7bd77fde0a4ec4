package admin

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"lnsgate/aaa"
	"lnsgate/aaa/secret"
)

// Operator is somebody who may ask over TCP.
type Operator struct {
	Name     string
	Role     Role
	Token    TokenHash         // zero: none
	Password secret.Credential // one-way; zero: no log-in on the page
}

// TokenHash is the SHA-256 of a token. A token is random and long, so that nobody can guess it from that.
type TokenHash [sha256.Size]byte

// String returns the hash as the configuration has it.
func (h TokenHash) String() string { return hex.EncodeToString(h[:]) }

// ParseTokenHash reads what String wrote.
func ParseTokenHash(text string) (h TokenHash, err error) {
	sum, err := hex.DecodeString(text)
	if err != nil || len(sum) != len(h) {
		return h, errors.New("that is no SHA-256 of a token: 64 hexadecimal digits, as lnsgate operator token prints them")
	}
	return TokenHash(sum), nil
}

// HashToken returns the hash of a token.
func HashToken(token string) TokenHash { return sha256.Sum256([]byte(token)) }

// NewToken makes a token of 256 random bits.
func NewToken() string {
	var bits [32]byte
	_, _ = rand.Read(bits[:]) // never fails
	return "lnsgate-" + base64.RawURLEncoding.EncodeToString(bits[:])
}

// Bounds of checking passwords, each of which costs some 40 ms and 19 MiB.
const (
	passwordsAtOnce  = 2
	passwordsWaiting = 16
	longestPassword  = 1024 // octets
)

// Operators knows who may ask over TCP, and makes guessing slow. It is safe for concurrent use; nil knows nobody.
type Operators struct {
	now     func() time.Time
	known   atomic.Pointer[operatorList]
	putting sync.Mutex // held while the list is replaced
	guesses budgets[netip.Prefix]
	checks  chan struct{} // a place for each password that is being checked
	waiting chan struct{} // and for each that waits for one
	decoy   secret.Credential
}

type operatorList struct {
	operators []standing
	sources   []netip.Prefix
}

// standing is an operator for as long as nothing of it changes: what hangs on its log-ins ends then.
type standing struct {
	Operator
	ctx context.Context
	end context.CancelFunc
}

func (s *standing) actor(from netip.Addr) Actor {
	return Actor{Name: s.Name, Role: s.Role, From: from.String(), standing: s.ctx}
}

// NewOperators knows nobody yet. now may be nil: time.Now.
func NewOperators(now func() time.Time) *Operators {
	if now == nil {
		now = time.Now
	}
	o := &Operators{now: now, checks: make(chan struct{}, passwordsAtOnce), waiting: make(chan struct{}, passwordsWaiting),
		decoy: secret.Hashed(HashPassword(aaa.NewSecret(NewToken())))}
	o.known.Store(&operatorList{})
	return o
}

// HashPassword makes the form of a password that the configuration may hold (argon2id).
func HashPassword(password aaa.Secret) string {
	var salt [16]byte
	_, _ = rand.Read(salt[:]) // never fails
	return secret.HashArgon2id(password, salt)
}

// Put sets who is known, and from where they may ask; no source: from everywhere. The log-ins and streams of those end that are not known
// any more as they were; a Password is as it was when it is the same Credential, and not another one made of the same text.
func (o *Operators) Put(operators []Operator, sources []netip.Prefix) {
	o.putting.Lock()
	defer o.putting.Unlock()
	old := o.known.Load().operators
	list := &operatorList{sources: slices.Clone(sources)}
	for _, one := range operators {
		if i := slices.IndexFunc(old, func(s standing) bool { return s.Operator == one }); i >= 0 {
			list.operators = append(list.operators, old[i])
			old = slices.Delete(slices.Clone(old), i, i+1)
			continue
		}
		ctx, end := context.WithCancel(context.Background())
		list.operators = append(list.operators, standing{one, ctx, end})
	}
	o.known.Store(list)
	for _, gone := range old {
		gone.end()
	}
}

// Admits says whether anybody may ask from that address.
func (o *Operators) Admits(from netip.Addr) bool {
	if o == nil {
		return false
	}
	sources := o.known.Load().sources
	return len(sources) == 0 || slices.ContainsFunc(sources, func(p netip.Prefix) bool { return p.Contains(from.Unmap()) })
}

// Knows says whether there is an operator of that name.
func (o *Operators) Knows(name string) bool { return o.find(name) != nil }

func (o *Operators) find(name string) *standing {
	if o == nil {
		return nil
	}
	list := o.known.Load().operators
	for i := range list {
		if list[i].Name == name {
			return &list[i]
		}
	}
	return nil
}

// errUnknown is all that who guesses is told.
func errUnknown() *Error {
	return &Error{http.StatusUnauthorized, "that is no operator of this server, or not the right token or password", ""}
}

// CheckToken tells whose token it is. The error is an *Error, or a *WaitError when too many wrong ones came from that source. A right
// one always counts: nobody can lock an operator out, and nobody can guess 256 bits.
func (o *Operators) CheckToken(token string, from netip.Addr) (Actor, error) {
	if o == nil {
		return Actor{}, errUnknown()
	}
	given, found := HashToken(token), (*standing)(nil)
	list := o.known.Load().operators
	for i := range list {
		one := &list[i]
		if subtle.ConstantTimeCompare(given[:], one.Token[:]) == 1 && one.Token != (TokenHash{}) {
			found = one
		}
	}
	if found != nil {
		return found.actor(from), nil
	}
	if wait := o.guesses.spend(sourceOf(from), o.now()); wait > 0 {
		return Actor{}, tooMany(wait)
	}
	return Actor{}, errUnknown()
}

// CheckPassword tells whether that is the password of the operator. It takes some 40 ms, two at once. The error is an *Error, or a
// *WaitError when too many wrong ones came from that source, or too many are being checked.
func (o *Operators) CheckPassword(ctx context.Context, name string, password aaa.Secret, from netip.Addr) (Actor, error) {
	if o == nil || len(password.Reveal()) > longestPassword {
		return Actor{}, errUnknown()
	}
	if wait := o.guesses.spend(sourceOf(from), o.now()); wait > 0 {
		return Actor{}, tooMany(wait)
	}
	leave, err := o.queue(ctx)
	if err != nil {
		o.guesses.refund(sourceOf(from), o.now())
		return Actor{}, err
	}
	defer leave()
	operator, credential := o.find(name), o.decoy
	known := operator != nil && !operator.Password.IsZero()
	if known {
		credential = operator.Password
	}
	_, err = credential.Check(name, aaa.Proof{Method: aaa.PAP, Password: password})
	if err != nil || !known {
		return Actor{}, errUnknown()
	}
	o.guesses.refund(sourceOf(from), o.now())
	return operator.actor(from), nil
}

// queue waits for a place among those that are checked.
func (o *Operators) queue(ctx context.Context) (leave func(), err error) {
	select {
	case o.waiting <- struct{}{}:
		defer func() { <-o.waiting }()
	default:
		return nil, tooMany(time.Second)
	}
	select {
	case o.checks <- struct{}{}:
		return func() { <-o.checks }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func tooMany(wait time.Duration) error {
	wait = wait.Round(time.Second) + time.Second
	return &WaitError{After: wait, Err: &Error{http.StatusTooManyRequests, "too many wrong tokens or passwords have come from there",
		fmt.Sprintf("wait %v", wait)}}
}

// Fingerprint is what people compare before they trust a certificate: its SHA-256 in pairs of digits.
func Fingerprint(certificate []byte) string {
	sum := sha256.Sum256(certificate)
	pairs := make([]string, len(sum))
	for i, octet := range sum {
		pairs[i] = fmt.Sprintf("%02X", octet)
	}
	return strings.Join(pairs, ":")
}
