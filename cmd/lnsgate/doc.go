// Command lnsgate is the L2TP network server and the tools around it, in one binary: serve runs the server, check looks at
// its configuration file, show and kick talk to a running server, dial is the other side, demo shows it all.
//
// It decides nothing about the protocol, about who may log in or about addresses: a command reads its flags, puts rooms
// together and prints. Only this package prints to standard output and ends the process.
package main
