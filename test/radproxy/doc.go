// Package radproxy tests lnsgate between a NAS and another RADIUS server: what a NAS asks the server half (aaa/radiusserver) goes
// by the domain of the user to the NAS half (aaa/radius), and from there to a real FreeRADIUS. It holds tests and nothing else:
// both halves are level with each other and import neither the other.
package radproxy
