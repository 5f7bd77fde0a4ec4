// SPDX-License-Identifier: MIT OR GPL-2.0-only
//
// The maximum segment size that a TCP SYN announces, as lns/datapath/tun, mss.go, lowers it.
#define TCP_OPTIONS 40
#define AT_CHECKSUM 16
#define OPTION_END 0
#define OPTION_NONE 1
#define OPTION_MSS 2

/* search is for the size among the options of a SYN. */
struct search {
	__u8 options[64];
	__u32 length, at;
	__u32 found; /* where the size is; 0 for nowhere */
};

/* option looks at the next one. It says that this was the last. It is called in a loop of the kernel, which the verifier walks once. */
static long option(__u32 unused, struct search *s)
{
	__u32 at = s->at;
	if (at + 1 >= s->length)
		return true;
	__u8 kind = s->options[at & 63], size = s->options[(at + 1) & 63];
	if (kind == OPTION_NONE) {
		s->at = at + 1;
		return false;
	}
	if (kind == OPTION_END || size < 2 || size > s->length - at)
		return true;
	s->at = at + size;
	if (kind != OPTION_MSS || size != 4)
		return false;
	s->found = at + 2;
	return true;
}

/* lower does so to a SYN of so many octets that begins at an offset. It says false when the header is none. Pointers into the packet end here.
 * The verifier walks it by itself, as it is not static. */
__noinline int lower(struct __sk_buff *skb, __u32 tcp, __u32 octets, __u32 most)
{
	struct search s = {};
	__u8 words;
	if (bpf_skb_load_bytes(skb, tcp + 12, &words, 1))
		return false;
	__u32 length = (words >> 4) * 4;
	if (length < TCP_LEAST || length > octets)
		return false;
	s.length = length - TCP_LEAST;
#pragma clang loop unroll(disable)
	for (__u32 i = 0; i < TCP_OPTIONS && i < s.length; i += 4)
		if (bpf_skb_load_bytes(skb, tcp + TCP_LEAST + i, s.options + i, 4))
			return false;
	bpf_loop(TCP_OPTIONS, option, &s, 0);
	__u32 at = s.found & 63;
	if (!at)
		return true;
	__u32 size = s.options[at] << 8 | s.options[(at + 1) & 63];
	if (size <= most)
		return true;
	__u16 from = bpf_htons(size), to = bpf_htons(most), was = from, is = to;
	if (at & 1) /* across two words of the sum, which is the same as with its octets exchanged */
		was = __builtin_bswap16(from), is = __builtin_bswap16(to);
	if (bpf_l4_csum_replace(skb, tcp + AT_CHECKSUM, was, is, 2))
		return false;
	return !bpf_skb_store_bytes(skb, tcp + TCP_LEAST + at, &to, 2, 0);
}
