// Package admin is what an operator talks to: HTTP with JSON on a unix socket, and over TCP with TLS when that is configured; and the
// client that the command line uses. It shows what the server does, explains logins, ends sessions, changes what is stored, and asks
// for the configuration to be read again.
//
// It does not know how any of this is done: the engine, the pools, the domains and the directory of what is stored are handed in as
// small interfaces, and what they tell is copied into the view types of this package. The JSON names of those types are the promise
// to scripts, so the types inside may change without breaking them. It holds no SQL.
//
// # Interface
//
// One table (routes.go) makes the routes, the checks of their parameters and roles, and their description: GET /v1/openapi.json.
//
// Times are RFC 3339, durations are seconds in fields that end in _seconds and nanoseconds in fields that end in _ns, addresses are
// strings. A time or an address that does not exist (no lease yet, never heard) is left out; a setting of something stored that is
// not set is null. Long lists come in pages: limit says how many, next of one page is after (of attempts: before) of the next one. A
// request that fails is answered with a status of 400 or above and with an [Error].
//
// # Access
//
// Over the unix socket the user at the other end counts: root and whoever runs the server administer, who else may write to the
// socket operates. Over TCP a token (Authorization: Bearer) of an operator counts, or a log-in of the web page ([Config].Who). Each
// route takes a [Role]. Every change is written down with who made it: in the log, and for a while under /v1/audit.
package admin
