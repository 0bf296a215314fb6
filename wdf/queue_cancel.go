package wdf

import (
	"fmt"

	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/trace"
)

// A request that can be cancelled has a cancel routine. Whoever takes it away
// has the request, in one step for all processors: the application's cancel, or
// the framework when it presents the request, or the driver with
// WdfRequestUnmarkCancelable (IOQ-10).

var (
	svcIoCancelIrp                = kernel.NewService("IoCancelIrp")
	svcCancelOnQueue              = kernel.NewService("the cancel of a request in a queue")
	svcWdfRequestMarkCancelable   = kernel.NewService("WdfRequestMarkCancelable")
	svcWdfRequestMarkCancelableEx = kernel.NewService("WdfRequestMarkCancelableEx")
	svcWdfRequestUnmarkCancelable = kernel.NewService("WdfRequestUnmarkCancelable")
	svcWdfRequestIsCanceled       = kernel.NewService("WdfRequestIsCanceled")
)

// CancelRequest is what happens when an application cancels a request that it
// has sent (IoCancelIrp). It reports whether the request had a cancel routine;
// without one the request is only marked, and WdfRequestMarkCancelable will find
// that. IRQL <= DISPATCH_LEVEL.
func (s *Sys) CancelRequest(h WDFREQUEST) bool {
	s.Enter(svcIoCancelIrp, uint64(h))
	f, r := s.f, s.f.sentRequest(h)
	s.Step()
	row := &f.requests[r]
	if row.phase != requestSent {
		return s.LeaveBool(false)
	}
	s.cancelIRP(r)
	if row.send != 0 {
		return s.LeaveBool(s.cancelSending(row.send, false))
	}
	if !row.cancelRoutine {
		return s.LeaveBool(false)
	}
	row.cancelRoutine = false
	s.SetPosition(1)
	s.Step() // the cancel routine gets the lock of the queue
	row = &f.requests[r]
	q, list := row.queue, row.queueLink.list
	f.remove(q, list, r)
	if list == listWaiting {
		s.cancelOnQueue(q, r)
	} else {
		row.cancelled = true
		s.cancelWithDriver(q, r)
	}
	return s.LeaveBool(true)
}

// cancelOnQueue ends a request that was taken out of a queue because it is
// cancelled. If the driver had it before, and has an EvtIoCanceledOnQueue, it
// gets the request back to complete it.
func (s *Sys) cancelOnQueue(q queueID, r requestID) {
	f := s.f
	row := &f.requests[r]
	row.marked, row.cancelled = false, true
	s.note(trace.Framework, f.requestName(r), "is cancelled in %s", f.queueName(q))
	s.Begin(svcCancelOnQueue, uint64(f.queues[q].object.handle()), uint64(r))
	if f.queues[q].evtCanceled != 0 && row.presented {
		f.give(q, r)
		f.addLast(q, listCancelledOnQueue, r)
	} else {
		s.finish(r, StatusCancelled)
		s.SetPosition(1)
		s.Step()
	}
	s.visit(q)
	s.End()
}

// cancelWithDriver has EvtRequestCancel called for a request that the driver
// has: by the dispatch loop, now or when its present callback has returned
// (IOQ-8). The request object lives until then.
func (s *Sys) cancelWithDriver(q queueID, r requestID) {
	f := s.f
	f.objects[f.requests[r].object].references++
	f.addLast(q, listCancelled, r)
	s.note(trace.Framework, f.requestName(r), "is cancelled while the driver has it")
	s.visit(q)
}

// tellCancelled calls EvtRequestCancel for the requests that were cancelled
// while the driver had them. While it does so it does not look at anything else.
func (s *Sys) tellCancelled(q queueID) {
	f := s.f
	for f.queues[q].lists[listCancelled].first != 0 {
		r := f.pop(q, listCancelled)
		row := &f.requests[r]
		row.cancelTold = true
		object := row.object
		s.SetPosition(position(atCancel, r))
		if row.cancelCallback != 0 {
			watched := s.watchHazard(r)
			s.serialized(f.queues[q].serial, func() {
				c := f.requests[r].cancelCallback
				f.requests[r].cancelCallback = 0
				s.call("EvtRequestCancel", c, uint64(object.handle()))
			})
			watched()
		}
		s.dereference(object)
		s.SetPosition(atCancelNext)
		s.Step()
	}
}

// tellCancelledOnQueue calls EvtIoCanceledOnQueue.
func (s *Sys) tellCancelledOnQueue(q queueID) {
	f := s.f
	for f.queues[q].lists[listCancelledOnQueue].first != 0 {
		r := f.pop(q, listCancelledOnQueue)
		f.requests[r].cancelTold = true
		s.SetPosition(position(atCanceledOnQueue, r))
		p := &f.queues[q]
		s.callback(p.serial, "EvtIoCanceledOnQueue", p.evtCanceled, uint64(p.object.handle()), uint64(f.requests[r].object.handle()))
		s.SetPosition(atCanceledOnQueueNext)
		s.Step()
	}
}

// watchHazard reports a spin lock that EvtRequestCancel takes although it was
// held when the request was marked cancelable: where EvtRequestCancel is called
// before WdfRequestMarkCancelable returns, that is a deadlock (IOQ-8, CON-18).
// The function that it returns ends the watch.
func (s *Sys) watchHazard(r requestID) func() {
	held := s.f.requests[r].heldAtMark
	if held[0] == 0 {
		return func() {}
	}
	own, found := s.ActivationID(), false
	before := s.WatchLocks(func(lock uint64) {
		if found || s.ActivationID() != own || lock != held[0] && lock != held[1] {
			return
		}
		found = true
		s.Report(kernel.Finding{Rule: "hazard", Clause: "IOQ-8", Text: fmt.Sprintf("EvtRequestCancel takes %s, which was held when %s was "+
			"marked cancelable: if the request is cancelled already and no callback of its queue is running, "+
			"EvtRequestCancel is called there, and the processor spins for ever", s.f.m.NameOf(lock), s.f.requestName(r))})
	})
	return func() { s.WatchLocks(before) }
}

// WdfRequestMarkCancelable lets the request be cancelled: EvtRequestCancel will
// be called, possibly before the routine returns (IOQ-8). IRQL <=
// DISPATCH_LEVEL.
func (s *Sys) WdfRequestMarkCancelable(h WDFREQUEST, cancel Callback) {
	s.Enter(svcWdfRequestMarkCancelable, uint64(h), uint64(cancel))
	r := s.request(h)
	s.requirePointer(cancel != 0, "EvtRequestCancel")
	s.Step()
	s.markCancelable(r, cancel, false)
	s.LeaveVoid()
}

// WdfRequestMarkCancelableEx is WdfRequestMarkCancelable, but for a request that
// is cancelled already: it returns STATUS_CANCELLED, does not call
// EvtRequestCancel, and the driver completes the request. IRQL <=
// DISPATCH_LEVEL.
func (s *Sys) WdfRequestMarkCancelableEx(h WDFREQUEST, cancel Callback) NTSTATUS {
	s.Enter(svcWdfRequestMarkCancelableEx, uint64(h), uint64(cancel))
	r := s.request(h)
	s.requirePointer(cancel != 0, "EvtRequestCancel")
	s.Step()
	return s.LeaveStatus(s.markCancelable(r, cancel, true))
}

func (s *Sys) markCancelable(r requestID, cancel Callback, ex bool) NTSTATUS {
	f := s.f
	if st := s.verifyOwned(r, "marked cancelable"); st.Failed() {
		return st
	}
	if !s.verifyNotMarked(r, "MarkCancOnCancReqLocal", "IOQ-8", "is marked cancelable, but is so already") {
		return StatusInvalidDeviceRequest
	}
	row := &f.requests[r]
	q := row.queue
	if q == 0 {
		s.verifierBreak("WdfRequestMarkCancelable", "IOQ-8", "%s is marked cancelable, but the driver does not have it from a queue", f.requestName(r))
		return StatusInvalidDeviceRequest
	}
	s.queueLock(q)
	row.marked, row.cancelCallback, row.heldAtMark = true, cancel, [2]uint64{}
	if !ex {
		row.heldAtMark = s.heldLocks(q)
	}
	switch {
	case !f.queues[q].cancelReturned && f.insertCancelable(q, listCancelable, r, false):
	case ex:
		row.marked, row.cancelCallback = false, 0
		return StatusCancelled
	default:
		row.cancelled = true
		s.SetPosition(1)
		s.cancelWithDriver(q, r)
	}
	return StatusSuccess
}

// heldLocks returns the spin locks that the caller holds, at most two, apart
// from the callback lock of the queue, which defers the dispatch (IOQ-4).
func (s *Sys) heldLocks(q queueID) (held [2]uint64) {
	var all [3]uint64
	n, k := s.HeldLocks(all[:]), 0
	for _, lock := range all[:n] {
		if k < len(held) && lock != s.f.objects[s.f.queues[q].lock].lock.cell {
			held[k] = lock
			k++
		}
	}
	return held
}

// WdfRequestUnmarkCancelable takes WdfRequestMarkCancelable back.
// STATUS_SUCCESS: the driver has the request and completes it. STATUS_CANCELLED:
// EvtRequestCancel was called or will be (IOQ-9). IRQL <= DISPATCH_LEVEL.
func (s *Sys) WdfRequestUnmarkCancelable(h WDFREQUEST) NTSTATUS {
	s.Enter(svcWdfRequestUnmarkCancelable, uint64(h))
	r := s.request(h)
	s.Step()
	if st := s.verifyOwned(r, "unmarked cancelable"); st.Failed() {
		return s.LeaveStatus(st)
	}
	f := s.f
	row := &f.requests[r]
	s.queueLock(row.queue)
	switch {
	case !row.marked && f.m.Profile().FrameworkVerifier:
		s.verifierBreak("unmark of a request that is not cancelable", "IOQ-9", "%s is unmarked, but is not marked cancelable", f.requestName(r))
		return s.LeaveStatus(StatusInvalidDeviceRequest)
	case !row.cancelRoutine || row.queueLink.list != listCancelable: // CON-8 without the verifier
		row.unmarkFailed = true
		return s.LeaveStatus(StatusCancelled)
	}
	row.cancelRoutine, row.marked, row.cancelCallback = false, false, 0
	f.remove(row.queue, listCancelable, r)
	return s.LeaveStatus(StatusSuccess)
}

// WdfRequestIsCanceled reports whether a request that is not marked cancelable
// was cancelled. IRQL <= DISPATCH_LEVEL.
func (s *Sys) WdfRequestIsCanceled(h WDFREQUEST) bool {
	s.Enter(svcWdfRequestIsCanceled, uint64(h))
	r := s.request(h)
	s.Step()
	if s.verifyOwned(r, "asked whether it is cancelled").Failed() ||
		!s.verifyNotMarked(r, "ReqIsCancOnCancReq", "IOQ-8", "is asked whether it is cancelled while it is marked cancelable") {
		return s.LeaveBool(false)
	}
	row := &s.f.requests[r]
	return s.LeaveBool(row.irpCancelled || row.cancelled)
}
