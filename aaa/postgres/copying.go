package postgres

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"net/netip"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// copyRows is the content of a COPY in PostgreSQL's binary format. Rows that come this way cost the server half of what those of
// a statement with arrays do. Each row begins with begin; its columns follow, as many as it said.
type copyRows struct {
	octets []byte
}

// copySignature begins every COPY: the signature, no flags, and no extension of the header.
const copySignature = "PGCOPY\n\xff\r\n\x00\x00\x00\x00\x00\x00\x00\x00\x00"

// Families of an inet, as PostgreSQL numbers them on all systems.
const (
	inet4 = 2
	inet6 = 3
)

// copyEpoch is where PostgreSQL begins to count time.
var copyEpoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// reset forgets all rows, and keeps the room that they took.
func (c *copyRows) reset() { c.octets = append(c.octets[:0], copySignature...) }

func (c *copyRows) begin(columns int) {
	c.octets = binary.BigEndian.AppendUint16(c.octets, uint16(columns))
}

func (c *copyRows) length(n int) { c.octets = binary.BigEndian.AppendUint32(c.octets, uint32(n)) }

func (c *copyRows) null() { c.octets = append(c.octets, 0xff, 0xff, 0xff, 0xff) }

func (c *copyRows) text(s string) {
	c.length(len(s))
	c.octets = append(c.octets, s...)
}

// said is a text that is null when it is empty.
func (c *copyRows) said(s string) {
	if s == "" {
		c.null()
		return
	}
	c.text(s)
}

func (c *copyRows) integer(n int32) {
	c.length(4)
	c.octets = binary.BigEndian.AppendUint32(c.octets, uint32(n))
}

// given is a number that is null when it is zero.
func (c *copyRows) given(n int32) {
	if n == 0 {
		c.null()
		return
	}
	c.integer(n)
}

// jsonb is null when there is none. What strangers said may have a NUL in it, which the database cannot hold.
func (c *copyRows) jsonb(octets []byte) {
	if octets == nil {
		c.null()
		return
	}
	octets = bytes.ReplaceAll(octets, []byte(`\u0000`), []byte(`\ufffd`))
	c.length(1 + len(octets))
	c.octets = append(c.octets, jsonbVersion)
	c.octets = append(c.octets, octets...)
}

// jsonbVersion begins every jsonb on the wire.
const jsonbVersion = 1

func (c *copyRows) time(t time.Time) {
	c.length(8)
	since := (t.Unix()-copyEpoch.Unix())*1_000_000 + int64(t.Nanosecond()/1000)
	c.octets = binary.BigEndian.AppendUint64(c.octets, uint64(since))
}

// interval has no days and no months.
func (c *copyRows) interval(d time.Duration) {
	c.length(16)
	c.octets = binary.BigEndian.AppendUint64(c.octets, uint64(d.Microseconds()))
	c.octets = append(c.octets, 0, 0, 0, 0, 0, 0, 0, 0)
}

// address is an inet of one host, null when there is none; an IPv6 zone is left out.
func (c *copyRows) address(a netip.Addr) {
	if !a.IsValid() {
		c.null()
		return
	}
	a = a.Unmap()
	family := byte(inet4)
	if a.Is6() {
		family = inet6
	}
	c.length(4 + a.BitLen()/8)
	c.octets = append(c.octets, family, byte(a.BitLen()), 0, byte(a.BitLen()/8))
	c.octets, _ = a.WithZone("").AppendBinary(c.octets) // never fails
}

// network is a cidr, null when there is none.
func (c *copyRows) network(p netip.Prefix) {
	if !p.IsValid() {
		c.null()
		return
	}
	a := p.Masked().Addr()
	family := byte(inet4)
	if a.Is6() {
		family = inet6
	}
	c.length(4 + a.BitLen()/8)
	c.octets = append(c.octets, family, byte(p.Bits()), 1, byte(a.BitLen()/8))
	c.octets, _ = a.AppendBinary(c.octets) // never fails
}

// send has the server take the rows by a COPY ... FROM STDIN (FORMAT binary), all or none.
func (c *copyRows) send(ctx context.Context, pool *pgxpool.Pool, sql string) error {
	conn, err := pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	c.begin(-1) // there are no more
	source := &withdrawable{from: bytes.NewReader(c.octets)}
	_, err = conn.Conn().PgConn().CopyFrom(ctx, source, sql)
	source.withdraw()
	c.octets = c.octets[:len(c.octets)-2]
	return err
}

// withdrawable is a reader that nobody reads any more after withdraw: a COPY whose connection broke, or whose context ended,
// returns while a goroutine of pgx still reads its source.
type withdrawable struct {
	mu   sync.Mutex
	from io.Reader
}

func (w *withdrawable) Read(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.from == nil {
		return 0, io.ErrClosedPipe
	}
	return w.from.Read(p)
}

// withdraw waits for the Read that is under way; later ones fail.
func (w *withdrawable) withdraw() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.from = nil
}
