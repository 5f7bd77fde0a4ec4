// Package trace names why a login or a session ended, in a type for programs and in words for people.
//
// It does not collect, keep or print anything: cores state a Verdict, shells log it and show it.
package trace
