//go:build ignore

// SPDX-License-Identifier: MIT OR GPL-2.0-only
//
// The programs that make packets and count them.
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define NEXT -1 /* TCX_NEXT: on to the stack */
#define SHOT 2	/* TC_ACT_SHOT */
#define WORDS 12
#define L2TP_PORT 1701
#define EACH 64 /* packets for which user space is woken once */

/* How many heads there are, and of how many words each of them is. */
volatile const __u32 heads_used = 1, words_used = 0;

/* The port of the packets that are counted, in network order. */
volatile const __u16 counted_port = 0;

__u64 made = 0, taken = 0;
__u32 next_head = 0;

/* head is what a packet begins with; what is behind that never changes. */
struct head {
	__u64 words[WORDS];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct head);
} heads SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} wakes SEC(".maps");

const struct head *unused_head __attribute__((unused));

/* make writes the next head over what another packet left in the same memory. It runs on one processor at a time. */
SEC("xdp") int make(struct xdp_md *x)
{
	__u64 *data = (void *)(long)x->data;
	void *end = (void *)(long)x->data_end;
	__u32 number = next_head;
	struct head *h = bpf_map_lookup_elem(&heads, &number);
	if (!h)
		return XDP_ABORTED;
	for (int i = 0; i < WORDS; i++) {
		if (i >= words_used || (void *)(data + i + 1) > end)
			break;
		data[i] = h->words[i];
	}
	next_head = number + 1 < heads_used ? number + 1 : 0;
	made++;
	return XDP_PASS;
}

/* for_us says that a datagram is one of those that were made, or a user packet in L2TP, as a server writes it that was not
 * asked to compress anything. */
static __always_inline int for_us(struct __sk_buff *skb)
{
	struct {
		struct udphdr udp;
		__u8 l2tp[12];
	} __attribute__((packed)) d;
	struct iphdr ip;
	if (skb->protocol != bpf_htons(ETH_P_IP) || bpf_skb_load_bytes(skb, ETH_HLEN, &ip, sizeof(ip)) || ip.protocol != IPPROTO_UDP ||
	    bpf_skb_load_bytes(skb, ETH_HLEN + sizeof(ip), &d, sizeof(d)))
		return 0;
	if (d.udp.dest == counted_port)
		return 1;
	if (d.udp.source != bpf_htons(L2TP_PORT) || d.l2tp[0] & 0x80)
		return 0;
	const __u8 *ppp = d.l2tp[0] & 0x40 ? d.l2tp + 8 : d.l2tp + 6;
	return ppp[0] == 0xff && ppp[1] == 3 && ppp[2] == 0 && ppp[3] == 0x21;
}

/* count takes packets off at an entrance. */
SEC("tcx/ingress") int count(struct __sk_buff *skb)
{
	if (!for_us(skb))
		return NEXT;
	__u64 packets = 1;
	if (skb->gso_size && skb->len > ETH_HLEN + 28)
		packets = (skb->len - ETH_HLEN - 28 + skb->gso_size - 1) / skb->gso_size;
	__u64 before = __sync_fetch_and_add(&taken, packets);
	if (before / EACH != (before + packets) / EACH)
		bpf_ringbuf_output(&wakes, &before, sizeof(before), BPF_RB_FORCE_WAKEUP);
	return SHOT;
}

char __license[] SEC("license") = "Dual MIT/GPL";
