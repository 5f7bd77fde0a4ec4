package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"time"

	"lnsgate/lns/lac"
)

// dialPrinter tells a call, to people in lines or to programs in JSON.
type dialPrinter struct {
	out     io.Writer
	json    bool
	verbose bool
	once    bool
	began   time.Time
	stage   lac.Stage
	any     bool // a step was printed
}

func newDialPrinter(out io.Writer, o *dialOptions) *dialPrinter {
	return &dialPrinter{out: out, json: o.json, verbose: o.verbose, once: o.once, began: time.Now()}
}

// dialStep is one message in JSON.
type dialStep struct {
	Event   string    `json:"event"` // "step"
	Seconds float64   `json:"seconds"`
	Step    lac.Stage `json:"step"`
	From    string    `json:"from"` // client or server
	Message string    `json:"message"`
	Detail  string    `json:"detail,omitempty"`
	Again   bool      `json:"again,omitempty"`
}

// dialUp is an open session in JSON.
type dialUp struct {
	Event     string       `json:"event"` // "up"
	Seconds   float64      `json:"seconds"`
	Address   netip.Addr   `json:"address"`
	Peer      *netip.Addr  `json:"peer,omitempty"`
	DNS       []netip.Addr `json:"dns,omitempty"`
	IPv6      *dialIPv6    `json:"ipv6,omitempty"`
	MRU       int          `json:"mru"`
	PeerMRU   int          `json:"peer_mru"`
	Method    string       `json:"method"`
	Message   string       `json:"message,omitempty"`
	Server    string       `json:"server_name,omitempty"`
	Vendor    string       `json:"server_vendor,omitempty"`
	Interface string       `json:"interface,omitempty"`
	TookMS    float64      `json:"took_ms"`
}

// dialIPv6 is what the server has told of IPv6.
type dialIPv6 struct {
	Address   netip.Addr   `json:"address"`
	Prefix    netip.Prefix `json:"prefix"`
	Router    netip.Addr   `json:"router"`
	Delegated netip.Prefix `json:"delegated_prefix"`
	DNS       []netip.Addr `json:"dns,omitempty"`
}

// dialEnd is the outcome in JSON, and the last object.
type dialEnd struct {
	Event    string      `json:"event"` // "end"
	Seconds  float64     `json:"seconds"`
	OK       bool        `json:"ok"`
	Address  *netip.Addr `json:"address,omitempty"`
	Step     string      `json:"step"`
	Cause    string      `json:"cause,omitempty"`
	Reason   string      `json:"reason"`
	Advice   string      `json:"advice,omitempty"`
	ByServer bool        `json:"by_server,omitempty"`
}

func (d *dialPrinter) seconds() float64 { return d.since(time.Now()) }

func (d *dialPrinter) since(t time.Time) float64 {
	return float64(t.Sub(d.began).Round(100*time.Microsecond)) / float64(time.Second)
}

func (d *dialPrinter) object(v any) {
	encoder := json.NewEncoder(d.out)
	encoder.SetEscapeHTML(false)
	encoder.Encode(v) // nobody is left to tell when standard output is gone
}

func (d *dialPrinter) dialling(server netip.AddrPort) {
	if !d.json {
		fmt.Fprintf(d.out, "dialling %s\n\n", server)
	}
}

// said prints one message: when, which step, who to whom, what, and its content in words.
func (d *dialPrinter) said(s lac.Said) {
	if s.Routine && !d.verbose {
		return
	}
	from, arrow := "server", "server -> client"
	if s.Sent {
		from, arrow = "client", "client -> server"
	}
	if d.json {
		d.object(dialStep{
			Event: "step", Seconds: d.since(s.At), Step: s.Stage, From: from,
			Message: s.What, Detail: s.Detail, Again: s.Again,
		})
		return
	}
	detail := s.Detail
	if s.Again {
		detail = strings.TrimSpace("(again) " + detail)
	}
	name := ""
	if !d.any || s.Stage != d.stage {
		name = s.Stage.String()
	}
	d.any, d.stage = true, s.Stage
	line := fmt.Sprintf("%9.4f  %-14s  %s  %-22s  %s", d.since(s.At), name, arrow, s.What, detail)
	fmt.Fprintln(d.out, strings.TrimRight(line, " "))
}

func (d *dialPrinter) up(u lac.Up, device string) {
	if d.json {
		d.object(upObject(u, device, d.seconds()))
		return
	}
	fmt.Fprintf(d.out, "\nup after %s, logged in by %s at %s\n", round(u.Took), u.Method, orDash(u.ServerName))
	if u.Address.IsValid() {
		d.fact("address", u.Address.String())
	}
	d.factsOfIPv6(u.IPv6)
	if u.Peer.IsValid() && !u.Peer.IsUnspecified() {
		d.fact("server end", u.Peer.String())
	}
	if dns := validAddresses(u.DNS[:]); len(dns) > 0 {
		d.fact("name servers", strings.Trim(fmt.Sprint(dns), "[]"))
	}
	d.fact("largest packet", fmt.Sprintf("%d octets in, %d out", u.MRU, u.PeerMRU))
	if device != "" {
		d.fact("interface", device)
	}
	if !d.once {
		fmt.Fprintln(d.out, "Ctrl-C hangs up.")
	}
	fmt.Fprintln(d.out)
	d.any = false
}

func upObject(u lac.Up, device string, seconds float64) dialUp {
	object := dialUp{
		Event: "up", Seconds: seconds, Address: u.Address, DNS: validAddresses(u.DNS[:]),
		MRU: u.MRU, PeerMRU: u.PeerMRU, Method: u.Method, Message: u.Message,
		Server: u.ServerName, Vendor: u.ServerVendor, Interface: device,
		TookMS: float64(u.Took.Microseconds()) / 1000,
	}
	if u.Peer.IsValid() && !u.Peer.IsUnspecified() {
		object.Peer = &u.Peer
	}
	if six := u.IPv6; six.Router.IsValid() {
		object.IPv6 = &dialIPv6{Address: six.Address, Prefix: six.Prefix, Router: six.Router, Delegated: six.Delegated, DNS: six.DNS}
	}
	return object
}

// factsOfIPv6 prints what the server has told of IPv6 so far.
func (d *dialPrinter) factsOfIPv6(u lac.IPv6) {
	if u.Address.IsValid() {
		d.fact("IPv6 address", u.Address.String())
	}
	if u.Delegated.IsValid() {
		d.fact("delegated", u.Delegated.String())
	}
	if len(u.DNS) > 0 {
		d.fact("name servers", strings.Trim(fmt.Sprint(u.DNS), "[]"))
	}
}

func (d *dialPrinter) fact(name, value string) { fmt.Fprintf(d.out, "  %-15s %s\n", name, value) }

func (d *dialPrinter) down() {
	if d.json {
		d.object(map[string]any{"event": "down", "seconds": d.seconds()})
	}
}

// end prints the outcome. People read a failure from main, on standard error.
func (d *dialPrinter) end(success *lac.Up, err error) {
	if !d.json {
		fmt.Fprintln(d.out)
		if err == nil && success != nil {
			fmt.Fprintln(d.out, "hung up.")
		}
		return
	}
	end := dialEnd{Event: "end", Seconds: d.seconds(), OK: err == nil && success != nil, Reason: "we hung up"}
	if success != nil {
		end.Address, end.Step = &success.Address, lac.StageUp.String()
	}
	var ended *lac.Ended
	switch {
	case errors.As(err, &ended):
		end.Step, end.Cause, end.Reason = ended.Stage.String(), ended.Cause.String(), ended.Reason
		end.Advice, end.ByServer = ended.Advice, ended.ByServer
	case err != nil:
		end.Reason = err.Error()
	case success == nil:
		end.Reason = "interrupted before the login was complete"
	}
	d.object(end)
}

func validAddresses(all []netip.Addr) []netip.Addr {
	var valid []netip.Addr
	for _, a := range all {
		if a.IsValid() && !a.IsUnspecified() {
			valid = append(valid, a)
		}
	}
	return valid
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

// round keeps three digits or so: nobody reads nanoseconds.
func round(d time.Duration) time.Duration {
	switch {
	case d >= time.Second:
		return d.Round(10 * time.Millisecond)
	case d >= time.Millisecond:
		return d.Round(10 * time.Microsecond)
	default:
		return d.Round(time.Microsecond)
	}
}
