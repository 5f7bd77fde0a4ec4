// SPDX-License-Identifier: MIT OR GPL-2.0-only
//
// The way down: from the virtual template, behind headers, to the wire.
/* front is what is put in front of a packet, as much of it as is used. */
struct front {
	struct ethhdr ethernet;
	struct iphdr ip;
	struct udphdr udp;
	__u8 l2tp[12];
} __attribute__((packed, aligned(8)));

/* leaving is a packet on its way to a peer. */
struct leaving {
	const struct entry *to;
	__u8 *next;	     /* what is behind the header of IP */
	__u32 ip;	     /* how long that is */
	__u32 len;
	__u32 whole;	     /* octets in each of the segments that the packet is to be cut into; 0: it is one */
	__u32 head, longest; /* of the segments: their headers, and altogether */
	__u32 packets, octets;
	__u8 protocol, ppp;
	__u16 mss; /* the largest that this SYN may announce; 0 is any, or it is none */
	__u32 ttl; /* the word of the header of IP that has it, as it is to leave */
	__u64 pseudo, header; /* sums: of the pseudo-header, and of the header of IP, which is nothing for IPv4 */
	__u64 now;	      /* a coarse time */
	bool summed;	      /* the sum of all of it is known */
	struct judged judged;
};

static __always_inline bool leaves4(struct leaving *l, struct iphdr *ip, void *end, __u32 template)
{
	if ((void *)(ip + 1) > end || !plain(ip) || bpf_ntohs(ip->tot_len) != l->len)
		return false;
	l->to = holder4(template, ip->daddr);
	l->next = (void *)(ip + 1), l->ip = 20;
	l->protocol = ip->protocol, l->ppp = 0x21, l->mss = l->to ? l->to->mss : 0;
	l->pseudo = (__u64)ip->saddr + ip->daddr + bpf_htons(l->len - 20);
	l->judged.far[0] = ip->saddr, l->judged.is = RULE_IPV4;
	return true;
}

static __always_inline bool leaves6(struct leaving *l, struct ipv6hdr *ip, void *end, __u32 template)
{
	if ((void *)(ip + 1) > end || ip->version != 6 || bpf_ntohs(ip->payload_len) + 40 != l->len || !simple(ip->nexthdr))
		return false;
	if (!global(&ip->saddr) || !global(&ip->daddr))
		return false;
	l->to = holder6(template, &ip->daddr);
	l->next = (void *)(ip + 1), l->ip = 40;
	l->protocol = ip->nexthdr, l->ppp = 0x57, l->mss = l->to ? l->to->mss6 : 0;
	l->judged.is = RULE_IPV6;
	for (int i = 0; i < 4; i++) {
		l->pseudo += (__u64)ip->saddr.s6_addr32[i] + ip->daddr.s6_addr32[i];
		l->judged.far[i] = ip->saddr.s6_addr32[i];
	}
	l->pseudo += bpf_htons(l->len - 40);
	for (int i = 0; i < 10; i++)
		l->header += ((__u32 *)ip)[i];
	return true;
}

/* fits says that the peer may be sent this here. Its sum follows from the packet's own checksums, whether they are there already
 * or left to the device. */
static __always_inline bool fits(struct leaving *l, void *end)
{
	const __u8 *next = l->next;
	l->summed = !l->whole, l->longest = l->len, l->packets = 1, l->octets = l->len;
	l->pseudo += bpf_htons(l->protocol);
	if ((void *)(next + 8) > end || (l->whole && l->protocol != IPPROTO_TCP))
		return false;
	switch (l->protocol) {
	case IPPROTO_TCP:
		if ((void *)(next + 14) > end || l->len < l->ip + TCP_LEAST || (next[13] & SYN && l->whole))
			return false;
		if (!(next[13] & SYN))
			l->mss = 0;
		if (l->whole) {
			l->head = l->ip + (next[12] >> 4) * 4, l->longest = l->head + l->whole;
			l->packets = (l->len - l->head + l->whole - 1) / l->whole;
			l->octets += (l->packets - 1) * l->head;
		}
		break;
	case IPPROTO_UDP:
		/* What is behind the datagram (RFC 9868) is in no checksum. */
		l->summed = (next[6] || next[7]) && ((__u32)next[4] << 8 | next[5]) == l->len - l->ip;
		break;
	case IPPROTO_ICMP: /* Redirects are not for the peer. */
		l->pseudo = 0;
		return next[0] != 5 && l->longest <= l->to->mru;
	case IPPROTO_ICMPV6:
		return next[0] != 137 && l->longest <= l->to->mru;
	default:
		l->summed = false;
	}
	return l->longest <= l->to->mru;
}

/* frame writes the headers of L2TP and PPP, and says how long they are. */
static __always_inline __u32 frame(const struct leaving *l, __u8 *b)
{
	__u32 n = 8;
	b[0] = 0x40, b[1] = 2;
	__builtin_memcpy(b + 4, &l->to->peer_tunnel, 2);
	__builtin_memcpy(b + 6, &l->to->peer_session, 2);
	switch (l->to->flags & (COMPRESS_PROTOCOL | COMPRESS_ADDRESS)) {
	case 0:
		b[8] = 0xff, b[9] = 3, b[11] = l->ppp, n = 12;
		break;
	case COMPRESS_PROTOCOL:
		b[8] = 0xff, b[9] = 3, b[10] = l->ppp, n = 11;
		break;
	case COMPRESS_ADDRESS:
		b[9] = l->ppp, n = 10;
		break;
	default:
		b[8] = l->ppp, n = 9;
	}
	b[2] = (n + l->len) >> 8, b[3] = n + l->len;
	if (l->whole) { /* the device cuts it up, and knows nothing of a length in L2TP: so there is none */
		b[0] = 0;
		__builtin_memmove(b + 2, b + 4, 8);
		n -= 2;
	}
	return n;
}

/* ask has the kernel tell the way to the peer. The datagram is this host's own, as if a socket sent it: what rules say of packets
 * from the template is not for it. */
static __always_inline bool ask(struct __sk_buff *skb, const struct leaving *l, __u32 octets, struct way *w)
{
	struct bpf_fib_lookup found = {
		.family = AF_INET, .l4_protocol = IPPROTO_UDP, .sport = port, .dport = l->to->peer_port,
		.tot_len = octets, .ifindex = LOOPBACK, .ipv4_src = l->to->local, .ipv4_dst = l->to->peer,
	};
	if (bpf_fib_lookup(skb, &found, sizeof(found), 0) != BPF_FIB_LKUP_RET_SUCCESS)
		return false;
	__u32 *device = bpf_map_lookup_elem(&outside, &found.ifindex);
	if (!device)
		return false;
	w->peer = l->to->peer, w->local = l->to->local, w->peer_port = l->to->peer_port;
	w->octets = octets, w->out = found.ifindex, w->device = *device;
	w->hop = found.family == AF_INET ? found.ipv4_dst : 0;
	__builtin_memcpy(w->to, found.dmac, 6);
	__builtin_memcpy(w->from, found.smac, 6);
	return true;
}

/* reaches finds the way to the peer. To ask the kernel costs as much as all else here together, so the answer is good for a moment. */
static __always_inline struct way *reaches(struct __sk_buff *skb, const struct leaving *l, __u32 octets)
{
	const struct entry *to = l->to;
	__u32 slot = (to->peer ^ to->peer_port) * 0x9e3779b1U >> (32 - WAYS_BITS);
	struct way *w = bpf_map_lookup_elem(&ways, &slot);
	if (!w)
		return 0;
	__u64 now = l->now;
	if (w->peer == to->peer && w->local == to->local && w->peer_port == to->peer_port && octets <= w->octets && now - w->asked < WAY_TIME)
		return w;
	w->asked = 0;
	if (!ask(skb, l, octets, w))
		return 0;
	w->asked = now;
	return w;
}

/* departs says whether the device on the way to the peer can be given this. */
static __always_inline bool departs(struct __sk_buff *skb, const struct leaving *l, __u32 n, struct front *f, __u32 *out, __u32 before)
{
	const struct way *w = reaches(skb, l, 28 + n + l->longest);
	if (!w)
		return false;
	*out = w->out;
	__builtin_memcpy(f->ethernet.h_dest, w->to, 6);
	__builtin_memcpy(f->ethernet.h_source, w->from, 6);
	f->ethernet.h_proto = bpf_htons(ETH_P_IP);
	if (before && w->device & NO_HARDWARE && summed(skb) == CHECKSUM_COMPLETE)
		return false; /* the sum that a card has found is not that of the headers too, which only a card does not mind */
	if (l->whole)
		return !(w->device & HANDS_ON);
	if (!(w->device & LEAVES_SUMS))
		return true;
	return summed(skb) != CHECKSUM_PARTIAL;
}

/* address writes the headers of IP and UDP in front of n octets of others. The id is another one for each of 65536 packets. */
static __always_inline void address(const struct leaving *l, __u32 n, struct front *f, __u64 packets)
{
	f->ip.version = 4, f->ip.ihl = 5, f->ip.ttl = 64, f->ip.protocol = IPPROTO_UDP;
	f->ip.tot_len = bpf_htons(28 + n + l->len);
	f->ip.id = l->to->peer_session + packets * 0x9e37;
	f->ip.saddr = l->to->local, f->ip.daddr = l->to->peer;
	__u64 sum = (__u64)f->ip.saddr + f->ip.daddr;
	f->ip.check = ~fold(sum + bpf_htons(0x4500) + f->ip.tot_len + f->ip.id + bpf_htons(0x4011));
	f->udp.source = port, f->udp.dest = l->to->peer_port;
	f->udp.len = bpf_htons(8 + n + l->len);
	if (!l->summed)
		return;
	__u64 inner = fold(l->header + (__u16)~fold(l->pseudo));
	if (n & 1)
		inner = __builtin_bswap16(inner);
	sum += bpf_htons(IPPROTO_UDP) + f->udp.len + f->udp.source + f->udp.dest + f->udp.len + inner;
	__u16 *w = (void *)f->l2tp;
	for (int i = 0; i < 6; i++)
		sum += w[i];
	__u16 check = ~fold(sum);
	f->udp.check = check ? check : 0xffff;
}

/* copy writes so many octets, a constant, to where the packet begins. It says true when they do not fit. */
static __always_inline bool copy(struct __sk_buff *skb, const struct front *f, const __u32 octets)
{
	void *data = (void *)(long)skb->data;
	if (data + octets > (void *)(long)skb->data_end)
		return true;
	const __u64 *words = (const void *)f;
	for (__u32 i = 0; i < 6; i++)
		((__u64 *)data)[i] = words[i];
	for (__u32 i = 48; i < octets; i++)
		((__u8 *)data)[i] = ((const __u8 *)f)[i];
	return false;
}

/* put writes the headers. Their lengths have to be constants. */
static __always_inline bool put(struct __sk_buff *skb, const struct front *f, __u32 n)
{
	switch (n) {
	case 12:
		return copy(skb, f, ETHERNET + 28 + 12);
	case 11:
		return copy(skb, f, ETHERNET + 28 + 11);
	case 10:
		return copy(skb, f, ETHERNET + 28 + 10);
	case 9:
		return copy(skb, f, ETHERNET + 28 + 9);
	case 8:
		return copy(skb, f, ETHERNET + 28 + 8);
	default:
		return copy(skb, f, ETHERNET + 28 + 7);
	}
}

/* room makes room for so many octets and the header of Ethernet, if there is none. If not, it says what becomes of the packet. */
static __always_inline int room(struct __sk_buff *skb, __u32 octets, bool whole, __u32 before)
{
	__u64 flags = BPF_F_ADJ_ROOM_FIXED_GSO | (whole ? BPF_F_ADJ_ROOM_ENCAP_L3_IPV4 | BPF_F_ADJ_ROOM_ENCAP_L4_UDP : 0);
	if (!whole && !before)
		return bpf_skb_change_head(skb, ETHERNET + octets, 0) ? NEXT : 0;
	if (bpf_skb_adjust_room(skb, octets, BPF_ADJ_ROOM_MAC, flags))
		return NEXT;
	return !before && bpf_skb_change_head(skb, ETHERNET, 0) ? SHOT : 0;
}

/* leave sends a packet to its peer, in which it begins at an offset, a constant. Whether it is one for a peer is known, and its holder. */
static __always_inline int leave(struct __sk_buff *skb, struct leaving *l, void *end, __u32 before)
{
	if (!(l->to->flags & CARRY_DOWN) || guarded(skb) || !fits(l, end))
		return NEXT;
	struct place *count = counts(l->to);
	if (!count)
		return NEXT;
	l->judged.protocol = l->protocol;
	switch (judge(l->to->filter, &l->judged, l->next, end, l->len - l->ip, true)) {
	case LEFT:
		return NEXT;
	case DENIED:
		drop(&count->down, FILTERED, l->packets);
		return GONE;
	default:
		break;
	}
	struct front f = {};
	__u32 out, n = frame(l, f.l2tp);
	if (!departs(skb, l, n, &f, &out, before))
		return NEXT;
	address(l, n, &f, count->down.packets);
	switch (admit(&count->down, l->to->rate_down, l->octets, l->octets - (l->packets - 1) * (l->head + l->whole))) {
	case LEFT:
		return NEXT;
	case DENIED:
		drop(&count->down, RATE_DOWN, l->packets);
		return GONE;
	default:
		break;
	}
	if (l->protocol == IPPROTO_TCP && l->mss && !lower(skb, before + l->ip, l->len - l->ip, l->mss))
		return NEXT;
	int verdict = room(skb, 28 + n, l->whole, before);
	if (verdict)
		return verdict;
	if (put(skb, &f, n))
		return SHOT;
	if (before && bpf_skb_store_bytes(skb, ETHERNET + 28 + n + AT_TTL, &l->ttl, 4, 0))
		return SHOT;
	carry(&count->down, l->packets, l->octets, l->now);
	return bpf_redirect(out, 0);
}

SEC("tcx/egress") int down(struct __sk_buff *skb)
{
	struct leaving l = {.len = skb->len, .whole = skb->gso_size};
	__u32 template = skb->ifindex;
	__u32 looked_at = skb->protocol == bpf_htons(ETH_P_IP) ? LOOKED_AT4 : LOOKED_AT6;
	if (!at_hand(skb, looked_at, looked_at))
		return NEXT;
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	if (skb->protocol == bpf_htons(ETH_P_IP) ? !leaves4(&l, data, end, template) :
	    skb->protocol != bpf_htons(ETH_P_IPV6) || !leaves6(&l, data, end, template))
		return NEXT;
	l.now = bpf_ktime_get_coarse_ns();
	if (!l.to)
		return NEXT;
	const struct sight *s = sight_of(skb, template, true, l.now);
	return s && s->alone ? leave(skb, &l, end, 0) : NEXT;
}
