// Package admin is what an operator talks to: HTTP with JSON on a unix socket, and the client that the command line uses.
// It shows tunnels, sessions, pools, domains and counters, ends sessions and asks for the configuration to be read again.
//
// It does not know how any of this is done: the engine, the pools and the domains are handed in as small interfaces, and
// what they tell is copied into the view types of this package. The JSON names of those types are the promise to scripts,
// so the types inside may change without breaking them.
//
// # Interface
//
//	GET  /v1/version                       the running program: [Version]
//	GET  /v1/tunnels                       {"tunnels": [Tunnel ...]}
//	GET  /v1/sessions?user=U&domain=D      {"sessions": [Session ...], "warning": why some are missing}, both filters optional
//	GET  /v1/pools                         {"pools": [Pool ...], "warning": why some are missing}
//	GET  /v1/domains                       {"domains": [Domain ...]}
//	GET  /v1/counters                      {"counters": {"name": number ...}}
//	POST /v1/kick                          [KickRequest], answered with [KickResult]
//	POST /v1/reload                        no body, answered with {} once the new configuration is in force
//
// Times are RFC 3339, durations are whole seconds in fields that end in _seconds, addresses are strings. A time or an
// address that does not exist (no lease yet, never heard) is left out. A request that fails is answered with a status of
// 400 or above and with an [Error].
//
// Access is a matter of the socket's file mode: whoever may write to it may do everything here.
package admin
