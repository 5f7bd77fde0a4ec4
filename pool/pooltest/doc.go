// Package pooltest is the conformance suite that every pool.Allocator passes. It does not test what is special to one
// allocator, such as how it is reconfigured or what it costs.
package pooltest
