// Package soak has very many peers log in and out of a whole server while strangers say what they should not, and checks that
// memory, goroutines, leases, routes and records return to where they were. The time is virtual, the goroutines are real. It does
// not measure how fast that is; test/bench does.
//
// It is run without the race detector, whose runtime (Go 1.26) crashes now and then when hundreds of thousands of timers fire in a
// bubble of virtual time; the same engine is under it in the tests of package lns.
//
// LNSGATE_SOAK says how many logins there are; without it there are as many as seconds allow.
package soak
