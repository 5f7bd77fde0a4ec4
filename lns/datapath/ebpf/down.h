// SPDX-License-Identifier: MIT OR GPL-2.0-only
//
// The way down: from the virtual template, behind headers, to the wire.
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
	const struct entry *e;
	__u32 clamped;
	__u64 pseudo = 0; /* the sum of the pseudo-header */
	__u64 header = 0; /* that of the IP header, which is nothing for IPv4 */
	if ((void *)(ip + 1) > end)
		return NEXT;
	if (skb->protocol == bpf_htons(ETH_P_IP)) {
		if (!plain(ip) || bpf_ntohs(ip->tot_len) != len)
			return NEXT;
		e = holder4(template, ip->daddr);
		protocol = ip->protocol;
		pseudo = (__u64)ip->saddr + ip->daddr + bpf_htons(len - 20);
		next = (void *)(ip + 1), ppp = 0x21, clamped = CLAMP;
	} else if (skb->protocol == bpf_htons(ETH_P_IPV6)) {
		if ((void *)(ip6 + 1) > end || ip6->version != 6 || bpf_ntohs(ip6->payload_len) + 40 != len || !simple(ip6->nexthdr))
			return NEXT;
		if (!global(&ip6->saddr) || !global(&ip6->daddr))
			return NEXT;
		e = holder6(template, &ip6->daddr);
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
