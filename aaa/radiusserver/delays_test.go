package radiusserver

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"layeh.com/radius"

	"lnsgate/aaa"
	"lnsgate/aaa/aaatest"
	"lnsgate/aaa/radius/wire"
)

// A no takes as long whatever the reason, and holds no worker.
func TestRejectsAreDelayedAndLookTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(c *Config) { c.RejectDelay, c.AtOnce = 0, 1 })
		r.backend.Set("slow", aaatest.Answer{Err: &aaa.Rejection{Cause: aaa.AccountDisabled}, Wait: after(300 * time.Millisecond)}) // asked first
		r.backend.Set("disabled", aaatest.Answer{Err: &aaa.Rejection{Cause: aaa.AccountDisabled}})
		ctx, stop := context.WithCancel(context.Background())
		ended := make(chan struct{})
		go func() { r.delays.run(ctx); close(ended) }()
		lengths := map[int]bool{}
		for _, p := range []*radius.Packet{
			login(t, "slow", password), login(t, "alice", "wrong"), login(t, "nobody", password), login(t, "disabled", password), login(t, "bob@nowhere", password),
			login(t, "bad name", password), login(t, "bob@sales", password), login(t, "alice", password, num(wire.TypeServiceType, 6)), packet(t, radius.CodeAccessRequest, str(1, "alice")),
		} {
			octets, box, began := octetsOf(t, p), newMailbox(), time.Now()
			r.put(forAccess, octets, nasAddress, box)
			if r.Stats().Answering != 0 || r.Stats().Delayed != 1 {
				t.Errorf("%d are being answered, %d wait", r.Stats().Answering, r.Stats().Delayed)
			}
			r.put(forAccess, octets, nasAddress, box) // a duplicate inside of the delay
			<-box.came
			reply := r.read(octets, box)
			if reply.Code != radius.CodeAccessReject {
				t.Errorf("%s for %q", reply.Code, p.Get(1))
			}
			if took := box.at[0].Sub(began); took < time.Second || took > 1100*time.Millisecond {
				t.Errorf("%q was told no after %v", p.Get(1), took)
			}
			lengths[len(box.all()[0])] = true
		}
		if len(lengths) != 1 {
			t.Errorf("no's differ in length: %v", lengths)
		}
		r.want(Pending, 9)
		stop()
		<-ended
	})
}

func after(d time.Duration) <-chan struct{} {
	c := make(chan struct{})
	time.AfterFunc(d, func() { close(c) })
	return c
}

func TestDelaysComeInTheirOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDelays()
		ctx, stop := context.WithCancel(context.Background())
		ended := make(chan struct{})
		go func() { d.run(ctx); close(ended) }()
		var got []string
		began := time.Now()
		for _, seconds := range []int{3, 1, 4, 2, 1000} {
			synctest.Wait() // run has set its timer for those before
			d.add(began.Add(time.Duration(seconds)*time.Second), "branch", func() { got = append(got, fmt.Sprint(seconds, " after ", time.Since(began))) })
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if want := []string{"1 after 1s", "2 after 2s", "3 after 3s", "4 after 4s"}; !slices.Equal(got, want) || d.len() != 1 {
			t.Errorf("%q", got)
		}
		stop()
		<-ended
	})
}
