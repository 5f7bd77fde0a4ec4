// SPDX-License-Identifier: MIT OR GPL-2.0-only
//
// Which packets of a session may pass: what lns/datapath, filter.go, says of packets that are whole and have no extension headers.
#define UDP_LEAST 8
#define SCTP_LEAST 12
#define ICMP_LEAST 4
#define ESTABLISHED 0x14 /* ACK or RST */

/* judged is what the rules ask about. */
struct judged {
	__u32 far[4]; /* the address of the far end; of IPv4 the first one */
	__u16 port;   /* of the far end, or the type of ICMP */
	__u8 protocol;
	__u8 is; /* those of the flags of a rule that hold */
};

/* reads finds port and flags. It says false when they are cut short, or not where they can be seen. */
static __always_inline bool reads(struct judged *j, const __u8 *next, void *end, __u32 length, bool down)
{
	__u32 least;
	switch (j->protocol) {
	case IPPROTO_TCP:
		if ((void *)(next + 14) > end)
			return false;
		least = TCP_LEAST;
		if (next[13] & ESTABLISHED)
			j->is |= RULE_ESTABLISHED;
		break;
	case IPPROTO_UDP:
		least = UDP_LEAST;
		break;
	case IPPROTO_SCTP:
		least = SCTP_LEAST;
		break;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		if ((void *)(next + 4) > end || length < ICMP_LEAST)
			return false;
		j->port = next[0];
		return true;
	default:
		return true;
	}
	if ((void *)(next + 4) > end || length < least)
		return false;
	j->port = down ? next[0] << 8 | next[1] : next[2] << 8 | next[3];
	return true;
}

/* meets says that a packet has all that a rule asks for. It has no branches: the verifier walks every one of them for every rule. */
static __always_inline bool meets(const struct rule *r, const struct judged *j)
{
	__u32 other = (r->asks & ~j->is) | ((j->protocol ^ r->protocol) & r->protocol_mask);
	__s32 below = j->port - r->first, above = r->last - j->port;
	for (int i = 0; i < 4; i++)
		other |= (j->far[i] & r->mask[i]) ^ r->prefix[i];
	return !(other | ((__u32)(below | above) & 0x80000000));
}

/* allows has the first rule decide that a packet meets. The verifier walks it by itself, as it is not static. */
__noinline int allows(const struct filter *f, const struct judged *j)
{
	if (!f || !j)
		return false;
#pragma clang loop unroll(disable)
	for (__u32 i = 0; i < MOST_RULES; i++) {
		if (i >= f->rules)
			break;
		if (meets(&f->rule[i], j))
			return f->rule[i].allow;
	}
	return f->allow;
}

/* judge says what the filter of a session has to say of a packet. Without a filter all pass. */
static __always_inline enum verdict judge(__u32 number, struct judged *j, const __u8 *next, void *end, __u32 length, bool down)
{
	if (!number)
		return PASSES;
	const struct filter *f = bpf_map_lookup_elem(&filters, &number);
	j->is |= down ? RULE_DOWN : RULE_UP;
	if (!f || !reads(j, next, end, length, down))
		return LEFT;
	return allows(f, j) ? PASSES : DENIED;
}
