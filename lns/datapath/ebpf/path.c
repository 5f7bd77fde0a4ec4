//go:build ignore

// SPDX-License-Identifier: MIT OR GPL-2.0-only
//
// The way of user packets through the kernel. What is not plainly a packet of an open session that can be carried here goes
// on as if these programs were not there, to the socket or the device that user space reads.
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>
#include <stdbool.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define NEXT -1 /* TCX_NEXT: whatever else is attached, then the stack */
#define SHOT 2	/* TC_ACT_SHOT: it is no packet any more */
#define AF_INET 2
#define LOOPBACK 1 /* the interface, in every network namespace */
#define DECAP_L3_IPV4 (1ULL << 7)
#define DECAP_L3_IPV6 (1ULL << 8)
#define CHECKSUM_PARTIAL 3

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

#define ETHERNET 14
#define MOST_HEADERS (ETHERNET + 20 + 8 + 8 + 4)
#define LOOKED_AT (MOST_HEADERS + 40 + 14) /* to the flags of TCP over IPv6 */
#define SYN 0x02

char __license[] SEC("license") = "Dual MIT/GPL";

/* The port of L2TP, in network order. */
volatile const __u16 port = 0;

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

/* What is looked at of the kernel's own structures, wherever it has it. */
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct netns_xfrm {
	unsigned int policy_count[6]; /* in, out, forward */
};
struct net {
	struct netns_xfrm xfrm;
};
typedef struct {
	struct net *net;
} possible_net_t;
struct net_device {
	possible_net_t nd_net;
};
struct sk_buff {
	struct net_device *dev;
	__u8 ip_summed : 2;
};
#pragma clang attribute pop

extern void *bpf_cast_to_kern_ctx(void *) __ksym;

/* guarded says that this host has IPsec policies. Only the stack knows whom they protect, so everything goes there: nothing may
 * leave in clear that is to be sealed, or be taken in clear that is to come sealed. */
static __always_inline bool guarded(struct __sk_buff *skb)
{
	struct sk_buff *kernel = bpf_cast_to_kern_ctx(skb);
	struct net *net = kernel->dev->nd_net.net;
	if (!bpf_core_field_exists(net->xfrm))
		return false;
	return net->xfrm.policy_count[0] || net->xfrm.policy_count[1];
}

static __always_inline __u16 fold(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static __always_inline __u64 sum_of_ip(const struct iphdr *ip)
{
	const __u32 *w = (const __u32 *)ip;
	return (__u64)w[0] + w[1] + w[2] + w[3] + w[4];
}

/* plain says that an IPv4 header is whole, without options, and no fragment. */
static __always_inline bool plain(const struct iphdr *ip)
{
	return ip->version == 4 && ip->ihl == 5 && !(ip->frag_off & bpf_htons(0x3fff));
}

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

/* global says that an address of IPv6 means the same on every link, and one host. */
static __always_inline bool global(const struct in6_addr *a)
{
	if (a->s6_addr[0] == 0xff || (a->s6_addr[0] == 0xfe && (a->s6_addr[1] & 0xc0) == 0x80))
		return false;
	return a->s6_addr32[0] || a->s6_addr32[1] || a->s6_addr32[2] || a->s6_addr32[3];
}

/* simple says that nothing is between the header of IPv6 and what it carries. */
static __always_inline bool simple(__u8 protocol)
{
	return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP || protocol == IPPROTO_ICMPV6;
}

SEC("tcx/ingress") int up(struct __sk_buff *skb)
{
	if (skb->protocol != bpf_htons(ETH_P_IP) || skb->pkt_type != 0 || skb->vlan_present || skb->gso_size)
		return NEXT;
	__u32 len = skb->len;
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	if (data + LOOKED_AT > end && end - data < len) {
		if (bpf_skb_pull_data(skb, len < LOOKED_AT ? len : LOOKED_AT))
			return NEXT;
		data = (void *)(long)skb->data, end = (void *)(long)skb->data_end;
	}
	struct iphdr *ip = data + ETHERNET;
	struct udphdr *udp = data + ETHERNET + 20;
	__u16 *l2tp = (void *)(udp + 1);
	if ((void *)(l2tp + 4) > end)
		return NEXT;
	if (!plain(ip) || ip->protocol != IPPROTO_UDP || udp->dest != port || fold(sum_of_ip(ip)) != 0xffff)
		return NEXT;
	__u32 payload = bpf_ntohs(udp->len);
	if (payload + 20 != bpf_ntohs(ip->tot_len) || payload + 20 + ETHERNET > len || payload < 8)
		return NEXT;
	payload -= 8;

	/* L2TP (RFC 2661 section 3.1): data, version 2, no sequence, no offset. */
	__u16 bits = bpf_ntohs(l2tp[0]);
	if ((bits & 0x8a0f) != 2)
		return NEXT;
	__u8 *p = (void *)(l2tp + 3);
	__u32 headers = 6;
	__u32 id = *(__u32 *)(l2tp + 1);
	if (bits & 0x4000) {
		if ((void *)(l2tp + 4) > end || bpf_ntohs(l2tp[1]) != payload)
			return NEXT;
		id = (__u32)l2tp[2] | (__u32)l2tp[3] << 16;
		p += 2, headers += 2;
	}
	struct entry *e = bpf_map_lookup_elem(&sessions, &id);
	if (!e || !(e->flags & CARRY_UP) || e->peer != ip->saddr || e->peer_port != udp->source || e->local != ip->daddr)
		return NEXT;

	/* PPP (RFC 1661 section 2), address and protocol perhaps compressed. */
	if ((void *)(p + 4) > end)
		return NEXT;
	if (p[0] == 0xff && p[1] == 0x03)
		p += 2, headers += 2;
	__u8 protocol = p[0];
	if (protocol == 0)
		protocol = p[1], p++, headers++;
	p++, headers++;

	__u32 octets;
	__u64 decap;
	__u8 *tcp;
	if (protocol == 0x21) {
		struct iphdr *inner = (void *)p;
		if ((void *)(inner + 1) > end || !e->address || !plain(inner))
			return NEXT;
		octets = bpf_ntohs(inner->tot_len);
		if (octets < 20 || octets + headers != payload || bpf_ntohl(inner->daddr) >= 0xe0000000)
			return NEXT;
		if (inner->saddr != e->address && (!(e->flags & ROUTES) || holder4(e->template, inner->saddr) != id))
			return NEXT;
		tcp = inner->protocol == IPPROTO_TCP && e->flags & CLAMP ? (void *)(inner + 1) : 0;
		decap = DECAP_L3_IPV4;
	} else if (protocol == 0x57) {
		struct ipv6hdr *inner = (void *)p;
		if ((void *)(inner + 1) > end || !(e->flags & IPV6) || inner->version != 6 || !simple(inner->nexthdr))
			return NEXT;
		octets = bpf_ntohs(inner->payload_len) + 40;
		if (octets + headers != payload || !global(&inner->saddr) || !global(&inner->daddr))
			return NEXT;
		if (holder6(e->template, &inner->saddr) != id)
			return NEXT;
		tcp = inner->nexthdr == IPPROTO_TCP && e->flags & CLAMP6 ? (void *)(inner + 1) : 0;
		decap = DECAP_L3_IPV6;
	} else {
		return NEXT;
	}
	if (tcp && ((void *)(tcp + 14) > end || tcp[13] & SYN))
		return NEXT;

	if (guarded(skb))
		return NEXT;
	__u32 slot = e->slot, template = e->template;
	struct figures *f = bpf_map_lookup_elem(&counted, &slot);
	if (!f)
		return NEXT;
	if (len != ETHERNET + 28 + payload && bpf_skb_change_tail(skb, ETHERNET + 28 + payload, 0))
		return NEXT;
	if (bpf_skb_adjust_room(skb, -(__s32)(28 + headers), BPF_ADJ_ROOM_MAC, decap))
		return NEXT;
	__sync_fetch_and_add(&f->rx_packets, 1);
	__sync_fetch_and_add(&f->rx_octets, octets);
	f->last_rx = bpf_ktime_get_coarse_ns();
	return bpf_redirect(template, BPF_F_INGRESS);
}

/* front is what is put in front of a packet, as much of it as is used. */
struct front {
	struct ethhdr ethernet;
	struct iphdr ip;
	struct udphdr udp;
	__u8 l2tp[12];
} __attribute__((packed, aligned(2)));

SEC("tcx/egress") int down(struct __sk_buff *skb)
{
	__u32 len = skb->len, template = skb->ifindex, whole = skb->gso_size;
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	if (data + 54 > end && end - data < len) {
		if (bpf_skb_pull_data(skb, len < 54 ? len : 54))
			return NEXT;
		data = (void *)(long)skb->data, end = (void *)(long)skb->data_end;
	}
	struct iphdr *ip = data;
	struct ipv6hdr *ip6 = data;
	__u8 *next, protocol, ppp;
	__u32 id, clamped;
	__u64 pseudo = 0; /* the sum of the pseudo-header */
	__u64 header = 0; /* that of the IP header, which is nothing for IPv4 */
	if ((void *)(ip + 1) > end)
		return NEXT;
	if (skb->protocol == bpf_htons(ETH_P_IP)) {
		if (!plain(ip) || bpf_ntohs(ip->tot_len) != len)
			return NEXT;
		id = holder4(template, ip->daddr);
		protocol = ip->protocol;
		pseudo = (__u64)ip->saddr + ip->daddr + bpf_htons(len - 20);
		next = (void *)(ip + 1), ppp = 0x21, clamped = CLAMP;
	} else if (skb->protocol == bpf_htons(ETH_P_IPV6)) {
		if ((void *)(ip6 + 1) > end || ip6->version != 6 || bpf_ntohs(ip6->payload_len) + 40 != len || !simple(ip6->nexthdr))
			return NEXT;
		if (!global(&ip6->saddr) || !global(&ip6->daddr))
			return NEXT;
		id = holder6(template, &ip6->daddr);
		protocol = ip6->nexthdr;
		for (int i = 0; i < 4; i++)
			pseudo += (__u64)ip6->saddr.s6_addr32[i] + ip6->daddr.s6_addr32[i];
		pseudo += bpf_htons(len - 40);
		for (int i = 0; i < 10; i++)
			header += ((__u32 *)ip6)[i];
		next = (void *)(ip6 + 1), ppp = 0x57, clamped = CLAMP6;
	} else {
		return NEXT;
	}
	struct entry *e = id ? bpf_map_lookup_elem(&sessions, &id) : 0;
	if (!e || !(e->flags & CARRY_DOWN) || guarded(skb) || (whole ? protocol != IPPROTO_TCP || ppp != 0x21 : len > e->mru) || (void *)(next + 8) > end)
		return NEXT;

	/* The sum of the packet follows from its own checksums, whether they are there already or left to the device. */
	bool summed = !whole;
	__u32 longest = len, head = 0; /* of the segments, and their headers */
	pseudo += bpf_htons(protocol);
	switch (protocol) {
	case IPPROTO_TCP:
		if ((void *)(next + 14) > end || (next[13] & SYN && e->flags & clamped))
			return NEXT;
		if (whole)
			head = (ppp == 0x21 ? 20 : 40) + (next[12] >> 4) * 4, longest = head + whole;
		break;
	case IPPROTO_UDP:
		/* What is behind the datagram (RFC 9868) is in no checksum. */
		summed = (next[6] || next[7]) && ((__u32)next[4] << 8 | next[5]) == len - (ppp == 0x21 ? 20 : 40);
		break;
	case IPPROTO_ICMP: /* Redirects are not for the peer. */
		if (next[0] == 5)
			return NEXT;
		pseudo = 0;
		break;
	case IPPROTO_ICMPV6:
		if (next[0] == 137)
			return NEXT;
		break;
	default:
		summed = false;
	}
	__u64 inner = fold(header + (__u16)~fold(pseudo));

	struct front f = {};
	__u32 n = 8;
	f.l2tp[0] = 0x40, f.l2tp[1] = 2;
	__builtin_memcpy(f.l2tp + 4, &e->peer_tunnel, 2);
	__builtin_memcpy(f.l2tp + 6, &e->peer_session, 2);
	switch (e->flags & (COMPRESS_PROTOCOL | COMPRESS_ADDRESS)) {
	case 0:
		f.l2tp[8] = 0xff, f.l2tp[9] = 3, f.l2tp[11] = ppp, n = 12;
		break;
	case COMPRESS_PROTOCOL:
		f.l2tp[8] = 0xff, f.l2tp[9] = 3, f.l2tp[10] = ppp, n = 11;
		break;
	case COMPRESS_ADDRESS:
		f.l2tp[9] = ppp, n = 10;
		break;
	default:
		f.l2tp[8] = ppp, n = 9;
	}
	if (n & 1)
		inner = __builtin_bswap16(inner);
	f.l2tp[2] = (n + len) >> 8, f.l2tp[3] = n + len;
	if (whole) { /* the device cuts it up, and knows nothing of a length in L2TP: so there is none */
		if (longest > e->mru)
			return NEXT;
		f.l2tp[0] = 0;
		__builtin_memmove(f.l2tp + 2, f.l2tp + 4, 8);
		n -= 2;
	}

	/* The datagram is this host's own, as if a socket sent it: what rules say of packets from the template is not for it. */
	struct bpf_fib_lookup way = {
		.family = AF_INET, .l4_protocol = IPPROTO_UDP, .sport = port, .dport = e->peer_port,
		.tot_len = 28 + n + longest, .ifindex = LOOPBACK, .ipv4_src = e->local, .ipv4_dst = e->peer,
	};
	if (bpf_fib_lookup(skb, &way, sizeof(way), 0) != BPF_FIB_LKUP_RET_SUCCESS)
		return NEXT;
	__u32 out = way.ifindex;
	__u32 *device = bpf_map_lookup_elem(&outside, &out);
	if (!device)
		return NEXT;
	if (whole) {
		if (*device & HANDS_ON)
			return NEXT;
	} else if (*device & LEAVES_SUMS) {
		struct sk_buff *kernel = bpf_cast_to_kern_ctx(skb);
		if (BPF_CORE_READ_BITFIELD(kernel, ip_summed) == CHECKSUM_PARTIAL)
			return NEXT;
	}

	__builtin_memcpy(f.ethernet.h_dest, way.dmac, 6);
	__builtin_memcpy(f.ethernet.h_source, way.smac, 6);
	f.ethernet.h_proto = bpf_htons(ETH_P_IP);
	f.ip.version = 4, f.ip.ihl = 5, f.ip.ttl = 64, f.ip.protocol = IPPROTO_UDP;
	f.ip.tot_len = bpf_htons(28 + n + len);
	f.ip.id = bpf_get_prandom_u32();
	f.ip.saddr = e->local, f.ip.daddr = e->peer;
	__u64 addresses_sum = (__u64)f.ip.saddr + f.ip.daddr;
	f.ip.check = ~fold(addresses_sum + bpf_htons(0x4500) + f.ip.tot_len + f.ip.id + bpf_htons(0x4011));
	f.udp.source = port, f.udp.dest = e->peer_port;
	f.udp.len = bpf_htons(8 + n + len);
	if (summed) {
		__u64 sum = addresses_sum + bpf_htons(IPPROTO_UDP) + f.udp.len + f.udp.source + f.udp.dest + f.udp.len + inner;
		__u16 *w = (void *)f.l2tp;
		for (int i = 0; i < 6; i++)
			sum += w[i];
		__u16 check = ~fold(sum);
		f.udp.check = check ? check : 0xffff;
	}

	__u32 slot = e->slot;
	struct figures *count = bpf_map_lookup_elem(&counted, &slot);
	if (!count)
		return NEXT;
	__u32 octets = len, packets = 1;
	long failed;
	if (whole) {
		packets = (len - head + whole - 1) / whole;
		octets += (packets - 1) * head;
		if (bpf_skb_adjust_room(skb, 28 + n, BPF_ADJ_ROOM_MAC,
					BPF_F_ADJ_ROOM_FIXED_GSO | BPF_F_ADJ_ROOM_ENCAP_L3_IPV4 | BPF_F_ADJ_ROOM_ENCAP_L4_UDP))
			return NEXT;
		if (bpf_skb_change_head(skb, ETHERNET, 0))
			return SHOT;
	} else if (bpf_skb_change_head(skb, ETHERNET + 28 + n, 0)) {
		return NEXT;
	}
	switch (n) { /* lengths that are constant */
	case 12:
		failed = bpf_skb_store_bytes(skb, 0, &f, ETHERNET + 28 + 12, 0);
		break;
	case 11:
		failed = bpf_skb_store_bytes(skb, 0, &f, ETHERNET + 28 + 11, 0);
		break;
	case 10:
		failed = bpf_skb_store_bytes(skb, 0, &f, ETHERNET + 28 + 10, 0);
		break;
	case 9:
		failed = bpf_skb_store_bytes(skb, 0, &f, ETHERNET + 28 + 9, 0);
		break;
	case 8:
		failed = bpf_skb_store_bytes(skb, 0, &f, ETHERNET + 28 + 8, 0);
		break;
	default:
		failed = bpf_skb_store_bytes(skb, 0, &f, ETHERNET + 28 + 7, 0);
	}
	if (failed)
		return SHOT;
	__sync_fetch_and_add(&count->tx_packets, packets);
	__sync_fetch_and_add(&count->tx_octets, octets);
	count->last_tx = bpf_ktime_get_coarse_ns();
	return bpf_redirect(out, 0);
}
