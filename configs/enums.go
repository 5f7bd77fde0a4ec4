package configs

import (
	"fmt"
	"strings"
)

// Switch is on, off, or left to lnsgate to decide from what it finds.
type Switch uint8

// The positions of a Switch.
const (
	Auto Switch = iota
	On
	Off
)

// DataPath says where the packets of a virtual template's subscribers are carried.
type DataPath uint8

// The data paths.
const (
	DataPathTUN  DataPath = iota // in user space
	DataPathAuto                 // in the kernel where it can, else in user space
	DataPathEBPF                 // in the kernel, or not at all
)

// Stack says which packets that are carried in the kernel pass the host's network stack.
type Stack uint8

// The ways by the stack.
const (
	StackAuto   Stack = iota // those at which somebody looks there
	StackAlways              // all
)

// Spread says what the sockets of one address share out among them.
type Spread uint8

// The ways to spread.
const (
	SpreadPeers    Spread = iota // all of a peer is for one socket
	SpreadSessions               // so is all of a session
)

// LogLevel is the least serious level that is logged.
type LogLevel uint8

// The log levels.
const (
	Debug LogLevel = iota
	Info
	Warn
	Error
)

// LogFormat is how a log line is written.
type LogFormat uint8

// The log formats.
const (
	Text LogFormat = iota
	JSON
)

// Method is a way to prove who one is in PPP.
type Method uint8

// The PPP authentication methods. The zero value is none of them.
const (
	PAP Method = iota + 1
	CHAP
	MSCHAPv2
	EAP
	MSCHAPv1 // only of NASes that ask by RADIUS
)

// Proxy says what becomes of what a LAC negotiated before it handed over the call.
type Proxy uint8

// The ways to treat proxy AVPs.
const (
	Use Proxy = iota
	Renegotiate
)

// Sequencing says when data messages carry sequence numbers.
type Sequencing uint8

// The sequencing rules.
const (
	SequenceAsPeer Sequencing = iota // when the peer requires it
	SequenceAlways
)

// OnError says what happens when a back end of a chain cannot answer.
type OnError uint8

// The ways to treat a failing back end.
const (
	Stop OnError = iota
	Continue
)

// SessionPolicy says what happens to a login over a limit of sessions.
type SessionPolicy uint8

// The policies.
const (
	RefuseSession SessionPolicy = iota
	ReplaceSession
)

// One name per value, in the order of the constants. An empty name is no value a file can have.
var (
	switchNames     = []string{"auto", "on", "off"}
	dataPathNames   = []string{"tun", "auto", "ebpf"}
	stackNames      = []string{"auto", "always"}
	spreadNames     = []string{"peers", "sessions"}
	levelNames      = []string{"debug", "info", "warn", "error"}
	formatNames     = []string{"text", "json"}
	methodNames     = []string{"", "pap", "chap", "mschapv2", "eap", "mschapv1"}
	proxyNames      = []string{"use", "renegotiate"}
	sequencingNames = []string{"peer", "always"}
	onErrorNames    = []string{"stop", "continue"}
	policyNames     = []string{"refuse", "replace"}
)

func (v Switch) String() string        { return nameOf(switchNames, v) }
func (v DataPath) String() string      { return nameOf(dataPathNames, v) }
func (v Stack) String() string         { return nameOf(stackNames, v) }
func (v Spread) String() string        { return nameOf(spreadNames, v) }
func (v LogLevel) String() string      { return nameOf(levelNames, v) }
func (v LogFormat) String() string     { return nameOf(formatNames, v) }
func (v Method) String() string        { return nameOf(methodNames, v) }
func (v Proxy) String() string         { return nameOf(proxyNames, v) }
func (v Sequencing) String() string    { return nameOf(sequencingNames, v) }
func (v OnError) String() string       { return nameOf(onErrorNames, v) }
func (v SessionPolicy) String() string { return nameOf(policyNames, v) }

// UnmarshalText reads auto, on or off.
func (v *Switch) UnmarshalText(b []byte) error { return readName(v, switchNames, b) }

// UnmarshalText reads tun, auto or ebpf.
func (v *DataPath) UnmarshalText(b []byte) error { return readName(v, dataPathNames, b) }

// UnmarshalText reads auto or always.
func (v *Stack) UnmarshalText(b []byte) error { return readName(v, stackNames, b) }

// UnmarshalText reads peers or sessions.
func (v *Spread) UnmarshalText(b []byte) error { return readName(v, spreadNames, b) }

// UnmarshalText reads debug, info, warn or error.
func (v *LogLevel) UnmarshalText(b []byte) error { return readName(v, levelNames, b) }

// UnmarshalText reads text or json.
func (v *LogFormat) UnmarshalText(b []byte) error { return readName(v, formatNames, b) }

// UnmarshalText reads pap, chap, mschapv2, eap or mschapv1.
func (v *Method) UnmarshalText(b []byte) error { return readName(v, methodNames, b) }

// UnmarshalText reads use or renegotiate.
func (v *Proxy) UnmarshalText(b []byte) error { return readName(v, proxyNames, b) }

// UnmarshalText reads peer or always.
func (v *Sequencing) UnmarshalText(b []byte) error { return readName(v, sequencingNames, b) }

// UnmarshalText reads stop or continue.
func (v *OnError) UnmarshalText(b []byte) error { return readName(v, onErrorNames, b) }

// UnmarshalText reads refuse or replace.
func (v *SessionPolicy) UnmarshalText(b []byte) error { return readName(v, policyNames, b) }

func nameOf[T ~uint8](names []string, v T) string {
	if int(v) < len(names) && names[v] != "" {
		return names[v]
	}
	return fmt.Sprintf("unknown(%d)", v)
}

func readName[T ~uint8](v *T, names []string, text []byte) error {
	var known []string
	for i, name := range names {
		if name == "" {
			continue
		}
		if name == string(text) {
			*v = T(i)
			return nil
		}
		known = append(known, name)
	}
	return fmt.Errorf("%q is not one of %s", text, strings.Join(known, ", "))
}
