// Package ipsec has the real charon of strongSwan read the examples in configs/strongswan, and clients that propose what Windows, macOS
// and Android do agree with it on keys, each in a network namespace of its own. It does not send traffic through ESP, which the kernel
// here may not have; what lnsgate does about IPsec is tested in lns and lns/transport.
package ipsec
