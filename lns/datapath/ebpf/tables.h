// SPDX-License-Identifier: MIT OR GPL-2.0-only
//
// What user space tells the programs, and what they tell user space. The flags are in session.go and outside.go too.
/* The port of L2TP, in network order. */
volatile const __u16 port = 0;

/* Where packets of TCP are collected; 0 is nowhere. */
volatile __u32 collector;

/* The virtual templates to and from which packets may go past the host's stack, as long as nobody can tell; 0 is none. */
#define MOST_TEMPLATES 8
volatile __u32 templates[MOST_TEMPLATES];

/* What an entry says. */
#define CARRY_UP 0x01
#define CARRY_DOWN 0x02
#define COMPRESS_PROTOCOL 0x04
#define COMPRESS_ADDRESS 0x08
#define IPV6 0x10
#define STRAIGHT 0x20 /* it need not pass the stack */
#define ROUTES 0x80

/* What is known of an interface outside. */
#define LEAVES_SUMS 0x01
#define HANDS_ON 0x02
#define NO_HARDWARE 0x04

/* entry is a session as it is for a while: an entry never changes, and another one takes its place. The programs only read it.
 * Addresses, ports and ids are in network order. */
struct entry {
	__u32 id; /* our tunnel and session id, as they travel */
	__u32 template; /* the interface */
	__u32 peer, local;
	__u16 peer_port, flags;
	__u16 peer_tunnel, peer_session;
	__u32 address;
	__u32 place; /* where its packets are counted */
	__u32 mru;
	__u32 filter; /* its number; 0 is none */
	__u64 rate_up, rate_down; /* bits per second; 0 is no bound */
	__u16 mss, mss6;	  /* the largest that a SYN may announce; 0 is any */
	__u32 spare;
};

/* lane is one direction of a session, on a cache line of its own. last is a coarse monotonic time; paid and linger belong to the
 * rate, and count from its epoch; waiting is how many packets user space holds for it. */
struct lane {
	__u64 packets, octets, last, dropped;
	__s64 paid, linger, waiting;
	__u64 spare;
};

/* place is a session, as a packet of it touches it. */
struct place {
	struct entry entry;
	struct lane up, down;
};

#define MOST_RULES 64

/* What a rule asks for. */
#define RULE_UP 0x01
#define RULE_DOWN 0x02
#define RULE_IPV4 0x04
#define RULE_IPV6 0x08
#define RULE_ESTABLISHED 0x10

/* rule is one of a filter, with one range of ports or types. Addresses are in network order, ports are not. */
struct rule {
	__u32 prefix[4], mask[4];
	__u16 first, last;
	__u8 protocol, protocol_mask;
	__u8 asks, allow;
};

/* filter never changes while an entry has its number. */
struct filter {
	__u32 rules, allow; /* how many, and what those meet with that meet none */
	struct rule rule[MOST_RULES];
};

struct destination {
	__u32 template, address;
};

struct route {
	__u32 bits; /* those of the template included */
	__u32 template;
	__u8 address[16]; /* of IPv4 the first four */
};

#define SESSIONS (1 << 17)
#define SPARE_PLACES (1 << 14)

/* An element of a hash may be given to another key while a program still reads it. So the keys lead to the number of a place, whose
 * entry says whose it is, and a place is not used again for a while. A session has a place of its own; when its entry changes, the
 * new one is in another place, but it is counted where it was. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, SESSIONS + SPARE_PLACES);
	__type(key, __u32);
	__type(value, struct place);
} places SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, SESSIONS);
	__type(key, __u32); /* an id */
	__type(value, __u32);
} sessions SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, SESSIONS);
	__type(key, struct destination);
	__type(value, __u32);
} addresses SEC(".maps");

/* Neighbours in a pool, or in a tunnel, have neighbouring short cuts, so that many of them are in the processor's cache where an
 * element of a hash is in memory. Each is the number of a place and 1, of the last that came of those to share it; the first
 * half is by id, the other one by address. */
#define SHORT_CUTS (1 << 17)
#define SPREAD 0x9e3779b1U

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 2 * SHORT_CUTS);
	__type(key, __u32);
	__type(value, __u64);
} short_cuts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, SESSIONS);
	__type(key, struct route);
	__type(value, __u32);
} routes4 SEC(".maps"), routes6 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, struct filter);
} filters SEC(".maps");

/* What is dropped here is counted by reason. */
enum reason { FILTERED, RATE_UP, RATE_DOWN, REASONS };

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, REASONS);
	__type(key, __u32);
	__type(value, __u64);
} drops SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, __u32);
} outside SEC(".maps");

/* way is how a peer was reached a moment ago, on one processor. */
struct way {
	__u32 peer, local;
	__u16 peer_port, octets; /* of the longest packet for which it was asked */
	__u32 out, device;	 /* the interface, and what is known of it */
	__u8 to[6], from[6];
	__u32 hop;   /* the neighbour; 0 is one of IPv6 */
	__u64 asked; /* a coarse time */
};

/* A way is asked for again after so many nanoseconds: a change of a route or of a neighbour is heeded no later. */
#define WAY_TIME 10000000ULL
#define WAYS_BITS 10

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1 << WAYS_BITS);
	__type(key, __u32);
	__type(value, struct way);
} ways SEC(".maps");

/* course is how the host forwards packets from one address to another one, as one processor has learnt it. */
struct course {
	__u32 source, destination;
	__u32 in, out;	/* interfaces; out is 0 where only the stack can say */
	__u32 hop;	/* the neighbour */
	__u32 routing;	/* which state of the routes that was */
	__u16 octets;	/* of the longest packet for which it was asked */
	__u16 straight; /* it may be gone */
	__u8 to[6], from[6];
	__u64 asked, looked; /* coarse times: for the course, and whether it may be gone */
};

#define COURSE_TIME 1000000000ULL
#define COURSES (1 << 14)

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, COURSES);
	__type(key, __u32);
	__type(value, struct course);
} courses SEC(".maps");

/* sight is what is known of an interface: whether anybody could tell that packets do not pass it, and whether nobody else has a say
 * in what leaves by it. */
struct sight {
	__u64 asked;
	__u32 device;
	__u16 clear, alone;
};

#define SIGHTS 64

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, SIGHTS);
	__type(key, __u32);
	__type(value, struct sight);
} sights SEC(".maps");

const struct place *unused_place __attribute__((unused));
const struct entry *unused_entry __attribute__((unused));
const struct filter *unused_filter __attribute__((unused));
const struct rule *unused_rule __attribute__((unused));
const enum reason *unused_reason __attribute__((unused));
const struct destination *unused_destination __attribute__((unused));
const struct way *unused_way __attribute__((unused));
const struct route *unused_route __attribute__((unused));

/* entry_at is the entry in a place; 0 where there is none. */
static __always_inline const struct entry *entry_at(__u32 *number)
{
	const struct place *p = number ? bpf_map_lookup_elem(&places, number) : 0;
	return p ? &p->entry : 0;
}

/* short_cut finds an entry where one with such a key may be. The caller looks whose it is. */
static __always_inline const struct entry *short_cut(__u32 slot)
{
	__u64 *known = bpf_map_lookup_elem(&short_cuts, &slot);
	__u32 number = known ? *known - 1 : -1;
	return entry_at(&number);
}

/* session finds an entry by our tunnel and session id. */
static __always_inline const struct entry *session(__u32 id)
{
	__u32 key = bpf_ntohl(id);
	const struct entry *e = short_cut((key + (key >> 16) * SPREAD) & (SHORT_CUTS - 1));
	if (e && e->id == id)
		return e;
	e = entry_at(bpf_map_lookup_elem(&sessions, &id));
	return e && e->id == id ? e : 0;
}

/* near4 finds whose a destination is, if that is quickly found. */
static __always_inline const struct entry *near4(__u32 template, __u32 address)
{
	const struct entry *e = short_cut(SHORT_CUTS | ((bpf_ntohl(address) + template * SPREAD) & (SHORT_CUTS - 1)));
	return e && e->address == address && e->template == template ? e : 0;
}

/* holder finds whose a destination is. */
static __always_inline const struct entry *holder4(__u32 template, __u32 address)
{
	const struct entry *e = near4(template, address);
	if (e)
		return e;
	struct destination d = {template, address};
	e = entry_at(bpf_map_lookup_elem(&addresses, &d));
	if (e)
		return e->address == address && e->template == template ? e : 0;
	struct route r = {64, template, {}};
	__builtin_memcpy(r.address, &address, 4);
	e = entry_at(bpf_map_lookup_elem(&routes4, &r));
	return e && e->flags & ROUTES && e->template == template ? e : 0;
}

static __always_inline const struct entry *holder6(__u32 template, const struct in6_addr *address)
{
	struct route r = {160, template, {}};
	__builtin_memcpy(r.address, address, 16);
	const struct entry *e = entry_at(bpf_map_lookup_elem(&routes6, &r));
	return e && e->flags & IPV6 && e->template == template ? e : 0;
}

/* counts finds the place where the session of an entry is counted. */
static __always_inline struct place *counts(const struct entry *e)
{
	__u32 number = e->place;
	return bpf_map_lookup_elem(&places, &number);
}

/* drop counts packets that go nowhere. */
static __always_inline void drop(struct lane *lane, __u32 reason, __u64 packets)
{
	__u64 *count = bpf_map_lookup_elem(&drops, &reason);
	if (count)
		__sync_fetch_and_add(count, packets);
	__sync_fetch_and_add(&lane->dropped, packets);
}

/* carry counts packets that go on. */
static __always_inline void carry(struct lane *lane, __u64 packets, __u64 octets, __u64 now)
{
	__sync_fetch_and_add(&lane->packets, packets);
	__sync_fetch_and_add(&lane->octets, octets);
	lane->last = now;
}
