// Package boltfile opens bbolt files that may be damaged, and says what is wrong with them in words for an administrator. bbolt by
// itself panics over a damaged page. It does not know what is in a file.
package boltfile
