// Package memory allocates addresses from pools inside one process. Free addresses cost nothing: a pool of a million,
// or a /8, takes memory only for the addresses that have been used. It does not store anything: after a restart all
// addresses are free.
package memory
