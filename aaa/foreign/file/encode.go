package file

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	bolt "go.etcd.io/bbolt"

	"lnsgate/aaa"
	"lnsgate/aaa/boltfile"
	"lnsgate/aaa/foreign"
)

// The buckets of the file. Values are JSON, with the names of the Go fields: a newer lnsgate reads a missing field as zero.
var (
	bucketLive   = []byte("live")   // session -> savedSession
	bucketEnded  = []byte("ended")  // session -> savedEnd
	bucketOrders = []byte("orders") // number -> savedOrder
	buckets      = [][]byte{bucketLive, bucketEnded, bucketOrders}
)

// savedRecord is a record in the file. JSON has no room for texts that are not UTF-8, and what a peer typed may be one.
type savedRecord struct {
	Record aaa.Record
	Raw    map[int][]byte `json:",omitempty"` // by the place in texts
}

type savedSession struct {
	savedRecord
	Heard time.Time
}

type savedEnd struct {
	foreign.Ended
	Serial uint64 // in which order they ended
}

type savedOrder struct {
	Order   foreign.Order // without its session
	Session savedRecord
	Answer  foreign.Answer
	Due     time.Time
}

// texts are those of a record that come from outside.
func texts(r *aaa.Record) []*string {
	list := []*string{&r.Session, &r.Name, &r.Account, &r.Domain, &r.TunnelName, &r.CallingNumber, &r.CalledNumber, &r.UserName, &r.Reason}
	if r.NAS != nil {
		list = append(list, &r.NAS.Name, &r.NAS.Identifier, &r.NAS.Session, &r.NAS.PortID)
	}
	return list
}

func save(r aaa.Record) savedRecord {
	s := savedRecord{Record: r}
	for i, text := range texts(&s.Record) {
		if !utf8.ValidString(*text) {
			if s.Raw == nil {
				s.Raw = map[int][]byte{}
			}
			s.Raw[i] = []byte(*text)
		}
	}
	return s
}

func (s *savedRecord) record() aaa.Record {
	list := texts(&s.Record)
	for i, raw := range s.Raw {
		if i >= 0 && i < len(list) {
			*list[i] = string(raw)
		}
	}
	return s.Record
}

// page is one value of the file; nil: it goes.
type page struct{ bucket, key, value []byte }

// encode makes the pages of what has changed. What JSON has no words for, such as a time after the year 9999, stays as it was in the
// file, and holds up nothing else.
func (s *Store) encode(c foreign.Changed) []page {
	pages := make([]page, 0, 2*len(c.Sessions)+len(c.Orders))
	add := func(bucket, key []byte, v any) {
		p := page{bucket: bucket, key: key}
		if v != nil {
			var err error
			if p.value, err = json.Marshal(v); err != nil {
				s.config.Log.Error("what a NAS tells of a session cannot be written down, and is forgotten at the next start",
					"file", s.config.Path, "bucket", string(bucket), "key", fmt.Sprintf("%q", key), "cause", err)
				return
			}
		}
		pages = append(pages, p)
	}
	for name := range c.Sessions {
		var live, over any
		switch h, e := s.ledger.Session(name); {
		case h != nil:
			live = savedSession{save(h.Record), h.Heard}
		case e != nil:
			s.buried++
			over = savedEnd{*e, s.buried}
		}
		add(bucketLive, []byte(name), live)
		add(bucketEnded, []byte(name), over)
	}
	for id := range c.Orders {
		var v any
		if t := s.ledger.Told(id); t != nil {
			o := t.Order
			o.Session = aaa.Record{}
			v = savedOrder{o, save(t.Order.Session), t.Answer, t.Due}
		}
		add(bucketOrders, binary.BigEndian.AppendUint64(nil, uint64(id)), v)
	}
	return pages
}

func apply(tx *bolt.Tx, pages []page) error {
	for _, p := range pages {
		b := tx.Bucket(p.bucket)
		var err error
		if p.value == nil {
			err = b.Delete(p.key)
		} else {
			err = b.Put(p.key, p.value)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// load reads what the file holds.
func (s *Store) load() error {
	err := s.db.Update(func(tx *bolt.Tx) error {
		for _, name := range buckets {
			if _, err := tx.CreateBucketIfNotExists(name); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	var sessions []foreign.Held
	var ended []string
	var ends []savedEnd
	var orders []foreign.Told
	err = boltfile.Read(s.db, func(tx *bolt.Tx) error {
		if err := all(tx, bucketLive, func(_ []byte, v savedSession) {
			sessions = append(sessions, foreign.Held{Record: v.record(), Heard: v.Heard})
		}); err != nil {
			return err
		}
		if err := all(tx, bucketEnded, func(k []byte, v savedEnd) {
			ended, ends = append(ended, string(k)), append(ends, v)
		}); err != nil {
			return err
		}
		return all(tx, bucketOrders, func(_ []byte, v savedOrder) {
			v.Order.Session = v.Session.record()
			orders = append(orders, foreign.Told{Order: v.Order, Answer: v.Answer, Due: v.Due})
		})
	})
	if err != nil {
		return err
	}
	s.resume(sessions, ended, ends, orders)
	return nil
}

// resume puts what was read into the ledger.
func (s *Store) resume(sessions []foreign.Held, ended []string, ends []savedEnd, orders []foreign.Told) {
	byAge := make([]int, len(ended))
	for i := range byAge {
		byAge[i] = i
		s.buried = max(s.buried, ends[i].Serial)
	}
	slices.SortFunc(byAge, func(a, b int) int { return cmp.Compare(ends[a].Serial, ends[b].Serial) })
	names, old := make([]string, len(ended)), make([]foreign.Ended, len(ended))
	for i, at := range byAge {
		names[i], old[i] = ended[at], ends[at].Ended
	}
	s.ledger.Resume(sessions, names, old, orders)
}

// all reads a bucket.
func all[T any](tx *bolt.Tx, bucket []byte, take func(key []byte, v T)) error {
	return tx.Bucket(bucket).ForEach(func(k, raw []byte) error {
		var v T
		if err := json.Unmarshal(raw, &v); err != nil {
			return &boltfile.Damage{Err: fmt.Errorf("bucket %q: %w", bucket, err)}
		}
		take(k, v)
		return nil
	})
}
