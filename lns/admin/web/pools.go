package web

import (
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"time"

	"lnsgate/lns/admin"
)

// poolView is how full a pool is, as parts of a strip of 1000.
type poolView struct {
	admin.Pool
	Parts []part
	Used  string // percent
	Alarm string // full, nearly full, or empty
}

// part is one stretch of the strip.
type part struct {
	Class    string
	From, To int
	Width    int
	Count    uint64
}

// used is the part of the pool that nobody else can have.
func (v poolView) used() float64 {
	return float64(v.Size-min(v.Free, v.Size)) / float64(max(1, v.Size))
}

// nearlyFull is the part from which on a pool is marked.
const nearlyFull = 0.9

func viewOfPool(one admin.Pool) poolView {
	v := poolView{Pool: one, Used: percent(one.Size-min(one.Free, one.Size), one.Size)}
	reserved := one.Size - min(one.Size, one.Free+one.Leased+one.Quarantined) // static ones that nobody holds
	at, sum := 0, uint64(0)
	for _, p := range []part{{Class: "leased", Count: one.Leased}, {Class: "quarantined", Count: one.Quarantined}, {Class: "reserved", Count: reserved}} {
		sum += p.Count
		p.From = at
		p.To = int(min(1000, sum*1000/max(1, one.Size)))
		p.Width = p.To - p.From
		at = p.To
		v.Parts = append(v.Parts, p)
	}
	switch {
	case one.Free == 0 && one.Size > 0:
		v.Alarm = "full"
	case v.used() >= nearlyFull:
		v.Alarm = "nearly full"
	}
	return v
}

// poolsView is all pools.
type poolsView struct {
	frame
	Pools []poolView
}

func (p *Page) pools(a *ask) error {
	v := poolsView{frame: a.frame("pools", "Addresses")}
	var list struct {
		Pools   []admin.Pool
		Warning string
	}
	if err := a.get("/v1/pools", nil, &list); err != nil {
		return err
	}
	for _, one := range list.Pools {
		v.Pools = append(v.Pools, viewOfPool(one))
	}
	v.frame.Warning = list.Warning
	return a.show("pools", v)
}

// How much of a pool is drawn at once.
const (
	blockCells = 256   // a block is a /24, or a /120
	mapCells   = 65536 // the map of blocks tells so many addresses
	wholePool  = 512   // a pool up to this size is drawn as cells at once
)

// blockView is one /24 of a pool, or what of it belongs to the pool.
type blockView struct {
	Network           netip.Prefix
	First             netip.Addr
	Total             int
	Leased, Held      int // Held: quarantined or reserved
	Shade             int // 0 to 4: how full
	Cells             []cell
	Link              string
	Here              bool
	Quarantined, Free int
}

// cell is one address.
type cell struct {
	admin.AddressState
	Last string // its last octet
	Link string
	Here bool
}

// poolPage is one pool as a picture.
type poolPage struct {
	frame
	Pool    poolView
	Ranges  []string
	Stored  *admin.StoredPool
	Map     []blockView // the blocks of a large pool
	Blocks  []blockView // those that are drawn as cells
	NextMap string
	First   string
	One     *addressView
}

func (p *Page) pool(a *ask) error {
	q := a.URL.Query()
	name := q.Get("name")
	v := poolPage{frame: a.frame("pools", "Pool "+name)}
	var detail struct {
		Usage  *admin.Pool
		Stored *admin.StoredPool
		Ranges []string
	}
	if err := a.get(path("pools", name), nil, &detail); err != nil {
		return err
	}
	if detail.Usage == nil {
		return &admin.Error{Status: http.StatusNotFound, Message: "this server does not serve the pool " + name, Hint: "it is in the database; a domain has to use it"}
	}
	v.Pool, v.Ranges, v.Stored = viewOfPool(*detail.Usage), detail.Ranges, detail.Stored
	chosen, _ := netip.ParseAddr(q.Get("address"))
	block, _ := netip.ParseAddr(q.Get("block"))
	if !block.IsValid() {
		block = chosen
	}
	if err := v.draw(a, name, block, chosen, q.Get("after")); err != nil {
		v.frame.Warning = err.Error()
	}
	if chosen.IsValid() {
		v.One = p.addressView(a, name, chosen, v.Blocks)
	}
	return a.show("pool", v)
}

// draw asks for the addresses that are drawn: all of a small pool; the map of a large one, and the cells of one block of it.
func (v *poolPage) draw(a *ask, name string, block, chosen netip.Addr, after string) error {
	if v.Pool.Size <= wholePool {
		states, _, err := a.addresses(name, netip.Addr{}, wholePool)
		v.Blocks = blocksOf(name, states, chosen)
		return err
	}
	if block.IsValid() {
		states, _, err := a.addresses(name, networkOf(block).Addr().Prev(), blockCells)
		v.Blocks = slices.DeleteFunc(blocksOf(name, states, chosen), func(b blockView) bool { return b.Network != networkOf(block) })
		if err != nil {
			return err
		}
	}
	start, _ := netip.ParseAddr(after)
	states, next, err := a.addresses(name, start, mapCells)
	v.Map = blocksOf(name, states, chosen)
	for i := range v.Map {
		v.Map[i].Cells = nil
		v.Map[i].Here = block.IsValid() && v.Map[i].Network == networkOf(block)
		if after != "" {
			v.Map[i].Link += "&after=" + url.QueryEscape(after)
		}
	}
	if start.IsValid() {
		v.First = "?name=" + url.QueryEscape(name)
	}
	if next != "" {
		v.NextMap = "?name=" + url.QueryEscape(name) + "&after=" + url.QueryEscape(next)
	}
	return err
}

func (a *ask) addresses(pool string, after netip.Addr, limit int) ([]admin.AddressState, string, error) {
	query := url.Values{"limit": {strconv.Itoa(limit)}}
	if after.IsValid() {
		query.Set("after", after.String())
	}
	var list struct {
		Addresses []admin.AddressState
		Next      string
	}
	err := a.get(path("pools", pool)+"/addresses", query, &list)
	return list.Addresses, list.Next, err
}

// networkOf is the block that an address belongs to.
func networkOf(a netip.Addr) netip.Prefix {
	p, _ := a.Prefix(a.BitLen() - 8) // of a valid address
	return p
}

// blocksOf puts addresses, which are in order, into blocks.
func blocksOf(pool string, states []admin.AddressState, chosen netip.Addr) []blockView {
	var blocks []blockView
	for _, s := range states {
		network := networkOf(s.Address)
		if len(blocks) == 0 || blocks[len(blocks)-1].Network != network {
			blocks = append(blocks, blockView{Network: network, First: s.Address, Link: linkTo(pool, s.Address, "block") + "#cells"})
		}
		b := &blocks[len(blocks)-1]
		b.Total++
		switch s.State {
		case "leased":
			b.Leased++
		case "free":
			b.Free++
		default:
			b.Held++
		}
		b.Cells = append(b.Cells, cell{s, lastPart(s.Address), linkTo(pool, s.Address, "address") + "#address", s.Address == chosen})
	}
	for i := range blocks {
		b := &blocks[i]
		b.Shade = (4*(b.Total-b.Free) + b.Total - 1) / max(1, b.Total)
	}
	return blocks
}

func linkTo(pool string, a netip.Addr, what string) string {
	return "/ui/pool?name=" + url.QueryEscape(pool) + "&" + what + "=" + url.QueryEscape(a.String())
}

func lastPart(a netip.Addr) string {
	octets := a.AsSlice()
	if a.Is4() {
		return strconv.Itoa(int(octets[3]))
	}
	return "…" + netip.AddrFrom16(a.As16()).String()[max(0, len(a.String())-2):]
}

// addressView is one address: who has it, and who had it before.
type addressView struct {
	admin.AddressState
	Known   bool
	Holders []admin.Holder // before now, as the database has them
	Before  []admin.Attempt
	NoBooks string
}

func (p *Page) addressView(a *ask, pool string, one netip.Addr, blocks []blockView) *addressView {
	v := &addressView{AddressState: admin.AddressState{Address: one}}
	for _, b := range blocks {
		for _, c := range b.Cells {
			if c.Address == one {
				v.AddressState, v.Known = c.AddressState, true
			}
		}
	}
	if found, err := a.attempts(url.Values{"address": {one.String()}, "limit": {"10"}}); err == nil {
		v.Before = slices.DeleteFunc(found.Attempts, func(a admin.Attempt) bool { return a.Ended.IsZero() })
	}
	at := p.cfg.Now()
	for range 6 { // the one who has it, and those before
		var list struct{ Holders []admin.Holder }
		if err := a.get("/v1/who-had", url.Values{"address": {one.String()}, "at": {at.Format(time.RFC3339)}}, &list); err != nil {
			v.NoBooks = err.Error()
			break
		}
		if len(list.Holders) == 0 {
			break
		}
		for _, h := range list.Holders {
			if h.StoppedAt != nil {
				v.Holders = append(v.Holders, h)
			}
		}
		at = list.Holders[len(list.Holders)-1].StartedAt.Add(-time.Second)
	}
	return v
}
