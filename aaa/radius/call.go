package radius

import (
	"cmp"
	"net/netip"
	"strconv"

	"lnsgate/aaa"
	"lnsgate/aaa/radius/dialect"
	"lnsgate/aaa/radius/wire"
)

// call is what requests and records have in common: the line that a session uses.
type call struct {
	session                     string
	peer, local                 netip.Addr
	peerName, localName         string
	localTunnel, remoteTunnel   uint16
	localSession, remoteSession uint16
	calling, called             string
	txSpeed, rxSpeed            uint64
	nas                         *aaa.NAS // where the session lives; nil: here
	onlyAsk                     bool     // there will be no session
}

func callOfRequest(r *aaa.Request) call {
	return call{
		session: r.Session, peer: r.Peer.Addr(), local: r.Local, peerName: r.TunnelName, localName: r.LocalName,
		localTunnel: r.LocalTunnel, remoteTunnel: r.RemoteTunnel, localSession: r.LocalSession, remoteSession: r.RemoteSession,
		calling: r.CallingNumber, called: r.CalledNumber, txSpeed: r.TxSpeed, rxSpeed: r.RxSpeed,
		nas: r.NAS, onlyAsk: r.AuthenticateOnly,
	}
}

func callOfRecord(r *aaa.Record) call {
	return call{
		session: r.Session, peer: r.Peer.Addr(), local: r.Local, peerName: r.TunnelName, localName: r.LocalName,
		localTunnel: r.LocalTunnel, remoteTunnel: r.RemoteTunnel, localSession: r.LocalSession, remoteSession: r.RemoteSession,
		calling: r.CallingNumber, called: r.CalledNumber, txSpeed: r.TxSpeed, rxSpeed: r.RxSpeed,
		nas: r.NAS,
	}
}

// addNAS adds who carries the session: we, or the NAS that asked us. Servers end all sessions of a NAS that says it has started,
// and its ports are unique on it alone; sessions of others outlive our process, and have ports of their own counting. Our own
// address is our end of the tunnel where no other is set.
func (w writer) addNAS(nas NAS, c *call) {
	identifier, address := nas.Identifier, nas.Address
	switch {
	case c.nas != nil:
		identifier, address = cmp.Or(c.nas.Identifier, c.nas.Name), c.nas.Address
	case !address.IsValid():
		address = c.local
	}
	w.text(wire.TypeNASIdentifier, identifier)
	w.address(wire.TypeNASIPAddress, wire.TypeNASIPv6Address, address)
}

// addCall adds the line. The session has our name also where another NAS carries it: no two NASes then have the same, and it is
// known before that NAS has told its own.
func (w writer) addCall(c *call) {
	w.text(wire.TypeAcctSessionID, c.session)
	if c.nas != nil {
		w.addForeign(c)
		return
	}
	w.number(wire.TypeNASPort, dialect.Port(c.localTunnel, c.localSession))
	w.text(wire.TypeNASPortID, dialect.PortID(c.localTunnel, c.remoteTunnel, c.localSession, c.remoteSession))
	w.number(wire.TypeNASPortType, portVirtual)
	w.number(wire.TypeServiceType, serviceFramed)
	w.number(wire.TypeFramedProtocol, protocolPPP)
	w.text(wire.TypeCallingStationID, aaa.Station(c.calling, c.peer))
	w.text(wire.TypeCalledStationID, aaa.Station(c.called, c.local))
	w.text(wire.TypeConnectInfo, connectInfo(c.txSpeed, c.rxSpeed))
	w.addTunnel(c)
}

// addForeign adds the line of another NAS, as far as it told of it.
func (w writer) addForeign(c *call) {
	if c.nas.Port != 0 {
		w.number(wire.TypeNASPort, c.nas.Port)
	}
	w.text(wire.TypeNASPortID, c.nas.PortID)
	if c.nas.PortType != 0 {
		w.number(wire.TypeNASPortType, c.nas.PortType)
	}
	switch {
	case c.onlyAsk:
		w.number(wire.TypeServiceType, serviceOnlyAsk)
	case c.nas.PortType == portWiFi: // there is no PPP
		w.number(wire.TypeServiceType, serviceFramed)
	default:
		w.number(wire.TypeServiceType, serviceFramed)
		w.number(wire.TypeFramedProtocol, protocolPPP)
	}
	w.text(wire.TypeCallingStationID, c.calling)
	w.text(wire.TypeCalledStationID, c.called)
}

// addTunnel adds the tunnel (RFC 2868), without tags: there is one.
func (w writer) addTunnel(c *call) {
	w.number(wire.TypeTunnelType, tunnelL2TP)
	switch peer := c.peer.Unmap(); {
	case peer.Is4():
		w.number(wire.TypeTunnelMediumType, mediumIPv4)
	case peer.Is6():
		w.number(wire.TypeTunnelMediumType, mediumIPv6)
	}
	w.tunnelText(wire.TypeTunnelClientEndpoint, addressText(c.peer))
	w.tunnelText(wire.TypeTunnelServerEndpoint, addressText(c.local))
	w.tunnelText(wire.TypeTunnelClientAuthID, c.peerName)
	w.tunnelText(wire.TypeTunnelServerAuthID, c.localName)
	w.tunnelText(wire.TypeTunnelAssignmentID, strconv.Itoa(int(c.localTunnel)))
}

func addressText(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.Unmap().String()
}

// connectInfo is the speed towards the user, and behind a slash that from the user when it differs (RFC 2869 section
// 5.11). An AVP that the LAC did not send says nothing.
func connectInfo(tx, rx uint64) string {
	switch {
	case tx == 0 && rx == 0:
		return ""
	case rx == 0 || rx == tx:
		return strconv.FormatUint(tx, 10)
	}
	return strconv.FormatUint(tx, 10) + "/" + strconv.FormatUint(rx, 10)
}
