// SPDX-License-Identifier: MIT OR GPL-2.0-only
//
// What user space tells the programs, and what they tell user space. The flags are in session.go and outside.go too.
/* The port of L2TP, in network order. */
volatile const __u16 port = 0;

/* What an entry says. */
#define CARRY_UP 0x01
#define CARRY_DOWN 0x02
#define COMPRESS_PROTOCOL 0x04
#define COMPRESS_ADDRESS 0x08
#define IPV6 0x10
#define CLAMP 0x20
#define CLAMP6 0x40
#define ROUTES 0x80

/* What is known of an interface outside. */
#define LEAVES_SUMS 0x01
#define HANDS_ON 0x02

/* entry is a session. The programs only read it. Addresses, ports and ids are in network order. */
struct entry {
	__u32 peer, local;
	__u16 peer_port, flags;
	__u16 peer_tunnel, peer_session;
	__u32 address;
	__u32 template; /* the interface */
	__u32 slot;
	__u32 mru;
};

/* figures count one session, each direction on a cache line of its own. last is a coarse monotonic time. */
struct figures {
	__u64 rx_packets, rx_octets, last_rx, rx_pad[5];
	__u64 tx_packets, tx_octets, last_tx, tx_pad[5];
};

struct destination {
	__u32 template, address;
};

struct route {
	__u32 bits; /* those of the template included */
	__u32 template;
	__u8 address[16]; /* of IPv4 the first four */
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1 << 17);
	__type(key, __u32); /* our tunnel and session id, as they travel */
	__type(value, struct entry);
} sessions SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1 << 17);
	__type(key, struct destination);
	__type(value, __u32);
} addresses SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1 << 17);
	__type(key, struct route);
	__type(value, __u32);
} routes4 SEC(".maps"), routes6 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1 << 17);
	__type(key, __u32);
	__type(value, struct figures);
} counted SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, __u32);
} outside SEC(".maps");

const struct entry *unused_entry __attribute__((unused));
const struct destination *unused_destination __attribute__((unused));
const struct route *unused_route __attribute__((unused));

/* holder finds whose a destination is: 0 for nobody's. */
static __always_inline __u32 holder4(__u32 template, __u32 address)
{
	struct destination d = {template, address};
	__u32 *id = bpf_map_lookup_elem(&addresses, &d);
	if (id)
		return *id;
	struct route r = {64, template, {}};
	__builtin_memcpy(r.address, &address, 4);
	id = bpf_map_lookup_elem(&routes4, &r);
	return id ? *id : 0;
}

static __always_inline __u32 holder6(__u32 template, const struct in6_addr *address)
{
	struct route r = {160, template, {}};
	__builtin_memcpy(r.address, address, 16);
	__u32 *id = bpf_map_lookup_elem(&routes6, &r);
	return id ? *id : 0;
}
