// SPDX-License-Identifier: MIT OR GPL-2.0-only
//
// Who sees what passes an interface, or decides about it.
#define MOST_LISTENERS 8
#define MOST_OF_A_CHAIN 32
#define DEVICE_CHAINS 256

/* empty says that nothing is in a list of the kernel. */
static __always_inline bool empty(struct list_head *head)
{
	return BPF_CORE_READ(head, next) == head;
}

/* listens says that somebody in a list takes all packets of IPv4. */
static __always_inline bool listens(struct list_head *head)
{
	struct list_head *at = BPF_CORE_READ(head, next);
	for (int i = 0; i < MOST_LISTENERS; i++) {
		if (at == head)
			return false;
		struct packet_type *p = (void *)at - bpf_core_field_offset(struct packet_type, list);
		if (BPF_CORE_READ(p, type) == bpf_htons(ETH_P_IP))
			return true;
		at = BPF_CORE_READ(at, next);
	}
	return true;
}

/* only says that no other programs are at an entrance or exit than so many of these. */
static __always_inline bool only(struct bpf_mprog_entry *e, __u32 ours)
{
	if (!e)
		return !ours;
	struct bpf_mprog_bundle *b = BPF_CORE_READ(e, parent);
	struct tcx_entry *t = (void *)b - bpf_core_field_offset(struct tcx_entry, bundle);
	return BPF_CORE_READ(b, count) == ours && !BPF_CORE_READ(t, miniq);
}

/* device finds an interface. */
static __always_inline struct net_device *device(struct net *net, __u32 number)
{
	struct hlist_head *heads = BPF_CORE_READ(net, dev_index_head);
	struct hlist_node *at = BPF_CORE_READ(&heads[number % DEVICE_CHAINS], first);
	for (int i = 0; i < MOST_OF_A_CHAIN && at; i++) {
		struct net_device *d = (void *)at - bpf_core_field_offset(struct net_device, index_hlist);
		if (BPF_CORE_READ(d, ifindex) == number)
			return d;
		at = BPF_CORE_READ(at, next);
	}
	return 0;
}

/* alone says that nobody but the program here has a say in what leaves by an interface: no other programs, no queues that somebody has
 * given it. Those that it has by itself have no handle. */
static __always_inline bool alone(struct net_device *d)
{
	struct bpf_mprog_entry *e = BPF_CORE_READ(d, tcx_egress);
	return (only(e, 0) || only(e, 1)) && !BPF_CORE_READ(d, qdisc, handle);
}

/* unseen says that nobody sees what passes an interface, or decides about it. With a template nobody may see all that is in the
 * network namespace. */
static __always_inline bool unseen(struct net *net, struct net_device *d, bool template)
{
	if (!bpf_core_field_exists(net->ptype_all) || !bpf_core_field_exists(d->tcx_ingress))
		return false;
	if (!only(BPF_CORE_READ(d, tcx_ingress), !template) || !only(BPF_CORE_READ(d, tcx_egress), template))
		return false;
	if (bpf_core_field_exists(d->nf_hooks_ingress) && BPF_CORE_READ(d, nf_hooks_ingress))
		return false;
	if (bpf_core_field_exists(d->nf_hooks_egress) && BPF_CORE_READ(d, nf_hooks_egress))
		return false;
	if (BPF_CORE_READ(d, rx_handler) || listens(&d->ptype_specific))
		return false;
	return !template || (alone(d) && !BPF_CORE_READ(d, xdp_prog) && empty(&d->ptype_all) && empty(&d->adj_list.upper) &&
			     empty(&net->ptype_all) && !listens(&net->ptype_specific));
}

/* watch looks at an interface. */
static __noinline int watch(struct __sk_buff *skb, struct sight *s, bool template)
{
	if (!s)
		return 0;
	struct sk_buff *kernel = bpf_cast_to_kern_ctx(skb);
	struct net *net = kernel->dev->nd_net.net;
	struct net_device *d = device(net, s->device);
	s->clear = d && unseen(net, d, template);
	s->alone = d && template && alone(d);
	return 0;
}

/* sight_of is what is known of an interface, a virtual template or another one, as it was at most a moment ago. */
static __always_inline const struct sight *sight_of(struct __sk_buff *skb, __u32 number, bool template, __u64 now)
{
	__u32 slot = number % SIGHTS;
	struct sight *s = bpf_map_lookup_elem(&sights, &slot);
	if (!s || (s->device == number && now - s->asked < WAY_TIME))
		return s;
	s->device = number, s->asked = now;
	watch(skb, s, template);
	return s;
}

/* clear says that nobody could tell that packets do not pass an interface. */
static __always_inline bool clear(struct __sk_buff *skb, __u32 number, bool template, __u64 now)
{
	const struct sight *s = sight_of(skb, number, template, now);
	return s && s->clear;
}
