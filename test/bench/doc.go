// Command bench measures the real program, in network namespaces that it makes: logins per second, memory per idle
// session, throughput and packets per second through one session; and with accounts and pools in PostgreSQL
// authorisations, leases and logins per second, beside FreeRADIUS and beside accounts of the file, and login times with
// a million accounts. It also measures our RADIUS client beside others, logins with RADIUS, and how well sessions keep to
// their rates. Each figure stands beside a reference taken in the same run. It prints Markdown for the README.
//
// It does not decide whether a figure is good enough, and it measures no single function: benchmarks for that stand in
// the rooms.
package main
