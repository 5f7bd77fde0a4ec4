// Package spool keeps accounting records on disk until they are delivered. A Spool takes each record at once, writes it
// to a file in groups, hands batches to a Sink in the order they came, and takes a record off the file only when the Sink
// has stored it. Together with a sink for which a repeated record changes nothing, every record counts exactly once,
// however often lnsgate or the database is stopped, killed or cut off.
//
// It does not know what a sink does with records, and it writes nothing but its own file.
//
// # What is kept, and what can be lost
//
//   - A record is on disk within Config.Gather (2 ms) and the time of one fsync after Account has returned; the first
//     after a pause is written at once. While thousands come in a second it takes up to ten times as long, except when
//     somebody waits in Sync. A killed process or a power cut loses the records of that window and no others.
//   - What the file holds when the process dies is delivered by the next one. Sessions that had no Stop get one then, with
//     the last counters that reached the disk and the cause NAS-Reboot. This needs no database: the file holds the last
//     delivered record of each open session beside the queue. Sessions of other NASes (aaa.Record.NAS) live on without us.
//   - When the disk is full or broken, records stay in memory and are tried again, up to Config.Memory of them. The last
//     quarter is kept for starts and stops. Beyond that records are refused: counted, and told in the log once per fault.
//     Records in memory do not reach the sink before they have reached the disk, and die with the process. Delivering goes
//     on, for which a reserve of 256 KiB lies beside the file.
//   - At most one interim record of a session waits. A newer record takes its place. Of a session on another NAS the one that
//     came later need not be newer: then both wait, and the sink tells.
//   - A record that the sink can never store (its error has a method Retryable that answers false) is set aside in the
//     file and told in the log, so that it does not hold up the others. The next start tries it again.
//   - A sink that stores records one by one says so for each (PartialError). One that it does not take now holds up the later
//     ones of its session and nobody else's, until 15,000 of them wait.
//   - Several spools can have their files in one folder: one for each place that records go to.
//   - A file that is damaged is renamed, and a new one begun: people can log in, and nothing is deleted.
//
// The file grows with the queue and keeps its size afterwards. About 4 million records fit in one gigabyte.
package spool
