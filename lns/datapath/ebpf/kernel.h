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
#define CHECKSUM_PARTIAL 3
#define XFRM_USERPOLICY_BLOCK 1

/* What is looked at of the kernel's own structures, wherever it has it. */
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct netns_xfrm {
	unsigned int policy_count[6]; /* in, out, forward */
	__u8 policy_default[3];	      /* what becomes of packets without a policy */
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
	if (net->xfrm.policy_count[0] || net->xfrm.policy_count[1])
		return true;
	return bpf_core_field_exists(net->xfrm.policy_default) &&
	       (net->xfrm.policy_default[0] == XFRM_USERPOLICY_BLOCK || net->xfrm.policy_default[1] == XFRM_USERPOLICY_BLOCK);
}
