// Package secret checks what a peer showed (aaa.Proof) against what is stored of an account (Credential): PAP, CHAP-MD5,
// MS-CHAPv1 and MS-CHAPv2, and makes the keys of a link that the last two have (LinkKeys). It makes the proofs of the peer
// side (Answerer), too. Every comparison takes constant time, and a check costs the same whether the account exists or
// not. It also makes the forms in which passwords are stored: one-way (argon2id), as NT hash, or sealed with a key that
// lies elsewhere (Keys), and it checks the one-way forms of other systems: bcrypt and $1$, $5$, $6$ of crypt(3).
//
// It does not read or write packets (lns/authenticate), does not find accounts (the back ends), reads no key file and
// draws no random octets: they are handed in. It does not bound how many slow hashes run at once either.
package secret
