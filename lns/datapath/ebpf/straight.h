// SPDX-License-Identifier: MIT OR GPL-2.0-only
//
// The straight way: packets that the host would only forward need not pass its stack and the virtual template, as long as nobody
// can tell. It is left when there is a firewall, a rule for routing, a program or somebody who listens.
#define PRE_ROUTING 0
#define FORWARD 2
#define POST_ROUTING 4
#define XFRM_FORWARD 2
#define ABROAD(address) (bpf_ntohl(address) >= 1 << 24 && bpf_ntohl(address) < 0xe0000000)

/* straight is what is to be known of a packet that may go the straight way. */
struct straight {
	__u32 source, destination;
	__u32 ttl; /* the word of its header that has it, less 1 */
	bool may;
};

static __always_inline void look_ahead(struct straight *s, const struct iphdr *ip)
{
	s->may = ip->ttl > 1 && !(ip->tos & 0xfc) && ABROAD(ip->saddr) && ABROAD(ip->daddr) && fold(sum_of_ip(ip)) == 0xffff;
	s->source = ip->saddr, s->destination = ip->daddr;
	__u32 check = ip->check + bpf_htons(0x0100);
	check = (check + (check >= 0xffff)) & 0xffff;
	s->ttl = bpf_htonl((ip->ttl - 1) << 24 | ip->protocol << 16 | bpf_ntohs(check));
}

/* sealed says that this host has something to say about what is forwarded with IPsec or without. */
static __always_inline bool sealed(struct net *net)
{
	if (!bpf_core_field_exists(net->xfrm))
		return false;
	return net->xfrm.policy_count[XFRM_FORWARD] ||
	       (bpf_core_field_exists(net->xfrm.policy_default) && net->xfrm.policy_default[XFRM_FORWARD] == XFRM_USERPOLICY_BLOCK);
}

/* free says that this host forwards by its routes alone: no firewall, no rules. */
static __always_inline bool free(struct __sk_buff *skb, struct net *net)
{
	if (skb->mark || skb->priority || sealed(net))
		return false;
	if (bpf_core_field_exists(net->nf.hooks_ipv4) &&
	    (net->nf.hooks_ipv4[PRE_ROUTING] || net->nf.hooks_ipv4[FORWARD] || net->nf.hooks_ipv4[POST_ROUTING]))
		return false;
	if (bpf_core_field_exists(net->ipv4.fib_has_custom_rules) && net->ipv4.fib_has_custom_rules)
		return false;
	if (bpf_core_field_exists(net->ipv4.sysctl_fib_multipath_hash_policy) && net->ipv4.sysctl_fib_multipath_hash_policy)
		return false;
	return !net->ipv4.sysctl_ip_fwd_use_pmtu;
}

/* asked has the kernel tell the way from one address to another one, with or without the neighbour on it. */
static __always_inline bool asked(struct __sk_buff *skb, struct bpf_fib_lookup *f, __u32 in, __u32 octets, __u32 from, __u32 to, __u32 flags)
{
	__builtin_memset(f, 0, sizeof(*f));
	f->family = AF_INET, f->ifindex = in, f->tot_len = octets, f->ipv4_src = from, f->ipv4_dst = to;
	return bpf_fib_lookup(skb, f, sizeof(*f), flags) == BPF_FIB_LKUP_RET_SUCCESS && f->family == AF_INET;
}

/* plot asks the kernel for a course. Answers have to come back the same way, or else the host may want to drop the packet. */
static __noinline bool plot(struct __sk_buff *skb, struct course *c)
{
	struct bpf_fib_lookup f;
	if (!c)
		return false;
	c->out = 0;
	if (!asked(skb, &f, c->in, 0, c->destination, c->source, BPF_FIB_LOOKUP_SKIP_NEIGH) || f.ifindex != c->in)
		return false;
	if (!asked(skb, &f, c->in, c->octets, c->source, c->destination, BPF_FIB_LOOKUP_SKIP_NEIGH))
		return false;
	c->out = f.ifindex, c->hop = f.ipv4_dst;
	return true;
}

/* meet finds the neighbour on a course. */
static __noinline bool meet(struct __sk_buff *skb, struct course *c, __u64 now)
{
	if (!c)
		return false;
	__u32 slot = (c->hop ^ c->out) * SPREAD >> (32 - WAYS_BITS);
	struct way *w = bpf_map_lookup_elem(&ways, &slot);
	if (!w)
		return false;
	if (w->peer != c->hop || w->out != c->out || w->local || w->peer_port || now - w->asked >= WAY_TIME) {
		struct bpf_fib_lookup f;
		w->asked = 0;
		if (!asked(skb, &f, c->in, 0, c->source, c->destination, 0) || f.ifindex != c->out || f.ipv4_dst != c->hop ||
		    !bpf_map_lookup_elem(&outside, &f.ifindex))
			return false;
		w->peer = w->hop = c->hop, w->out = c->out, w->local = 0, w->peer_port = 0;
		__builtin_memcpy(w->to, f.dmac, 6);
		__builtin_memcpy(w->from, f.smac, 6);
		w->asked = now;
	}
	__builtin_memcpy(c->to, w->to, 6);
	__builtin_memcpy(c->from, w->from, 6);
	return true;
}

/* look says whether a course may be gone now, up or down from or to a template. */
static __noinline bool look(struct __sk_buff *skb, struct course *c, __u32 template, __u64 now)
{
	if (!c)
		return false;
	if (now - c->asked >= (c->out ? COURSE_TIME : WAY_TIME)) {
		plot(skb, c);
		c->asked = now;
	}
	bool up = c->in == template;
	c->straight = c->out && (up || c->out == template) && clear(skb, template, true, now) &&
		      clear(skb, up ? c->out : c->in, false, now) && (!up || meet(skb, c, now));
	c->looked = now;
	return c->straight;
}

/* course is how the host forwards a packet of so many octets that comes in at an interface; 0 if it has to pass the stack. */
static __always_inline const struct course *course(struct __sk_buff *skb, const struct straight *s, __u32 in, __u32 template, __u32 octets,
						   __u64 now)
{
	struct sk_buff *kernel = bpf_cast_to_kern_ctx(skb);
	struct net *net = kernel->dev->nd_net.net;
	if (!s->may || !free(skb, net))
		return 0;
	__u32 slot = (bpf_ntohl(s->source) + bpf_ntohl(s->destination) * SPREAD) % COURSES;
	struct course *c = bpf_map_lookup_elem(&courses, &slot);
	if (!c)
		return 0;
	__u32 routing = net->ipv4.rt_genid.counter;
	if (c->source != s->source || c->destination != s->destination || c->in != in || c->routing != routing || octets > c->octets) {
		c->source = s->source, c->destination = s->destination, c->in = in, c->routing = routing, c->octets = octets;
		c->asked = c->looked = 0;
	}
	if (now - c->looked < WAY_TIME ? c->straight : look(skb, c, template, now))
		return c;
	return 0;
}

/* go sends a packet without its headers the straight way. */
static __always_inline int go(struct __sk_buff *skb, const struct course *c, __u32 ttl)
{
	struct ethhdr *e = (void *)(long)skb->data;
	struct iphdr *ip = (void *)(e + 1);
	if ((void *)(ip + 1) > (void *)(long)skb->data_end)
		return SHOT;
	__builtin_memcpy(e->h_dest, c->to, 6);
	__builtin_memcpy(e->h_source, c->from, 6);
	e->h_proto = bpf_htons(ETH_P_IP);
	*(__u32 *)((void *)ip + AT_TTL) = ttl;
	return bpf_redirect(c->out, 0);
}

/* homeward sends a packet to a session the straight way, if there is one. */
static __always_inline int homeward(struct __sk_buff *skb)
{
	struct leaving l = {.whole = skb->gso_size};
	struct straight s;
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	struct iphdr *ip = data + ETHERNET;
	if ((void *)(ip + 1) > end || !plain(ip))
		return NEXT;
	__u32 template = 0, destination = ip->daddr;
	for (int i = 0; i < MOST_TEMPLATES; i++) {
		template = templates[i];
		if (!template || near4(template, destination))
			break;
	}
	if (!template || !at_hand(skb, ETHERNET + LOOKED_AT4, ETHERNET + LOOKED_AT4))
		return NEXT;
	data = (void *)(long)skb->data, end = (void *)(long)skb->data_end, ip = data + ETHERNET;
	if ((void *)(ip + 1) > end)
		return NEXT;
	look_ahead(&s, ip);
	const __u8 *next = (void *)(ip + 1);
	l.len = bpf_ntohs(ip->tot_len), l.ttl = s.ttl, l.now = bpf_ktime_get_coarse_ns();
	__u32 longest = l.len;
	if (l.whole)
		longest = (void *)(next + 13) > end ? 0xffff : 20 + (next[12] >> 4) * 4 + l.whole;
	if (l.len + ETHERNET > skb->len || !course(skb, &s, skb->ifindex, template, longest, l.now))
		return NEXT;
	if (l.len + ETHERNET != skb->len && (l.whole || bpf_skb_change_tail(skb, l.len + ETHERNET, 0)))
		return NEXT;
	data = (void *)(long)skb->data, end = (void *)(long)skb->data_end;
	if (!leaves4(&l, data + ETHERNET, end, template) || !l.to)
		return NEXT;
	return leave(skb, &l, end, ETHERNET);
}
