// Package foreigntest holds what every foreign.Store has to do, as tests, and a Store in memory for the tests of others. It does
// not test the sessions themselves.
package foreigntest
