// SPDX-License-Identifier: MIT OR GPL-2.0-only
//
// What programs say to the kernel, and what they look at of its own structures.
#define NEXT -1 /* TCX_NEXT: whatever else is attached, then the stack */
#define SHOT 2	/* TC_ACT_SHOT: it is no packet any more */
#define GONE bpf_redirect(0, 0) /* the same, but who sent it does not learn: no interface has the number 0 */
#define AF_INET 2
#define LOOPBACK 1 /* the interface, in every network namespace */
#define DECAP_L3_IPV4 (1ULL << 7)
#define DECAP_L3_IPV6 (1ULL << 8)
#define CHECKSUM_COMPLETE 2
#define CHECKSUM_PARTIAL 3
#define XFRM_USERPOLICY_BLOCK 1

/* What is looked at of the kernel's own structures, wherever it has it. */
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct netns_xfrm {
	unsigned int policy_count[6]; /* in, out, forward */
	__u8 policy_default[3];	      /* what becomes of packets without a policy */
};
struct nf_hook_entries;
struct netns_nf {
	const struct nf_hook_entries *hooks_ipv4[5];
};
struct netns_ipv4 {
	bool fib_has_custom_rules;
	__u8 sysctl_fib_multipath_hash_policy, sysctl_ip_fwd_use_pmtu;
	struct {
		int counter;
	} rt_genid;
};
struct list_head {
	struct list_head *next, *prev;
};
struct hlist_node {
	struct hlist_node *next;
};
struct hlist_head {
	struct hlist_node *first;
};
struct net {
	struct list_head ptype_all, ptype_specific;
	struct hlist_head *dev_index_head;
	struct netns_ipv4 ipv4;
	struct netns_nf nf;
	struct netns_xfrm xfrm;
};
typedef struct {
	struct net *net;
} possible_net_t;
struct mini_Qdisc;
struct bpf_mprog_bundle {
	__u32 count;
};
struct bpf_mprog_entry {
	struct bpf_mprog_bundle *parent;
};
struct tcx_entry {
	struct mini_Qdisc *miniq;
	struct bpf_mprog_bundle bundle;
};
struct packet_type {
	__be16 type;
	struct list_head list;
};
struct bpf_prog;
struct Qdisc {
	__u32 handle;
};
struct net_device {
	possible_net_t nd_net;
	int ifindex;
	struct hlist_node index_hlist;
	struct list_head ptype_all, ptype_specific;
	struct nf_hook_entries *nf_hooks_ingress, *nf_hooks_egress;
	struct bpf_mprog_entry *tcx_ingress, *tcx_egress;
	struct bpf_prog *xdp_prog;
	struct Qdisc *qdisc;
	void *rx_handler;
	struct {
		struct list_head upper;
	} adj_list;
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
	if (net->xfrm.policy_count[0] || net->xfrm.policy_count[1])
		return true;
	return bpf_core_field_exists(net->xfrm.policy_default) &&
	       (net->xfrm.policy_default[0] == XFRM_USERPOLICY_BLOCK || net->xfrm.policy_default[1] == XFRM_USERPOLICY_BLOCK);
}

/* summed is what the kernel knows of the packet's checksum. */
static __always_inline __u32 summed(struct __sk_buff *skb)
{
	struct sk_buff *kernel = bpf_cast_to_kern_ctx(skb);
	return BPF_CORE_READ_BITFIELD(kernel, ip_summed);
}
