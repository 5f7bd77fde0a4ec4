// Package secret checks what a peer showed (aaa.Proof) against what is stored of an account (Credential), and makes the
// proofs of the peer side (Answerer): PAP, CHAP-MD5 and MS-CHAPv2. Every comparison takes constant time, and a check
// costs the same whether the account exists or not.
//
// It does not read or write packets (lns/authenticate), does not find accounts (the back ends) and draws no random
// octets: they are handed in.
package secret
