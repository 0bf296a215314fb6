package wdf_test

import (
	"testing"

	"github.com/dirql/dirql/internal/choice"
	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/trace"
	"github.com/dirql/dirql/wdf"
)

// randomDriver does anything that is allowed with requests, at random; who may
// complete which is kept in Go variables, which a random run may do.
type randomDriver struct {
	x    *ioBench
	dice choice.Source
	mine map[wdf.WDFREQUEST]bool // with the driver, not being dealt with: marked cancelable or not
	told map[wdf.WDFREQUEST]bool // EvtRequestCancel was called
	lock uint64                  // of mine and told
	end  bool                    // the device goes: no more calls on queues
	busy int                     // such calls under way
	cb   wdf.Callback
}

func (d *randomDriver) roll(n int) int {
	return d.dice.Choose(&choice.Point{Kind: choice.Device, Alternatives: make([]choice.Alternative, n)})
}

// take takes a request that the driver keeps, and unmarks it. It does not if a
// cancel is on the way.
func (d *randomDriver) take(s *wdf.Sys, r wdf.WDFREQUEST) bool {
	defer s.KeReleaseSpinLock(d.lock, s.KeAcquireSpinLock(d.lock))
	marked, ok := d.mine[r]
	if !ok {
		return false
	}
	delete(d.mine, r)
	return !marked || s.WdfRequestUnmarkCancelable(r) != wdf.StatusCancelled
}

// deal does something with a request that the driver has just got.
func (d *randomDriver) deal(s *wdf.Sys, q int, r wdf.WDFREQUEST) {
	switch d.roll(7) {
	case 0:
		s.WdfRequestComplete(r, 0)
	case 1:
		old := s.KeAcquireSpinLock(d.lock)
		st := s.WdfRequestMarkCancelableEx(r, d.cb)
		if !st.Failed() {
			d.mine[r] = true
		}
		s.KeReleaseSpinLock(d.lock, old)
		if st.Failed() {
			s.WdfRequestComplete(r, wdf.StatusCancelled)
		}
	case 2: // EvtRequestCancel may run before this returns
		s.WdfRequestMarkCancelable(r, d.cb)
		old := s.KeAcquireSpinLock(d.lock)
		if !d.told[r] {
			d.mine[r] = true
		}
		s.KeReleaseSpinLock(d.lock, old)
	case 3:
		if s.WdfRequestForwardToIoQueue(r, d.x.queues[(q+1)%len(d.x.queues)]).Failed() {
			d.mine[r] = false
		}
	case 4:
		if q != 3 || s.WdfRequestRequeue(r).Failed() {
			d.mine[r] = false
		}
	default:
		d.mine[r] = false
	}
}

// some returns one of the requests that were sent.
func (d *randomDriver) some() wdf.WDFREQUEST {
	if len(d.x.sent) == 0 {
		return 0
	}
	return d.x.sent[d.roll(len(d.x.sent))]
}

func (d *randomDriver) spec(q int) queueSpec {
	spec := queueSpec{other: q > 0, present: func(x *ioBench, s *wdf.Sys, r wdf.WDFREQUEST, n int) { d.deal(s, q, r) }, resume: keep}
	spec.kind = []wdf.DispatchType{1, 2, 2, 3}[q]
	spec.attributes = []*wdf.ObjectAttributes{
		nil,
		{SynchronizationScope: wdf.SynchronizationScopeQueue},
		{ExecutionLevel: wdf.ExecutionLevelPassive, SynchronizationScope: wdf.SynchronizationScopeQueue},
		{SynchronizationScope: wdf.SynchronizationScopeDevice},
	}[q]
	spec.stop = func(x *ioBench, s *wdf.Sys, r wdf.WDFREQUEST, n int, flags uint32) {
		if !d.take(s, r) {
			return // whoever has it completes it
		}
		if flags&wdf.RequestStopActionPurge != 0 || d.roll(3) == 0 {
			s.WdfRequestComplete(r, wdf.StatusUnsuccessful)
			return
		}
		requeue := d.roll(2) == 0
		if !requeue {
			d.mine[r] = false
		}
		s.WdfRequestStopAcknowledge(r, requeue)
	}
	return spec
}

// act is one thing that a thread does.
func (d *randomDriver) act(s *wdf.Sys) {
	x := d.x
	q, what := d.roll(len(x.queues)), d.roll(14)
	if what >= 8 {
		if d.end {
			return
		}
		d.busy++
		defer func() { d.busy-- }()
	}
	switch what {
	case 0, 1, 2:
		x.send(s, read4)
	case 3, 4:
		if r := d.some(); r != 0 {
			s.CancelRequest(r)
		}
	case 5, 6, 7:
		if r := d.some(); r != 0 && d.take(s, r) {
			old := s.IRQL()
			if d.roll(2) == 0 {
				old = s.KeRaiseIrql(wdf.DispatchLevel)
			}
			s.WdfRequestComplete(r, 0)
			s.KeLowerIrql(old)
		}
	case 8:
		if r, st := s.WdfIoQueueRetrieveNextRequest(x.queues[3]); !st.Failed() {
			d.deal(s, 3, r)
		}
	case 9:
		s.WdfIoQueueStop(x.queues[q], 0, 0)
		s.WdfIoQueueStart(x.queues[q])
	case 10:
		s.WdfIoQueuePurge(x.queues[q], 0, 0)
		s.WdfIoQueueStart(x.queues[q])
	case 11:
		s.WdfIoQueueStopAndPurge(x.queues[q], 0, 0)
		s.WdfIoQueueStart(x.queues[q])
	default: // under a callback lock, so that the dispatch is deferred
		s.WdfObjectAcquireLock(x.queues[q])
		if r := d.some(); r != 0 {
			s.CancelRequest(r)
		}
		s.WdfIoQueueStart(x.queues[q])
		s.WdfObjectReleaseLock(x.queues[q])
	}
}

// TestIOQ10RandomDrivers runs random drivers, applications, power transitions and
// removals under random schedules. Nothing is wrong with any of them: no finding,
// every request ends once, and the tables are in order. Equal seeds, equal traces.
func TestIOQ10RandomDrivers(t *testing.T) {
	seeds := uint64(300)
	if testing.Short() {
		seeds = 40
	}
	for seed := range seeds {
		one := runRandom(t, seed)
		if seed%10 == 0 && one != runRandom(t, seed) {
			t.Fatalf("seed %d: two equal runs differ", seed)
		}
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func runRandom(t *testing.T, seed uint64) string {
	t.Helper()
	d := &randomDriver{dice: choice.NewRandom(seed), mine: map[wdf.WDFREQUEST]bool{}, told: map[wdf.WDFREQUEST]bool{}}
	x := newIO(t, driver{processors: 2}, d.spec(0), d.spec(1), d.spec(2), d.spec(3))
	defer x.Close()
	d.x, d.lock = x, x.Mem.Alloc(8, 0, false, 0)
	d.cb = x.fn("EvtRequestCancel", func(s *wdf.Sys, a kernel.Args) uint64 {
		old := s.KeAcquireSpinLock(d.lock)
		delete(d.mine, wdf.WDFREQUEST(a[0]))
		d.told[wdf.WDFREQUEST(a[0])] = true
		s.KeReleaseSpinLock(d.lock, old)
		s.WdfRequestComplete(wdf.WDFREQUEST(a[0]), wdf.StatusCancelled)
		return 0
	})
	x.Use(choice.NewRandom(seed), x.log)
	working := 3
	for i := range 3 {
		x.spawn(i%2, func(s *wdf.Sys) {
			for range 12 {
				d.act(s)
			}
			working--
		})
	}
	x.spawn(1, func(s *wdf.Sys) { // completes what keeps others waiting
		for working > 0 {
			s.KeDelayExecutionThread(kernel.After(1_000_000))
			for _, r := range x.sent {
				if d.take(s, r) {
					s.WdfRequestComplete(r, 0)
				}
			}
		}
	})
	x.spawn(0, func(s *wdf.Sys) {
		working++
		for range 2 {
			s.SetPower(x.bench.device, wdf.PowerDeviceD3)
			s.SetPower(x.bench.device, wdf.PowerDeviceD0)
		}
		if seed%3 == 0 {
			d.end = true
			s.WaitUntil("calls on queues", func() bool { return d.busy == 0 })
			s.SurpriseRemove(x.bench.device)
		}
		working--
	})
	if r := x.Run(); r != kernel.Done {
		t.Fatalf("seed %d: the run ended: %s; findings %v; waiting %v\n%s", seed, r, titles(x.Findings()), x.Waiters(), x.text())
	}
	check := func(when string) {
		if err := x.f.CheckQueues(); err != nil {
			t.Fatalf("seed %d, %s: %v\n%s", seed, when, err, x.text())
		}
	}
	check("at rest")
	if seed%3 != 0 {
		x.remove()
	}
	check("at the end")
	for n, r := range x.sent {
		if result, done := x.f.RequestResult(r); !done || result.Status == wdf.StatusPending {
			t.Errorf("seed %d: request %d ended: %v, with %s", seed, n+1, done, trace.StatusName(uint32(result.Status)))
		}
	}
	if f := x.take(); len(f) > 0 {
		t.Errorf("seed %d: findings %v\n%s", seed, titles(f), x.text())
	}
	return string(x.text())
}
