// SPDX-License-Identifier: MIT OR GPL-2.0-only
//
// What can be said of a packet by itself.
#define ETHERNET 14
#define MOST_HEADERS (ETHERNET + 20 + 8 + 8 + 4)
#define LOOKED_AT4 (20 + 14) /* to the flags of TCP */
#define LOOKED_AT6 (40 + 14)
#define AT_TTL 8
#define SYN 0x02
#define TCP_LEAST 20

/* at_hand says that as many octets as are needed are where programs can look at them, or the whole packet is. If not, more are brought
 * there; that takes time, so nothing is that needs not be. */
static __always_inline bool at_hand(struct __sk_buff *skb, __s64 needed, __u32 brought)
{
	__s64 here = (void *)(long)skb->data_end - (void *)(long)skb->data;
	return here >= needed || here >= skb->len || !bpf_skb_pull_data(skb, skb->len < brought ? skb->len : brought);
}

/* verdict is what becomes of a packet here: it passes, it is for user space to say, or it goes nowhere. */
enum verdict { PASSES, LEFT, DENIED };

static __always_inline __u16 fold(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static __always_inline __u64 sum_of_ip(const struct iphdr *ip)
{
	const __u32 *w = (const __u32 *)ip;
	return (__u64)w[0] + w[1] + w[2] + w[3] + w[4];
}

/* plain says that an IPv4 header is whole, without options, and no fragment. */
static __always_inline bool plain(const struct iphdr *ip)
{
	return ip->version == 4 && ip->ihl == 5 && !(ip->frag_off & bpf_htons(0x3fff));
}

/* global says that an address of IPv6 means the same on every link, and one host. */
static __always_inline bool global(const struct in6_addr *a)
{
	if (a->s6_addr[0] == 0xff || (a->s6_addr[0] == 0xfe && (a->s6_addr[1] & 0xc0) == 0x80))
		return false;
	return a->s6_addr32[0] || a->s6_addr32[1] || a->s6_addr32[2] || a->s6_addr32[3];
}

/* simple says that nothing is between the header of IPv6 and what it carries. */
static __always_inline bool simple(__u8 protocol)
{
	return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP || protocol == IPPROTO_ICMPV6;
}
