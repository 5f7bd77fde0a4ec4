// Package pool is the contract for address pools: ranges, requests, leases and the errors an allocator answers with.
// It does not allocate anything itself (pool/memory does) and it knows nothing of tunnels, sessions or PPP.
package pool
