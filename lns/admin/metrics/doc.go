// Package metrics tells Prometheus how the server is: sessions, logins by their verdict, RADIUS servers, the database, pools, and
// what was dropped and why. Its labels are bounded: domains, virtual templates, pools, RADIUS servers, causes and reasons, never a user
// or a peer.
//
// It does not measure anything that another room counts already: it asks those rooms when it is asked. What nobody counts by domain,
// logins and sessions, it counts as their records pass through it.
package metrics
