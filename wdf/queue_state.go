package wdf

import (
	"fmt"

	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/trace"
)

var (
	svcWdfIoQueueStart                     = kernel.NewService("WdfIoQueueStart")
	svcWdfIoQueueStop                      = kernel.NewService("WdfIoQueueStop")
	svcWdfIoQueueStopSynchronously         = kernel.NewLenientService("WdfIoQueueStopSynchronously")
	svcWdfIoQueueStopAndPurge              = kernel.NewService("WdfIoQueueStopAndPurge")
	svcWdfIoQueueStopAndPurgeSynchronously = kernel.NewLenientService("WdfIoQueueStopAndPurgeSynchronously")
	svcWdfIoQueuePurge                     = kernel.NewService("WdfIoQueuePurge")
	svcWdfIoQueuePurgeSynchronously        = kernel.NewLenientService("WdfIoQueuePurgeSynchronously")
	svcWdfIoQueueDrain                     = kernel.NewService("WdfIoQueueDrain")
	svcWdfIoQueueDrainSynchronously        = kernel.NewLenientService("WdfIoQueueDrainSynchronously")
	svcWdfIoQueueReadyNotify               = kernel.NewService("WdfIoQueueReadyNotify")
	svcWdfIoQueueRetrieveNextRequest       = kernel.NewService("WdfIoQueueRetrieveNextRequest")
	svcStopQueue                           = kernel.NewService("the stop of a queue")
	svcPurgeQueue                          = kernel.NewService("the purge of a queue")
)

// WdfIoQueueStart lets a queue accept and deliver requests. IRQL <=
// DISPATCH_LEVEL.
func (s *Sys) WdfIoQueueStart(h WDFQUEUE) {
	s.Enter(svcWdfIoQueueStart, uint64(h))
	q := s.queue(h)
	s.Step()
	p := &s.f.queues[q]
	p.accepts = p.accepts || !p.shutDown
	p.dispatches, p.cancelReturned = true, false
	s.f.refill(q)
	s.dispatch(q, 0)
	s.LeaveVoid()
}

// refill lets a queue that is not empty count as one that was just filled.
func (f *Framework) refill(q queueID) {
	if p := &f.queues[q]; p.lists[listWaiting].count > 0 {
		p.filled, p.fillNext = true, false
	}
}

// WdfIoQueueStop lets a queue accept requests but deliver none. complete, if it
// is not 0, is called when the driver has no request of the queue any more and
// no callback of it is running. IRQL <= DISPATCH_LEVEL.
func (s *Sys) WdfIoQueueStop(h WDFQUEUE, complete Callback, context uint64) {
	s.Enter(svcWdfIoQueueStop, uint64(h), uint64(complete), context)
	q := s.queue(h)
	s.queueFatal(q, s.stop(q, false, stateCallback{complete, context}))
	s.LeaveVoid()
}

// WdfIoQueueStopSynchronously is WdfIoQueueStop that waits. PASSIVE_LEVEL, and
// not from a callback of the queue, for which it would wait.
func (s *Sys) WdfIoQueueStopSynchronously(h WDFQUEUE) {
	s.Enter(svcWdfIoQueueStopSynchronously, uint64(h))
	s.stopAndWait(s.queue(h), "WdfIoQueueStopSynchronously", false)
	s.LeaveVoid()
}

// WdfIoQueueStopAndPurge is WdfIoQueueStop that cancels the requests that are in
// the queue now, and those that the driver has and has marked cancelable. IRQL
// <= DISPATCH_LEVEL.
func (s *Sys) WdfIoQueueStopAndPurge(h WDFQUEUE, complete Callback, context uint64) {
	s.Enter(svcWdfIoQueueStopAndPurge, uint64(h), uint64(complete), context)
	q := s.queue(h)
	s.queueFatal(q, s.stop(q, true, stateCallback{complete, context}))
	s.LeaveVoid()
}

// WdfIoQueueStopAndPurgeSynchronously is WdfIoQueueStopAndPurge that waits.
// PASSIVE_LEVEL.
func (s *Sys) WdfIoQueueStopAndPurgeSynchronously(h WDFQUEUE) {
	s.Enter(svcWdfIoQueueStopAndPurgeSynchronously, uint64(h))
	s.stopAndWait(s.queue(h), "WdfIoQueueStopAndPurgeSynchronously", true)
	s.LeaveVoid()
}

// WdfIoQueuePurge lets a queue refuse requests and cancels those that are in it,
// and those that the driver has and has marked cancelable. complete, if it is
// not 0, is called when none is left and no callback of the queue is running.
// IRQL <= DISPATCH_LEVEL.
func (s *Sys) WdfIoQueuePurge(h WDFQUEUE, complete Callback, context uint64) {
	s.Enter(svcWdfIoQueuePurge, uint64(h), uint64(complete), context)
	q := s.queue(h)
	s.queueFatal(q, s.purge(q, true, true, stateCallback{complete, context}))
	s.LeaveVoid()
}

// WdfIoQueuePurgeSynchronously is WdfIoQueuePurge that waits. PASSIVE_LEVEL, and
// not from a callback of the queue.
func (s *Sys) WdfIoQueuePurgeSynchronously(h WDFQUEUE) {
	s.Enter(svcWdfIoQueuePurgeSynchronously, uint64(h))
	s.purgeAndWait(s.queue(h), "WdfIoQueuePurgeSynchronously", true)
	s.LeaveVoid()
}

// WdfIoQueueDrain lets a queue refuse requests and deliver those that are in it.
// complete: see WdfIoQueuePurge. IRQL <= DISPATCH_LEVEL.
func (s *Sys) WdfIoQueueDrain(h WDFQUEUE, complete Callback, context uint64) {
	s.Enter(svcWdfIoQueueDrain, uint64(h), uint64(complete), context)
	q := s.queue(h)
	s.queueFatal(q, s.purge(q, false, false, stateCallback{complete, context}))
	s.LeaveVoid()
}

// WdfIoQueueDrainSynchronously is WdfIoQueueDrain that waits. PASSIVE_LEVEL, and
// not from a callback of the queue.
func (s *Sys) WdfIoQueueDrainSynchronously(h WDFQUEUE) {
	s.Enter(svcWdfIoQueueDrainSynchronously, uint64(h))
	s.purgeAndWait(s.queue(h), "WdfIoQueueDrainSynchronously", false)
	s.LeaveVoid()
}

func (s *Sys) stopAndWait(q queueID, routine string, cancel bool) {
	if s.levelBreak(routine, "VER-3", PassiveLevel) {
		return
	}
	f := s.f
	f.queues[q].stopReached = false
	s.queueFatal(q, s.stop(q, cancel, stateCallback{Callback(f.thunks.stopReached), uint64(q)}))
	s.EnterRegion()
	s.WaitUntil(fmt.Sprintf("the driver to finish the requests that it has from %s, and for the queue's callbacks to return", f.queueName(q)),
		func() bool { return f.queues[q].stopReached })
	s.LeaveRegion()
}

func (s *Sys) purgeAndWait(q queueID, routine string, cancel bool) {
	if s.levelBreak(routine, "VER-3", PassiveLevel) {
		return
	}
	f := s.f
	f.queues[q].purgeReached = false
	s.queueFatal(q, s.purge(q, cancel, cancel, stateCallback{Callback(f.thunks.purgeReached), uint64(q)}))
	s.EnterRegion()
	s.WaitUntil(fmt.Sprintf("all requests of %s to end, and for the queue's callbacks to return", f.queueName(q)),
		func() bool { return f.queues[q].purgeReached })
	s.LeaveRegion()
}

// queueFatal stops at a status that the framework takes for a fatal error:
// bug check 0x10D/0xA.
func (s *Sys) queueFatal(q queueID, st NTSTATUS) {
	if !st.Failed() {
		return
	}
	f := s.f
	data := f.m.Mem.Alloc(24, kernel.PoolTag("FxQu"), false, s.ActivationID()) // WDF_QUEUE_FATAL_ERROR_DATA
	f.m.Mem.Store(data, 8, uint64(f.queues[q].object.handle()))
	f.m.Mem.Store(data+16, 4, uint64(st))
	s.BugCheck(0x10D, [4]uint64{0xA, data}, "ChangeQueueState", fmt.Sprintf(
		"the state of %s is changed while an earlier change is still under way (%s)", f.queueName(q), trace.StatusName(uint32(st))))
}

// Positions of stop and purge.
const (
	atWaiting uint64 = iota + 1
	atCancelable
	atEnd
)

// stop closes the gate to the driver. With cancel it cancels what is in the
// queue at the call and what the driver has marked cancelable.
func (s *Sys) stop(q queueID, cancel bool, done stateCallback) NTSTATUS {
	f := s.f
	s.Begin(svcStopQueue, uint64(f.queues[q].object.handle()), boolValue(cancel))
	defer s.End()
	s.Step()
	p := &f.queues[q]
	switch {
	case p.gone:
		return StatusDeletePending
	case done.callback != 0 && p.stopped.callback != 0:
		return StatusInvalidDeviceRequest
	case done.callback != 0:
		p.stopped = done
	}
	p.accepts, p.dispatches = p.accepts || !p.shutDown, false
	if cancel {
		p.cancelReturned = true
		for r := p.lists[listWaiting].first; r != 0; r = f.requests[r].queueLink.next {
			f.requests[r].cancelled = f.requests[r].cancelled || f.requests[r].cancelRoutine
		}
		s.cancelWaiting(q, true)
		s.cancelMarked(q)
	}
	s.SetPosition(atEnd)
	s.Step()
	s.dispatch(q, 0)
	return StatusSuccess
}

// purge closes the gate for new requests. It cancels what waits in the queue and
// what the driver has marked cancelable, if asked to.
func (s *Sys) purge(q queueID, waiting, marked bool, done stateCallback) NTSTATUS {
	f := s.f
	s.Begin(svcPurgeQueue, uint64(f.queues[q].object.handle()), boolValue(waiting))
	defer s.End()
	s.Step()
	p := &f.queues[q]
	switch {
	case p.gone:
		return StatusDeletePending
	case done.callback != 0 && p.purged.callback != 0:
		return StatusInvalidDeviceRequest
	case done.callback != 0:
		p.purged = done
	}
	p.accepts = false
	if waiting && marked {
		p.cancelReturned = true
	}
	if waiting {
		s.cancelWaiting(q, false)
	}
	if marked {
		s.cancelMarked(q)
	}
	s.SetPosition(atEnd)
	s.Step()
	s.dispatch(q, 0)
	return StatusSuccess
}

// cancelWaiting cancels the requests that wait in a queue: all, or those at its
// head that are noted as cancelled.
func (s *Sys) cancelWaiting(q queueID, noted bool) {
	f := s.f
	for {
		s.SetPosition(atWaiting)
		s.Step()
		r := f.takeNext(q, listWaiting)
		if r == 0 {
			return
		}
		if row := &f.requests[r]; noted && !row.cancelled && !row.irpCancelled {
			f.insertCancelable(q, listWaiting, r, true)
			return
		}
		s.cancelOnQueue(q, r)
	}
}

// cancelMarked cancels the requests that the driver has marked cancelable.
func (s *Sys) cancelMarked(q queueID) {
	f := s.f
	for {
		s.SetPosition(atCancelable)
		s.Step()
		r := f.takeNext(q, listCancelable)
		if r == 0 {
			return
		}
		f.requests[r].cancelled = true
		s.cancelWithDriver(q, r)
	}
}

// WdfIoQueueReadyNotify registers what is called when a manual queue that was
// empty gets a request. Callback 0 takes it back; the queue is stopped then.
// IRQL <= DISPATCH_LEVEL.
func (s *Sys) WdfIoQueueReadyNotify(h WDFQUEUE, ready Callback, context uint64) NTSTATUS {
	s.Enter(svcWdfIoQueueReadyNotify, uint64(h), uint64(ready), context)
	q := s.queue(h)
	s.Step()
	p := &s.f.queues[q]
	wrong := ""
	switch {
	case p.kind != IoQueueDispatchManual:
		wrong = "it is not a manual queue"
	case p.gone:
		return s.LeaveStatus(StatusDeletePending)
	case ready != 0 && p.ready.callback != 0:
		wrong = "it has a callback already"
	case ready == 0 && p.ready.callback == 0:
		wrong = "it has none to take back"
	case ready == 0 && p.dispatches:
		wrong = "the queue must be stopped before the callback is taken back"
	}
	if wrong != "" {
		s.verifierBreak("WdfIoQueueReadyNotify", "IOQ-1", "WdfIoQueueReadyNotify on %s: %s", s.f.queueName(q), wrong)
		return s.LeaveStatus(StatusInvalidDeviceRequest)
	}
	p.ready = stateCallback{ready, context}
	s.dispatch(q, 0)
	return s.LeaveStatus(StatusSuccess)
}

// WdfIoQueueRetrieveNextRequest takes the next request out of a manual or
// sequential queue. STATUS_NO_MORE_ENTRIES: the queue is empty;
// STATUS_WDF_PAUSED: it is stopped, or the device is not in D0. IRQL <=
// DISPATCH_LEVEL.
func (s *Sys) WdfIoQueueRetrieveNextRequest(h WDFQUEUE) (WDFREQUEST, NTSTATUS) {
	s.Enter(svcWdfIoQueueRetrieveNextRequest, uint64(h))
	q := s.queue(h)
	s.Step()
	f := s.f
	if p := &f.queues[q]; p.kind == IoQueueDispatchSequential && p.driverCount == 0 {
		s.verifierBreak("WdfIoQueueRetrieveNextRequest", "IOQ-1", "a request is retrieved from %s, a sequential queue, while the driver has "+
			"none: the queue may be presenting the same one; retrieve before completing", f.queueName(q))
	}
	if f.queues[q].kind == IoQueueDispatchParallel {
		return 0, s.LeaveStatus(StatusInvalidDeviceState)
	}
	s.queueLock(q)
	r, st := s.retrieve(q)
	if st.Failed() {
		return 0, s.LeaveStatus(st)
	}
	f.give(q, r)
	f.requests[r].presented = true
	s.note(trace.Framework, f.requestName(r), "is retrieved from %s", f.queueName(q))
	return f.requests[r].object.handle(), s.LeaveStatus(StatusSuccess)
}

// retrieve takes a request out of a queue for the driver; transfers of no bytes
// that the driver does not want succeed on the way.
func (s *Sys) retrieve(q queueID) (requestID, NTSTATUS) {
	f := s.f
	if p := &f.queues[q]; p.power == queueOff || !p.dispatches {
		return 0, StatusWdfPaused
	}
	for {
		r := f.takeNext(q, listWaiting)
		p := &f.queues[q]
		if r == 0 {
			p.fillNext = p.fillNext || p.lists[listWaiting].count > 0
			return 0, StatusNoMoreEntries
		}
		if row := &f.requests[r]; !row.typ.transfers() || row.length() > 0 || p.zeroLength {
			return r, StatusSuccess
		}
		s.finish(r, StatusSuccess)
		s.SetPosition(1)
		s.Step()
	}
}
