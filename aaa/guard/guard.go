package guard

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"lnsgate/aaa"
	"lnsgate/aaa/fading"
)

// Config says when a Guard makes people wait. The zero value is fit for use.
type Config struct {
	Failures       int           // of one name that are free; 0: 5; < 0: names never wait
	SourceFailures int           // of one peer address that are free; 0: 50; < 0: addresses never wait
	Delay          time.Duration // after the first failure that is not free, doubling with each; 0: 1 s
	MaxDelay       time.Duration // the delay grows up to it; 0: 1 min
	Forget         time.Duration // failures are forgotten after it without another; 0: 15 min
	Bans           *Bans         // who is shut out, whatever the proof; nil: nobody
}

// maxGuarded bounds the names, and the addresses, that are remembered.
const maxGuarded = 1 << 16

// Guard slows down who guesses passwords: after some failed logins of one name, or from one peer address, the next ones
// are rejected with TooManyFailures without a look at the proof, for a time that grows. It counts what the whole chain of
// back ends answered, names that do not exist included, so that nobody learns which exist. Of one name few are checked at once,
// until one succeeds; whoever waits for that when the time is over has timed out. A login that succeeds clears the name and the
// address, and is known by that name from there: see pair. Memory is bounded; what is remembered is that of this node. It is safe
// for concurrent use.
//
// The address is that of the peer of the tunnel. Behind a LAC many subscribers share one, so it is given more room, and
// every subscriber who logs in clears it. Of IPv6 the /64 around it counts. The users of another NAS all come from that NAS:
// there the source is the number of the caller (Calling-Station-Id), and where the NAS does not tell it, there is none.
//
// A RADIUS server that says no does not say why: it may have been a guess, a limit or a fault of its own. So the name waits, and
// nobody is banned for it. By EAP the name that the server hears may be another than the one that is guessed at, and does not count.
//
// An anonymous identity of EAP (RFC 7542 section 2.4) is the name of many, and stands for nobody: it is not counted.
type Guard struct {
	cfg     Config
	names   *fading.Map[string, failures]
	sources *fading.Map[source, failures]
	known   *fading.Map[pair, failures]
	turns   *turns
	usual   atomic.Int64 // nanoseconds that a rejection takes
	delayed atomic.Uint64
	now     func() time.Time
}

// source is where a login comes from: the network of one host, or a caller of a NAS. The zero value is nowhere.
type source struct {
	network         netip.Prefix // of IPv6 a /64: whoever has one has another address for each guess
	client, station string
}

// maxStation bounds what a caller may cost in memory. An address of 48 bits and the name of a network behind it fit.
const maxStation = 64

func sourceOf(r *aaa.Request) source {
	switch {
	case r.NAS == nil:
		return source{network: hostOf(peerOf(r))}
	case r.CallingNumber == "":
		return source{}
	}
	return source{client: r.NAS.Client, station: r.CallingNumber[:min(len(r.CallingNumber), maxStation)]}
}

// peerOf is the address that the login itself comes from, in full; that of a NAS is nobody's.
func peerOf(r *aaa.Request) netip.Addr {
	if r.NAS != nil {
		return netip.Addr{}
	}
	return r.Peer.Addr().Unmap().WithZone("")
}

// String names the source in a rejection.
func (s source) String() string {
	switch {
	case s.client == "" && s.network.IsSingleIP():
		return s.network.Addr().String()
	case s.client == "":
		return s.network.String()
	}
	return fmt.Sprintf("caller %q of %s", s.station, s.client)
}

// failures of a name or source in a row.
type failures struct {
	count int
	last  time.Time
}

// New makes a guard that remembers nothing.
func New(cfg Config) *Guard {
	orInt := func(n *int, otherwise int) {
		if *n == 0 {
			*n = otherwise
		}
	}
	orTime := func(d *time.Duration, otherwise time.Duration) {
		if *d <= 0 {
			*d = otherwise
		}
	}
	orInt(&cfg.Failures, 5)
	orInt(&cfg.SourceFailures, 50)
	orTime(&cfg.Delay, time.Second)
	orTime(&cfg.MaxDelay, time.Minute)
	orTime(&cfg.Forget, 15*time.Minute)
	cfg.Forget = max(cfg.Forget, 2*cfg.MaxDelay) // or the longest delays would end early
	return &Guard{
		cfg:   cfg,
		names: fading.New[string, failures](2*cfg.Forget, maxGuarded), sources: fading.New[source, failures](2*cfg.Forget, maxGuarded),
		known: fading.New[pair, failures](2*knownFor, mostKnown), turns: newTurns(), now: time.Now,
	}
}

// Before puts the guard before another authenticator. A reload puts the same guard before the new one, and nothing is
// forgotten.
func (g *Guard) Before(next aaa.Authenticator) aaa.Authenticator { return &guarded{g, next} }

// Delayed is how many logins were rejected because they came too soon.
func (g *Guard) Delayed() uint64 { return g.delayed.Load() }

type guarded struct {
	*Guard
	next aaa.Authenticator
}

// Authenticate asks the next one, unless the name or the address has to wait.
func (g *guarded) Authenticate(ctx context.Context, r *aaa.Request) (aaa.Decision, error) {
	p := pairOf(r)
	known := g.knows(p, g.now())
	if no := g.refusal(r, p, known); no != nil {
		return g.refuse(ctx, no)
	}
	if p.name == "" || g.cfg.Failures < 0 {
		d, _, err := g.check(ctx, r, p, known)
		return d, err
	}
	of := pair{name: p.name}
	if known {
		of = p
	}
	if !g.turns.take(ctx, of, g.free(p, known, g.now())) {
		return aaa.Decision{}, aaa.Reject(aaa.Timeout, "other logins of this name were being checked all the while")
	}
	known = known && g.knows(p, g.now())
	if no := g.refusal(r, p, known); no != nil { // those before have failed
		g.turns.leave(of, neither)
		return g.refuse(ctx, no)
	}
	became := neither
	defer func() { g.turns.leave(of, became) }()
	d, became, err := g.check(ctx, r, p, known)
	return d, err
}

// refusal rejects who is banned or has to wait.
func (g *guarded) refusal(r *aaa.Request, p pair, known bool) *aaa.Rejection {
	now := g.now()
	if no := g.shutOut(r.Name, peerOf(r), known, now); no != nil {
		return no
	}
	no := g.hold(p, known, now)
	if no != nil {
		g.delayed.Add(1)
	}
	return no
}

// refuse takes as long as any other rejection.
func (g *guarded) refuse(ctx context.Context, no *aaa.Rejection) (aaa.Decision, error) {
	pause(ctx, time.Duration(g.usual.Load()))
	return aaa.Decision{}, no
}

// check asks the next one, and notes what came of it.
func (g *guarded) check(ctx context.Context, r *aaa.Request, p pair, known bool) (aaa.Decision, outcome, error) {
	began := g.now()
	d, err := g.next.Authenticate(ctx, r)
	if err == nil && d.Account != r.Name { // typed otherwise than it is stored
		if no := g.shutOut(d.Account, netip.Addr{}, known, g.now()); no != nil {
			return aaa.Decision{}, neither, no
		}
	}
	var no *aaa.Rejection
	var more *aaa.Challenge
	switch {
	case err == nil:
		g.welcome(p, known, g.now())
		return d, gotIn, nil
	case errors.As(err, &more):
		return d, goesOn, err
	case errors.As(err, &no) && isGuess(no.Cause):
		now := g.now()
		g.learn(now.Sub(began))
		g.blame(r, p, known, now)
		return d, failed, err
	case no != nil && no.Cause == aaa.Refused && r.Proof.Method != aaa.EAP:
		g.count(p, known, g.now())
		return d, failed, err
	}
	return d, neither, err
}

// shutOut says that a name or a source is banned, or nothing. What others have brought about does not shut out who is known.
func (g *Guard) shutOut(name string, peer netip.Addr, known bool, now time.Time) *aaa.Rejection {
	if b, banned := g.cfg.Bans.Account(folded(name), known, now); banned {
		return aaa.Reject(aaa.TooManyFailures, "%s", b.words()).For(aaa.AccountBanned)
	}
	if b, banned := g.cfg.Bans.Source(peer, now); banned {
		return aaa.Reject(aaa.TooManyFailures, "%s", b.words()).For(aaa.SourceBanned)
	}
	return nil
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// Authorize asks the next one: no password is guessed that way.
func (g *guarded) Authorize(ctx context.Context, r *aaa.Request) (aaa.Decision, error) {
	return g.next.Authorize(ctx, r)
}

// nameOf is the name that failures are counted by; "" for one that is nobody's. It bounds what a name may cost in memory: longer
// names are refused anyway.
func nameOf(r *aaa.Request) string {
	if r.Proof.Method == aaa.EAP {
		if user, _, _ := strings.Cut(r.Name, "@"); user == "" || strings.EqualFold(user, "anonymous") {
			return ""
		}
	}
	return folded(r.Name[:min(len(r.Name), aaa.MaxName)])
}

// folded is a name as accounts are called: a domain is the same in capitals, a user is not. Where it is in a name is told by
// aaa.ParseIdentity.
func folded(name string) string {
	if at := strings.LastIndexByte(name, '@'); at >= 0 {
		return name[:at] + aaa.FoldDomain(name[at:])
	}
	if slash := strings.LastIndexByte(name, '\\'); slash >= 0 {
		return aaa.FoldDomain(name[:slash]) + name[slash:]
	}
	return name
}

// isGuess reports whether a rejection may be that of somebody who guesses.
func isGuess(c aaa.Cause) bool {
	return c == aaa.WrongPassword || c == aaa.UnknownUser || c == aaa.AccountDisabled || c == aaa.AccountExpired
}

// hold says that a login comes too soon, or nothing.
func (g *Guard) hold(p pair, known bool, now time.Time) *aaa.Rejection {
	if f, ok := g.failed(p, known, now); ok {
		if wait := g.wait(f, g.cfg.Failures, now); wait > 0 {
			return aaa.Reject(aaa.TooManyFailures, "%d failed logins of this name in a row; the next is checked in %s", f.count, wait.Round(time.Second)).For(aaa.NameDelayed)
		}
	}
	if f, ok := g.sources.Get(p.from, now); ok {
		if wait := g.wait(f, g.cfg.SourceFailures, now); wait > 0 {
			return aaa.Reject(aaa.TooManyFailures, "%d failed logins from %s in a row; the next is checked in %s", f.count, p.from, wait.Round(time.Second)).For(aaa.SourceDelayed)
		}
	}
	return nil
}

// failed tells the failures of a name, or of who is known by it.
func (g *Guard) failed(p pair, known bool, now time.Time) (failures, bool) {
	if known {
		return g.known.Get(p, now)
	}
	return g.names.Get(p.name, now)
}

// free is how many more failures are free.
func (g *Guard) free(p pair, known bool, now time.Time) int {
	f, ok := g.failed(p, known, now)
	if !ok || now.Sub(f.last) >= g.cfg.Forget {
		return g.cfg.Failures
	}
	return g.cfg.Failures - f.count
}

// wait is how long somebody has to wait yet.
func (g *Guard) wait(f failures, free int, now time.Time) time.Duration {
	over := f.count - free
	if free < 0 || over <= 0 || now.Sub(f.last) >= g.cfg.Forget {
		return 0
	}
	delay := g.cfg.Delay << min(over-1, 20)
	return min(delay, g.cfg.MaxDelay) - now.Sub(f.last)
}

// learn keeps a running mean of what a rejection takes. Two at once may lose one sample, which does not matter.
func (g *Guard) learn(took time.Duration) {
	usual := g.usual.Load()
	g.usual.Store(usual + (int64(min(took, time.Second))-usual)/8)
}
