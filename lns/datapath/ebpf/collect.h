// SPDX-License-Identifier: MIT OR GPL-2.0-only
//
// Packets of TCP that follow each other are made one, as a network device does it (GRO), before the host's stack sees them: it then
// routes, filters and cuts up a few large ones instead of many. The kernel does this at the other end of a pair of interfaces.

/* label stands where the header of Ethernet does while a packet is in the pair. Packets with different labels are never made one, so
 * that streams of different virtual templates, which may have the same addresses, stay apart. */
struct label {
	__u16 mark[4];
	__u32 template;
	__u16 protocol;
} __attribute__((packed));

#define MARK bpf_htons(0x026c) /* as an address it is one that nobody has: locally administered */

/* collect hands a packet without its headers to the pair, or to the virtual template. */
static __always_inline int collect(struct __sk_buff *skb, __u32 template, __u64 decap)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	struct label *l = data;
	__u32 pair = collector;
	if (!pair || (void *)(l + 1) > end)
		return bpf_redirect(template, BPF_F_INGRESS);
	for (int i = 0; i < 4; i++)
		l->mark[i] = MARK;
	l->template = template;
	l->protocol = decap == DECAP_L3_IPV4 ? bpf_htons(ETH_P_IP) : bpf_htons(ETH_P_IPV6);
	return bpf_redirect(pair, 0);
}

/* What comes out of the pair goes on to the virtual template. */
SEC("tcx/ingress") int collected(struct __sk_buff *skb)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	struct label *l = data;
	if ((void *)(l + 1) > end || l->mark[0] != MARK || l->mark[3] != MARK)
		return SHOT;
	return bpf_redirect(l->template, BPF_F_INGRESS);
}
