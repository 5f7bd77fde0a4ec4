// Package eapserver tests EAP from end to end: the supplicant eapol_test asks a RADIUS server of ours, behind which aaa/eap ends
// EAP and the accounts are those of a file.
//
// It has no code of its own beside its tests.
package eapserver
