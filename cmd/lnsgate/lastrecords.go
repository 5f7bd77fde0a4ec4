package main

import (
	"context"
	"time"

	"lnsgate/aaa/spool"
)

// How long the end waits for the last records to be stored. Otherwise they wait on disk for the next start.
const (
	drainTimeout = 5 * time.Second  // without one that is stored
	drainMost    = 20 * time.Second // in all
)

// drainable is what storeLast needs of a *spool.Spool.
type drainable interface {
	Drain(context.Context) error
	Stats() spool.Stats
}

// storeLast waits until all records are stored: as long as more and more of them are, up to drainMost.
func storeLast(s drainable) error {
	all, cancel := context.WithTimeout(context.Background(), drainMost)
	defer cancel()
	for {
		before := s.Stats().Delivered
		ctx, cancel := context.WithTimeout(all, drainTimeout)
		err := s.Drain(ctx)
		cancel()
		if err == nil || all.Err() != nil || s.Stats().Delivered == before {
			return err
		}
	}
}
