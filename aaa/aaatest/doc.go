// Package aaatest holds the conformance suite that every aaa.Backend passes (Run) and a scripted back end for the tests
// of whoever asks one (Fake). It does not start a database or a RADIUS server: the back end under test is handed in.
package aaatest
