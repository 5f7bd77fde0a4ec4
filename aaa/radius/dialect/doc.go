// Package dialect reads what a RADIUS server grants to a user, or changes of a session, in the standard's words and in
// those of the vendors. It is one table of attributes: each has a name, a form and what it means for us, in one file per
// vendor.
//
// Attributes that are not in the table are ignored. One that is in the table and is malformed, or asks for what this server
// can never do, is a *Fault, and with it the whole Accept or change is refused (RFC 2865 section 5.26, RFC 5080
// section 2.5): a user must not get less protection, or another network, than the operator meant.
//
// When several vendors' words for one thing come together, the first of this order counts: the standard, MikroTik, Ascend,
// WISPr, Cisco, Huawei, and for rates a Filter-Id last. Rates are in bits per second, up is from the user.
//
// Encode goes the other way: it says a decision of ours in the words of the Equipment that asked, and EncodeChange what is
// different for a session that it has.
//
// The package does not send, does not know which pools and filters exist, and does not decide who may log in.
package dialect
