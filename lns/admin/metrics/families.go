package metrics

import (
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

// family is one metric with all its labels.
type family struct {
	name   string
	labels []string
	kind   prometheus.ValueType
	desc   *prometheus.Desc
}

// families are all those that are always there, whatever the configuration.
var families []*family

func counter(name, help string, labels ...string) *family {
	return register(name+"_total", help, prometheus.CounterValue, labels)
}

func gauge(name, help string, labels ...string) *family {
	return register(name, help, prometheus.GaugeValue, labels)
}

func register(name, help string, kind prometheus.ValueType, labels []string) *family {
	f := &family{name: "lnsgate_" + name, labels: labels, kind: kind}
	f.desc = prometheus.NewDesc(f.name, help, labels, nil)
	families = append(families, f)
	return f
}

func (f *family) put(out chan<- prometheus.Metric, value float64, labels ...string) {
	out <- prometheus.MustNewConstMetric(f.desc, f.kind, value, labels...)
}

var (
	build = gauge("build_info", "The running program; always 1.", "version", "goversion", "node")

	tunnels        = gauge("tunnels", "L2TP tunnels that are open, or were closed half a minute ago and still acknowledge what is repeated.")
	tunnelsOpened  = counter("tunnels_opened", "L2TP tunnels that were opened.")
	tunnelsClosed  = counter("tunnels_closed", "L2TP tunnels that were closed.")
	sessions       = gauge("sessions", "Sessions that are open.", "domain", "virtual_template")
	sessionsOpened = counter("sessions_opened", "Sessions that were opened.")
	sessionsClosed = counter("sessions_closed", "Sessions that were closed.")

	logins       = counter("logins", "Attempts to log in, by the cause of their verdict: logged-in when they went well.", "domain", "cause")
	loginSeconds = gauge("login_duration_seconds", "From the first datagram of an attempt to log in to the open session, or to its end.", "outcome")

	drops     = counter("drops", "Datagrams and packets that were not carried, by reason.", "place", "reason")
	datagrams = counter("udp_datagrams", "L2TP datagrams through the sockets; in is from the peers.", "direction")
	udpBytes  = counter("udp_bytes", "Octets of L2TP datagrams through the sockets; in is from the peers.", "direction")

	radiusUp        = gauge("radius_server_up", "1 as long as the RADIUS server is not given up.", "group", "role", "server")
	radiusRTT       = gauge("radius_server_rtt_seconds", "Smoothed round-trip time of the RADIUS server.", "group", "role", "server")
	radiusInFlight  = gauge("radius_server_requests_in_flight", "Requests to the RADIUS server that are not answered yet.", "group", "role", "server")
	radiusRequests  = counter("radius_server_requests", "Requests to the RADIUS server.", "group", "role", "server")
	radiusResent    = counter("radius_server_retransmissions", "Requests to the RADIUS server that were sent again.", "group", "role", "server")
	radiusAnswered  = counter("radius_server_answers", "Answers of the RADIUS server.", "group", "role", "server")
	radiusTimedOut  = counter("radius_server_timeouts", "Requests that the RADIUS server did not answer in time.", "group", "role", "server")
	radiusDiscarded = counter("radius_server_discarded_replies", "Replies that were thrown away, by reason: a wrong secret is forged.",
		"group", "role", "server", "reason")

	databaseUp     = gauge("database_up", "1 as long as the database is reached.")
	databaseOpen   = gauge("database_connections", "Connections to the database.")
	databaseBusy   = gauge("database_connections_in_use", "Connections to the database that are in use.")
	databaseLost   = counter("database_logins_lost", "Attempts to log in that could not be written down.")
	databaseLeases = gauge("database_leases_unwritten", "Leases that the database does not have yet.")

	spoolWaiting   = gauge("accounting_spool_records", "Accounting records that wait to be delivered.", "spool")
	spoolAccepted  = counter("accounting_records", "Accounting records that were taken.", "spool")
	spoolDelivered = counter("accounting_records_delivered", "Accounting records that were delivered.", "spool")
	spoolLost      = counter("accounting_records_lost", "Accounting records that were lost.", "spool")
	spoolFault     = gauge("accounting_spool_fault", "1 as long as the disk, or whoever the records are for, refuses them.", "spool")

	poolSize      = gauge("pool_size_addresses", "Addresses of the pool.", "pool")
	poolAddresses = gauge("pool_addresses", "Addresses of the pool, by state: free, leased, quarantined or reserved.", "pool", "state")
	poolsFailed   = gauge("pools_unknown", "1 when it could not be told how full the pools are, as while the database is away.")

	nasRequests = counter("nas_requests", "Requests of other NASes to our RADIUS server, by outcome.", "outcome")
	nasSessions = gauge("nas_sessions", "Sessions that other NASes carry, as their records tell.")

	attemptsLive  = gauge("attempts_live", "Attempts to log in that are under way.")
	attemptsKept  = gauge("attempts_kept", "Recorded attempts that memory has.")
	attemptsBytes = gauge("attempts_bytes", "Octets of memory that recorded attempts take.")
	eventsLost    = counter("events_lost", "Events that a reader was too slow for.")
)

// direct are counters that stand in a family of their own: by their names in show counters.
var direct = map[string]struct {
	family *family
	labels []string
}{
	"tunnels_opened":         {tunnelsOpened, nil},
	"tunnels_closed":         {tunnelsClosed, nil},
	"sessions_opened":        {sessionsOpened, nil},
	"sessions_closed":        {sessionsClosed, nil},
	"udp_rx_datagrams":       {datagrams, []string{"in"}},
	"udp_tx_datagrams":       {datagrams, []string{"out"}},
	"udp_rx_octets":          {udpBytes, []string{"in"}},
	"udp_tx_octets":          {udpBytes, []string{"out"}},
	"nas_sessions_known_now": {nasSessions, nil},
}

// prefixed are counters of which a family has many: the rest of the name is the last label.
var prefixed = []struct {
	prefix string
	family *family
	labels []string
}{
	{"drop_", drops, []string{"control"}},
	{"data_", drops, []string{"data"}},
	{"nas_requests_", nasRequests, nil},
}

// socketDrops are counters of datagrams that the sockets lost.
var socketDrops = []string{"udp_rx_", "udp_tx_"}

// elsewhere begins the names of counters whose figures are in other families already.
var elsewhere = []string{"radius_authentication_", "radius_accounting_", "radius_spool_", "spool_", "db_reached", "db_connections", "db_logins_lost",
	"db_leases_unwritten"}

// plain is the metric of a counter that stands for itself.
func plain(name string) *family {
	f := &family{kind: prometheus.CounterValue}
	if now, ok := strings.CutSuffix(name, "_now"); ok {
		f.name, f.kind = "lnsgate_"+now, prometheus.GaugeValue
	} else if strings.HasSuffix(name, "_sockets") || name == "tun_offload" || strings.HasPrefix(name, "ebpf_") {
		f.name, f.kind = "lnsgate_"+name, prometheus.GaugeValue
	} else {
		f.name = "lnsgate_" + name + "_total"
	}
	f.name = strings.ReplaceAll(f.name, "octets", "bytes")
	f.desc = prometheus.NewDesc(f.name, "As lnsgate show counters has it: "+name+".", nil, nil)
	return f
}
