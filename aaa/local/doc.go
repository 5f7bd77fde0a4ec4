// Package local is the back end for the accounts of the configuration file. A Backend is an immutable snapshot: a
// reload makes a new one. It does not read files, does not choose a domain and does not hash a password itself
// (aaa/secret does).
//
// An account is used only by typing its name exactly. A near miss (another case, with or without the domain) is told to
// the administrator in the rejection, and never let in.
package local
