// Package file keeps the sessions of foreign NASes of one node in a file (foreign.Store). It does not talk to NASes, and it keeps
// no history but of the last orders.
package file
