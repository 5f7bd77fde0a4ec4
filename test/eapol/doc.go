// Package eapol gives tests a real EAP peer for a PPP link: the supplicant of wpa_supplicant, by its program eapol_test.
//
//	peer := eapol.Start(t, `eap=TTLS
//		identity="alice"
//		password="secret"
//		phase2="auth=PAP"`)
//	login := lac.Login{User: "alice", Credentials: peer, Methods: []aaa.Method{aaa.EAP}}
//
// The program believes that it talks to a RADIUS server. What it says in EAP goes over the PPP link that the Peer is the
// credentials of, and the server's Requests come back to it as challenges. It derives keys that nobody asks for: PPP has
// no use for them here.
//
// The package does not implement any EAP method, and reads no more of RADIUS than it takes to get at EAP.
package eapol
