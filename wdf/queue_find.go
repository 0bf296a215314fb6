package wdf

import (
	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/trace"
)

var (
	svcWdfIoQueueFindRequest          = kernel.NewService("WdfIoQueueFindRequest")
	svcWdfIoQueueRetrieveFoundRequest = kernel.NewService("WdfIoQueueRetrieveFoundRequest")
)

// WdfIoQueueFindRequest returns the first request in a manual queue, or the first
// one behind tag, with a reference that the caller drops (WdfObjectDereference).
// It stays in the queue. Cancelled requests are passed over. STATUS_NOT_FOUND: tag
// is not there any more, begin again; STATUS_NO_MORE_ENTRIES: none is left. A
// queue of another kind: verifier break and STATUS_INVALID_DEVICE_REQUEST. IRQL <=
// DISPATCH_LEVEL (fxioqueueapi.cpp, fxirpqueue.cpp).
func (s *Sys) WdfIoQueueFindRequest(h WDFQUEUE, tag WDFREQUEST) (WDFREQUEST, NTSTATUS) {
	s.Enter(svcWdfIoQueueFindRequest, uint64(h), uint64(tag))
	q := s.queue(h)
	if tag != 0 {
		s.row(tag, TypeRequest)
	}
	s.Step()
	f := s.f
	if f.queues[q].kind != IoQueueDispatchManual {
		s.verifierBreak("WdfIoQueueFindRequest", "IOQ-1", "a request is looked for in %s, which is not a manual queue", f.queueName(q))
		return 0, s.LeaveStatus(StatusInvalidDeviceRequest)
	}
	var after requestID
	if tag != 0 {
		after = requestID(s.row(tag, TypeRequest))
	}
	found := after == 0
	for r := f.queues[q].lists[listWaiting].first; r != 0; r = f.link(r, listWaiting).next {
		switch {
		case f.requests[r].irpCancelled:
		case found:
			f.objects[f.requests[r].object].references++
			return f.requests[r].object.handle(), s.LeaveStatus(StatusSuccess)
		default:
			found = r == after
		}
	}
	if !found {
		return 0, s.LeaveStatus(StatusNotFound)
	}
	if p := &f.queues[q]; tag == 0 && p.lists[listWaiting].count > 0 {
		p.fillNext = true
	}
	return 0, s.LeaveStatus(StatusNoMoreEntries)
}

// WdfIoQueueRetrieveFoundRequest takes a request that WdfIoQueueFindRequest has
// returned out of the queue. STATUS_NOT_FOUND: it is not there any more;
// STATUS_WDF_PAUSED: the queue is stopped, or the device is not in D0. The
// reference of WdfIoQueueFindRequest stays. IRQL <= DISPATCH_LEVEL
// (fxioqueue.cpp, GetRequest).
func (s *Sys) WdfIoQueueRetrieveFoundRequest(h WDFQUEUE, tag WDFREQUEST) (WDFREQUEST, NTSTATUS) {
	s.Enter(svcWdfIoQueueRetrieveFoundRequest, uint64(h), uint64(tag))
	q := s.queue(h)
	s.row(tag, TypeRequest)
	s.Step()
	f := s.f
	switch p := &f.queues[q]; {
	case p.kind == IoQueueDispatchParallel:
		return 0, s.LeaveStatus(StatusInvalidDeviceState)
	case p.power == queueOff || !p.dispatches:
		return 0, s.LeaveStatus(StatusWdfPaused)
	}
	r := requestID(s.row(tag, TypeRequest))
	row := &f.requests[r]
	if row.queue != q || row.queueLink.list != listWaiting || !row.cancelRoutine {
		return 0, s.LeaveStatus(StatusNotFound)
	}
	row.cancelRoutine = false
	f.remove(q, listWaiting, r)
	if row.typ.transfers() && row.length() == 0 && !f.queues[q].zeroLength {
		s.finish(r, StatusSuccess)
		return 0, s.LeaveStatus(StatusNotFound)
	}
	f.give(q, r)
	f.requests[r].presented = true
	s.note(trace.Framework, f.requestName(r), "is retrieved from %s", f.queueName(q))
	return tag, s.LeaveStatus(StatusSuccess)
}
