// Package recorder keeps the stories of attempts to log in: it takes notes of those under way, keeps those that are over in memory, bounded in octets, and
// finds them again. Notes are octets and words, which become steps only when somebody asks.
//
// It does not judge: verdicts come from the session and the engine. It never holds a password, a response or a key: PPP packets are
// masked as they are noted.
package recorder
