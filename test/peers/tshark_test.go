package peers_test

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"
)

// missing skips, or fails where nothing may be skipped.
func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("LNSGATE_TEST_ALL") == "1" {
		t.Fatal(what)
	}
	t.Log(what + ": not read by it")
}

// capture writes one IP packet into a file of the kind that pcap(5) describes.
func capture(t *testing.T, packet []byte) string {
	t.Helper()
	const raw = 101 // LINKTYPE_RAW
	b := binary.LittleEndian.AppendUint32(nil, 0xa1b2c3d4)
	b = binary.LittleEndian.AppendUint16(b, 2)
	b = binary.LittleEndian.AppendUint16(b, 4)
	for _, n := range []uint32{0, 0, 65535, raw, 0, 0, uint32(len(packet)), uint32(len(packet))} {
		b = binary.LittleEndian.AppendUint32(b, n)
	}
	path := filepath.Join(t.TempDir(), "answer.pcap")
	if err := os.WriteFile(path, append(b, packet...), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
