// Package e2e tests the program as its users run it: the real binary, in network namespaces made for each test, with real
// TUN devices and the programs of an ordinary Debian at both ends (ping, nft, tshark, ip). The tests need root.
//
// It does not look inside the program: what a test knows of it, it knows from the command line, the log, the admin
// socket and the wire.
package e2e
