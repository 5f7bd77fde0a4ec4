// Package fair bounds what is kept for clients so that one that floods the server takes nothing from those that do not: when there is
// no room, the client that has most gives way.
package fair
