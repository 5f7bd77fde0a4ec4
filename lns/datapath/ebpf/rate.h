// SPDX-License-Identifier: MIT OR GPL-2.0-only
//
// How many bits per second a session may have. It is the leaky bucket of lns/datapath/tun, rate.go, with the same state and the
// same bounds: what is due passes here, what has to wait waits there, and what would wait too long is dropped here.
#define CREDIT_TIME 50000000LL
#define CREDIT_OCTETS (10 << 10)
#define PATIENCE_TIME 100000000LL
#define PATIENCE_OCTETS (32 << 10)
#define LONGEST_WAIT 1024000000LL
#define LINGER 50000000LL
#define ATTEMPTS 4

/* The moment from which lns/datapath/tun counts, on the kernel's monotonic clock. */
volatile const __u64 rate_epoch = 0;

/* cost is how long octets take, in nanoseconds. */
static __always_inline __s64 cost(__u64 octets, __u64 bits)
{
	return octets * 8000000000ULL / bits;
}

/* span is the longer one of a time and what so many octets take. The division is for slow sessions alone. */
static __always_inline __s64 span(__s64 time, __u64 octets, __u64 bits)
{
	return bits >= octets * 8000000000ULL / time ? time : cost(octets, bits);
}

/* admit says what becomes of so many octets, of which those that come last are to be due too. Once a packet has to wait, all that
 * come go to user space, for a moment and for as long as any waits there, so that none overtakes another. */
static __always_inline enum verdict admit(struct lane *lane, __u64 bits, __u64 octets, __u64 last)
{
	bool behind = *(volatile __s64 *)&lane->waiting > 0;
	if (!bits && !behind && !lane->linger)
		return PASSES;
	__s64 now = bpf_ktime_get_ns() - rate_epoch;
	behind |= lane->linger > now;
	if (!bits)
		return behind ? LEFT : PASSES;
	__s64 longest = span(PATIENCE_TIME, PATIENCE_OCTETS, bits);
	__s64 earliest = now - span(CREDIT_TIME, CREDIT_OCTETS, bits);
	if (longest > LONGEST_WAIT)
		longest = LONGEST_WAIT;
	for (int i = 0; i < ATTEMPTS; i++) {
		__s64 paid = *(volatile __s64 *)&lane->paid;
		__s64 due = paid > earliest ? paid : earliest;
		if (due > now + longest)
			return DENIED;
		if (due + cost(octets - last, bits) > now) {
			lane->linger = now + LINGER;
			return LEFT;
		}
		if (behind)
			return LEFT;
		if (__sync_val_compare_and_swap(&lane->paid, paid, due + cost(octets, bits)) == paid)
			return PASSES;
	}
	return LEFT;
}
