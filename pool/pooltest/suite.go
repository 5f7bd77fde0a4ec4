package pooltest

import (
	"net/netip"
	"testing"
	"time"

	"lnsgate/pool"
)

// Setup is what the allocator under test is to serve. Now is the clock it must use.
type Setup struct {
	Pools   []pool.Pool
	Statics []pool.Static
	Now     func() time.Time
}

// Open makes an allocator without leases.
type Open func(testing.TB, Setup) pool.Keeper

// Run tests everything that the contract of [pool.Keeper] promises. An allocator may take its time to end a lease that has run
// out, but not longer than until its Usage is asked for.
func Run(t *testing.T, open Open) {
	for name, test := range map[string]func(*testing.T, Open){
		"gives every address once":                        testEveryAddressOnce,
		"answers requests that cannot be served":          testRefusals,
		"stops when the context is over":                  testContext,
		"releases only for the holder":                    testRelease,
		"keeps released addresses in quarantine":          testQuarantine,
		"gives an account its last address back":          testSticky,
		"gives an account several last addresses back":    testStickySeveral,
		"gives back what was released last of two pools":  testStickyTwoPools,
		"forgets what somebody else got":                  testStickyTaken,
		"remembers nothing where a pool is not sticky":    testNotSticky,
		"overflows in order":                              testOverflow,
		"reserves static addresses":                       testStatic,
		"gives static addresses outside every pool":       testStaticOutside,
		"gives an exact address without reservation":      testExact,
		"reports usage and leases":                        testReports,
		"serves IPv6 up to the last address":              testIPv6,
		"never gives one address to two at the same time": testConcurrent,
		"ends an offer that nobody keeps":                 testOfferEnds,
		"keeps a lease for as long as it is told":         testKeep,
		"keeps what fell back and nobody has":             testKeepLate,
		"keeps what it never gave":                        testKeepUnknown,
		"keeps only for the holder":                       testKeepRefused,
		"leaves leases of the process as they are":        testKeepBound,
		"offers a holder that asks again the same":        testOfferAgain,
		"offers exactly one address":                      testOfferExactly,
		"offers an account its last address":              testOfferSticky,
		"offers static addresses":                         testOfferStatic,
		"offers move to another holder":                   testOfferMoves,
		"never offers one address to two":                 testOfferConcurrent,
		"behaves like the model":                          testModel,
	} {
		t.Run(name, func(t *testing.T) { test(t, open) })
	}
}

// RunPrefixes tests that the same promises hold for pools of prefixes.
func RunPrefixes(t *testing.T, open Open) {
	for name, test := range map[string]func(*testing.T, Open){
		"gives every prefix once":                        testEveryPrefixOnce,
		"gives prefixes between excluded ones":           testPrefixExclusion,
		"keeps released prefixes in quarantine":          testPrefixQuarantine,
		"gives an account its last prefix back":          testPrefixSticky,
		"reserves static prefixes":                       testPrefixStatic,
		"gives exact prefixes":                           testPrefixExact,
		"refuses a prefix of another length":             testPrefixMismatch,
		"keeps overlapping prefixes apart":               testPrefixOverlap,
		"lends prefixes to sessions on other NASes":      testPrefixLent,
		"keeps for sessions only prefixes of its pools":  testPrefixKept,
		"serves more prefixes than can be counted":       testPrefixLarge,
		"never gives one prefix to two at the same time": testPrefixConcurrent,
		"behaves like the model":                         testPrefixModel,
	} {
		t.Run(name, func(t *testing.T) { test(t, open) })
	}
}

// bench is an allocator under test with its clock.
type bench struct {
	testing.TB
	pool.Keeper
	now time.Time
}

const quarantine = time.Minute

func start(t testing.TB, open Open, setup Setup) *bench {
	b := &bench{TB: t, now: time.Date(2030, 1, 1, 3, 0, 0, 0, time.UTC)}
	setup.Now = func() time.Time { return b.now }
	b.Keeper = open(t, setup)
	return b
}

// get allocates and fails the test when that fails.
func (b *bench) get(r pool.Request) pool.Lease {
	b.Helper()
	l, err := b.Allocate(b.Context(), r)
	if err != nil {
		b.Fatalf("%+v: %v", r, err)
	}
	if r.Offer == 0 && !l.Expires.IsZero() || l.Account != r.Account || l.Holder != r.Holder || !l.Since.Equal(b.now) || l.Why == "" {
		b.Fatalf("%+v: the lease says %+v", r, l)
	}
	return l
}

func (b *bench) release(l pool.Lease) {
	b.Helper()
	if err := b.Release(b.Context(), l); err != nil {
		b.Fatalf("release of %v: %v", l.Address, err)
	}
}

func (b *bench) pass(d time.Duration) { b.now = b.now.Add(d) }

// makePrefixes makes a sticky pool of prefixes with the usual quarantine.
func makePrefixes(t testing.TB, name string, length int, networks ...string) pool.Pool {
	t.Helper()
	p := pool.Pool{Name: name, Quarantine: quarantine, Sticky: true, PrefixLength: length}
	for _, text := range networks {
		r, err := pool.ParseExclusion(text) // literally
		if err != nil {
			t.Fatal(err)
		}
		p.Ranges = append(p.Ranges, r)
	}
	return p
}

// makePool makes a sticky pool with the usual quarantine.
func makePool(t testing.TB, name string, ranges ...string) pool.Pool {
	t.Helper()
	p := pool.Pool{Name: name, Quarantine: quarantine, Sticky: true}
	for _, text := range ranges {
		r, err := pool.ParseRange(text)
		if err != nil {
			t.Fatal(err)
		}
		p.Ranges = append(p.Ranges, r)
	}
	return p
}

func address(s string) netip.Addr { return netip.MustParseAddr(s) }

// from asks the pool for an address for an account, with a holder of the same name.
func from(poolName, account string) pool.Request {
	return pool.Request{Pools: []string{poolName}, Account: account, Holder: "session of " + account}
}
