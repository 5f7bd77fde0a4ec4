package main

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
)

const softEtherLegend = `
SoftEther VPN Server is Debian's, with L2TP without IPsec, a user in its own hub, an address from its DHCP, and the hub bridged to a
TAP device. It takes MS-CHAPv2 where lnsgate takes CHAP. There is no rate of logins: it takes seconds for each, and after ten of
them leaves the next SCCRQs of that source without an answer.
`

// measureSoftEther has lnsgate and SoftEther do the same, in turns, on a machine that has SoftEther.
func measureSoftEther(ctx context.Context, b *bench, w *world) error {
	for _, program := range []string{"vpnserver", "vpncmd"} {
		if _, err := exec.LookPath(program); err != nil {
			b.explain("\nSoftEther is not measured: this machine has no " + program + ".\n")
			return nil
		}
	}
	b.explain(softEtherLegend)
	if _, err := w.start(w.hq, "iperf3", "iperf3", "-s", "-4"); err != nil {
		return err
	}
	s, err := w.serve(ctx, 1)
	if err != nil {
		return err
	}
	var ours, theirs besides
	if err := w.measureTraffic(ctx, b, s.process, "chap", "user1", &ours); err != nil {
		return err
	}
	if err := s.end(ctx); err != nil {
		return err
	}
	p, err := w.serveSoftEther(ctx)
	if err != nil {
		return err
	}
	if err := w.measureTraffic(ctx, b, p, "mschapv2", "user1", &theirs); err != nil {
		return err
	}
	b.figures.traffic("SoftEther", ours, theirs)
	return nil
}

// The addresses of SoftEther's subscribers, and of its TAP device among them.
const (
	softEtherTAP     = "tap_bench"
	softEtherGateway = "10.64.0.1"
)

// softEtherCommands are for vpncmd.
const softEtherCommands = `IPsecEnable /L2TP:no /L2TPRAW:yes /ETHERIP:no /PSK:notused /DEFAULTHUB:DEFAULT
BridgeCreate DEFAULT /DEVICE:bench /TAP:yes
Hub DEFAULT
SecureNatEnable
NatDisable
DhcpSet /START:10.64.0.10 /END:10.64.255.200 /MASK:255.255.0.0 /EXPIRE:7200 /GW:` + softEtherGateway + ` /DNS:none /DNS2:none /DOMAIN:none /LOG:no
DhcpEnable
LogDisable packet
LogDisable security
UserCreate user1 /GROUP:none /REALNAME:none /NOTE:none
UserPasswordSet user1 /PASSWORD:` + password + "\n"

// serveSoftEther starts SoftEther as the LNS of this world. It has places of its own for its files, which are no files of an
// installed one, and ends with all its processes.
func (w *world) serveSoftEther(ctx context.Context) (*process, error) {
	const hidden = `for d in lib log; do mkdir -p /var/$d/softether; mount -t tmpfs none /var/$d/softether; done
mkdir -p /run/softether; mount -t tmpfs none /run/softether; exec vpnserver execsvc`
	if _, err := w.lns.Run("sysctl", "-qw", "net.ipv4.ip_forward=1"); err != nil { // as lnsgate does for itself
		return nil, err
	}
	p, err := w.start(w.lns, "vpnserver", "unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", hidden)
	if err != nil {
		return nil, err
	}
	file := filepath.Join(w.folder, "softether.txt")
	if err := os.WriteFile(file, []byte(softEtherCommands), 0o600); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, 4*patience)
	defer cancel()
	return p, until(ctx, "SoftEther serves", func() (bool, error) {
		if !p.running() {
			return false, fmt.Errorf("%s has ended:\n%s", p.command, p.said())
		}
		if !w.lns.HasLink(softEtherTAP) { // not yet told, or not yet done
			said, _ := w.lns.Run("vpncmd", "localhost:5555", "/SERVER", "/IN:"+file)
			if !bytes.Contains(said, []byte("DhcpEnable")) || !w.lns.HasLink(softEtherTAP) {
				return false, nil
			}
		}
		return true, w.lns.Address(softEtherTAP, netip.PrefixFrom(netip.MustParseAddr(softEtherGateway), 16).String())
	})
}
