package spool

import (
	"fmt"
	"testing"

	"lnsgate/aaa"
)

// BenchmarkSpool takes records of 10,000 sessions, writes them with fsync and hands them to a sink that costs nothing.
func BenchmarkSpool(b *testing.B) {
	for _, memory := range []int{1 << 16} {
		b.Run(fmt.Sprintf("memory=%d", memory), func(b *testing.B) {
			sink := &discard{}
			cfg := quick(b, sink)
			cfg.Gather, cfg.Pace, cfg.Memory = 0, 0, memory
			s := mustOpen(b, cfg)
			stop := start(b, s)
			b.ReportAllocs()
			for n := 0; b.Loop(); n++ {
				kind := aaa.RecordStart
				if n/10_000%2 == 1 {
					kind = aaa.RecordStop
				}
				s.Account(record(kind, fmt.Sprint("s", n%10_000), uint32(n/10_000+1)))
				if n%(memory/2) == 0 {
					if err := s.Sync(b.Context()); err != nil {
						b.Fatal(err)
					}
				}
			}
			drain(b, s)
			stop()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
			b.ReportMetric(float64(sink.records)/float64(max(sink.calls, 1)), "records/batch")
		})
	}
}

func BenchmarkEncode(b *testing.B) {
	r := record(aaa.RecordStop, "lns1-18f-1-12/7", 9)
	var into []byte
	for b.Loop() {
		into = appendRecord(into[:0], &r)
	}
	b.ReportMetric(float64(len(into)), "octets")
}

func BenchmarkDecode(b *testing.B) {
	r := record(aaa.RecordStop, "lns1-18f-1-12/7", 9)
	raw := appendRecord(nil, &r)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := decodeRecord(raw); err != nil {
			b.Fatal(err)
		}
	}
}
