// Package arch checks that the house is built as DESIGN.md says: which room may import which, that pure rooms stay pure,
// where each outside library may be used, that every package says what it is, and that no test hides behind a skip or a
// sleep. It reads the source and does not build or run it.
//
// The rules are plain functions from parsed files to faults, so that each is tested on small sources of its own. A new
// room is first written into the table of rooms.go.
package arch
