package radius

import (
	"net/netip"
	"strconv"

	"lnsgate/aaa"
	"lnsgate/aaa/radius/dialect"
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
}

func callOfRequest(r *aaa.Request) call {
	return call{
		session: r.Session, peer: r.Peer.Addr(), local: r.Local, peerName: r.TunnelName, localName: r.LocalName,
		localTunnel: r.LocalTunnel, remoteTunnel: r.RemoteTunnel, localSession: r.LocalSession, remoteSession: r.RemoteSession,
		calling: r.CallingNumber, called: r.CalledNumber, txSpeed: r.TxSpeed, rxSpeed: r.RxSpeed,
	}
}

func callOfRecord(r *aaa.Record) call {
	return call{
		session: r.Session, peer: r.Peer.Addr(), local: r.Local, peerName: r.TunnelName, localName: r.LocalName,
		localTunnel: r.LocalTunnel, remoteTunnel: r.RemoteTunnel, localSession: r.LocalSession, remoteSession: r.RemoteSession,
		calling: r.CallingNumber, called: r.CalledNumber, txSpeed: r.TxSpeed, rxSpeed: r.RxSpeed,
	}
}

// addNAS adds who we are. The address is our end of the tunnel where no other is set.
func (w writer) addNAS(nas NAS, local netip.Addr) {
	w.text(typeNASIdentifier, nas.Identifier)
	if nas.Address.IsValid() {
		local = nas.Address
	}
	w.address(typeNASIPAddress, typeNASIPv6Address, local)
}

// addCall adds the line.
func (w writer) addCall(c *call) {
	w.text(typeAcctSessionID, c.session)
	w.number(typeNASPort, dialect.Port(c.localTunnel, c.localSession))
	w.text(typeNASPortID, dialect.PortID(c.localTunnel, c.remoteTunnel, c.localSession, c.remoteSession))
	w.number(typeNASPortType, portVirtual)
	w.number(typeServiceType, serviceFramed)
	w.number(typeFramedProtocol, protocolPPP)
	w.text(typeCallingStationID, aaa.Station(c.calling, c.peer))
	w.text(typeCalledStationID, aaa.Station(c.called, c.local))
	w.text(typeConnectInfo, connectInfo(c.txSpeed, c.rxSpeed))
	w.addTunnel(c)
}

// addTunnel adds the tunnel (RFC 2868), without tags: there is one.
func (w writer) addTunnel(c *call) {
	w.number(typeTunnelType, tunnelL2TP)
	switch peer := c.peer.Unmap(); {
	case peer.Is4():
		w.number(typeTunnelMediumType, mediumIPv4)
	case peer.Is6():
		w.number(typeTunnelMediumType, mediumIPv6)
	}
	w.tunnelText(typeTunnelClientEndpoint, addressText(c.peer))
	w.tunnelText(typeTunnelServerEndpoint, addressText(c.local))
	w.tunnelText(typeTunnelClientAuthID, c.peerName)
	w.tunnelText(typeTunnelServerAuthID, c.localName)
	w.tunnelText(typeTunnelAssignmentID, strconv.Itoa(int(c.localTunnel)))
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
