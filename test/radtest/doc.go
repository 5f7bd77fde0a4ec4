// Package radtest gives tests a real RADIUS server: FreeRADIUS from Debian, with a configuration folder of its own, on
// free ports of the loopback address or inside a network namespace.
//
//	srv := radtest.Start(t, radtest.Options{
//		Users: `alice@sales.example Cleartext-Password := "secret"
//			Framed-IP-Address = 10.1.2.3`,
//	})
//	reply, ok := radtest.Radclient(t, srv.Auth(), "auth", srv.Secret(), `User-Name = "alice@sales.example"
//		User-Password = "secret"`)
//
// The users stand in the form of FreeRADIUS's users file, or in the tables radcheck and radreply when Options.Database
// names a database; accounting then goes to radacct as well as to the detail file. Options.Pools turns on sqlippool. PAP,
// CHAP, MS-CHAPv2 and EAP with MD5, MSCHAPv2, PEAP, TTLS and TLS are on, everything as Debian ships it, except that
// a reject is not delayed unless Options.RejectDelay says so. Options.Authorize and PostAuth take unlang for what a test
// needs beyond that.
//
// The server ends with the test; a watcher ends it when the test binary is gone, however it went. When the test fails,
// its log is shown. It is a server to test against: the package does not stand in for it and does not speak RADIUS
// itself, except to ask it by Status-Server whether it is there.
package radtest
