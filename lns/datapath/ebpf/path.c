//go:build ignore

// SPDX-License-Identifier: MIT OR GPL-2.0-only
//
// The way of user packets through the kernel. What is not plainly a packet of an open session that can be carried here goes
// on as if these programs were not there, to the socket or the device that user space reads.
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>
#include <stdbool.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "kernel.h"
#include "tables.h"
#include "packet.h"
#include "rate.h"
#include "filter.h"
#include "clamp.h"
#include "collect.h"
#include "sight.h"
#include "down.h"
#include "straight.h"
#include "up.h"

char __license[] SEC("license") = "Dual MIT/GPL";
