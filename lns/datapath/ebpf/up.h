// SPDX-License-Identifier: MIT OR GPL-2.0-only
//
// The way up: from the wire, out of L2TP and PPP, into the host through the virtual template.

/* is_l2tp says that a packet of IPv4 is for the port of L2TP. Most that come in are not. */
static __always_inline bool is_l2tp(struct __sk_buff *skb)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	struct iphdr *ip = data + ETHERNET;
	struct udphdr *udp = data + ETHERNET + 20;
	return (void *)(udp + 1) <= end && ip->protocol == IPPROTO_UDP && udp->dest == port;
}

SEC("tcx/ingress") int up(struct __sk_buff *skb)
{
	if (skb->protocol != bpf_htons(ETH_P_IP) || skb->pkt_type != 0 || skb->vlan_present)
		return NEXT;
	if (!at_hand(skb, ETHERNET + 28, ETHERNET + 28))
		return NEXT;
	if (!is_l2tp(skb))
		return homeward(skb);
	if (skb->gso_size || !at_hand(skb, MOST_HEADERS + LOOKED_AT4, MOST_HEADERS + LOOKED_AT6))
		return NEXT;
	__u32 len = skb->len;
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	struct iphdr *ip = data + ETHERNET;
	struct udphdr *udp = data + ETHERNET + 20;
	__u16 *l2tp = (void *)(udp + 1);
	if ((void *)(l2tp + 4) > end || !plain(ip) || fold(sum_of_ip(ip)) != 0xffff)
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
	const struct entry *e = session(id), *whose = e;
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
	__u8 *next;
	__u32 mss;
	struct judged j = {};
	struct straight s = {};
	if (protocol == 0x21) {
		struct iphdr *inner = (void *)p;
		if ((void *)(inner + 1) > end || !e->address || !plain(inner))
			return NEXT;
		octets = bpf_ntohs(inner->tot_len);
		if (octets < 20 || octets + headers != payload || bpf_ntohl(inner->daddr) >= 0xe0000000)
			return NEXT;
		if (inner->saddr != e->address)
			whose = e->flags & ROUTES ? holder4(e->template, inner->saddr) : 0;
		j.far[0] = inner->daddr, j.protocol = inner->protocol, j.is = RULE_IPV4;
		next = (void *)(inner + 1), mss = e->mss;
		decap = DECAP_L3_IPV4;
		if (e->flags & STRAIGHT)
			look_ahead(&s, inner);
	} else if (protocol == 0x57) {
		struct ipv6hdr *inner = (void *)p;
		if ((void *)(inner + 1) > end || !(e->flags & IPV6) || inner->version != 6 || !simple(inner->nexthdr))
			return NEXT;
		octets = bpf_ntohs(inner->payload_len) + 40;
		if (octets + headers != payload || !global(&inner->saddr) || !global(&inner->daddr))
			return NEXT;
		whose = holder6(e->template, &inner->saddr);
		for (int i = 0; i < 4; i++)
			j.far[i] = inner->daddr.s6_addr32[i];
		j.protocol = inner->nexthdr, j.is = RULE_IPV6;
		next = (void *)(inner + 1), mss = e->mss6;
		decap = DECAP_L3_IPV6;
	} else {
		return NEXT;
	}
	if (!whose || whose->id != id)
		return NEXT;
	if (j.protocol != IPPROTO_TCP)
		mss = 0;
	else if ((void *)(next + 14) > end || octets < (decap == DECAP_L3_IPV4 ? 40 : 60))
		return NEXT;
	else if (!(next[13] & SYN))
		mss = 0;

	if (guarded(skb))
		return NEXT;
	__u32 template = e->template;
	__u64 now = bpf_ktime_get_coarse_ns();
	struct place *count = counts(e);
	if (!count)
		return NEXT;
	__u32 length = octets - (decap == DECAP_L3_IPV4 ? 20 : 40);
	switch (judge(e->filter, &j, next, end, length, false)) {
	case LEFT:
		return NEXT;
	case DENIED:
		drop(&count->up, FILTERED, 1);
		return SHOT;
	default:
		break;
	}
	switch (admit(&count->up, e->rate_up, octets, octets)) {
	case LEFT:
		return NEXT;
	case DENIED:
		drop(&count->up, RATE_UP, 1);
		return SHOT;
	default:
		break;
	}
	const struct course *straight = course(skb, &s, template, template, octets, now);
	if (mss && !lower(skb, ETHERNET + 28 + headers + octets - length, length, mss))
		return NEXT;
	if (len != ETHERNET + 28 + payload && bpf_skb_change_tail(skb, ETHERNET + 28 + payload, 0))
		return NEXT;
	if (bpf_skb_adjust_room(skb, -(__s32)(28 + headers), BPF_ADJ_ROOM_MAC, decap))
		return NEXT;
	carry(&count->up, 1, octets, now);
	if (straight)
		return go(skb, straight, s.ttl);
	return j.protocol == IPPROTO_TCP ? collect(skb, template, decap) : bpf_redirect(template, BPF_F_INGRESS);
}
