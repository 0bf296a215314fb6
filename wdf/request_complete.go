package wdf

import (
	"fmt"

	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/trace"
)

var (
	svcWdfRequestComplete                = kernel.NewService("WdfRequestComplete")
	svcWdfRequestCompleteWithInformation = kernel.NewService("WdfRequestCompleteWithInformation")
	svcFinishRequest                     = kernel.NewService("the end of a request")
)

// WdfRequestComplete ends a request. The handle is stale when it returns. It may
// present the next request of the queue in this call, or call EvtRequestCancel
// of another one (IOQ-3). IRQL <= DISPATCH_LEVEL.
func (s *Sys) WdfRequestComplete(h WDFREQUEST, status NTSTATUS) {
	s.Enter(svcWdfRequestComplete, uint64(h), uint64(status))
	s.completeByDriver(h, status, nil)
	s.LeaveVoid()
}

// WdfRequestCompleteWithInformation is WdfRequestSetInformation and
// WdfRequestComplete. IRQL <= DISPATCH_LEVEL.
func (s *Sys) WdfRequestCompleteWithInformation(h WDFREQUEST, status NTSTATUS, information uint64) {
	s.Enter(svcWdfRequestCompleteWithInformation, uint64(h), uint64(status), information)
	s.completeByDriver(h, status, &information)
	s.LeaveVoid()
}

// completeByDriver checks a completion and carries it out. The request counts as
// completed from the step in which the first completion begins; a second one, on
// any processor, is a double completion (IOQ-6).
func (s *Sys) completeByDriver(h WDFREQUEST, status NTSTATUS, information *uint64) {
	f := s.f
	again := "is completed a second time"
	if r := f.formerRequest(h); r != 0 && f.object(h) == 0 {
		s.requestGone(h, "DoubleCompletion", "IOQ-6", again)
	}
	r := requestID(s.row(h, TypeRequest))
	s.Step()
	row := &f.requests[r]
	if row.completed {
		if row.phase != requestDone {
			again = "is being completed elsewhere, and is completed a second time"
		}
		s.requestGone(h, "DoubleCompletion", "IOQ-6", again)
	}
	if s.verifyOwned(r, "completed").Failed() {
		return
	}
	if information != nil {
		row.information = *information
	}
	s.verifyCompletion(r, status)
	s.finish(r, status)
}

// verifyCompletion does what the framework's verifier checks when a driver
// completes a request (IOQ-7, IOQ-10).
func (s *Sys) verifyCompletion(r requestID, status NTSTATUS) {
	f := s.f
	row := &f.requests[r]
	if s.Inside("EvtDeviceSurpriseRemoval") {
		s.Report(kernel.Finding{Rule: "EvtSurpriseRemoveNoRequestComplete", Clause: "PWR-7", Text: f.requestName(r) +
			" is completed in EvtDeviceSurpriseRemoval, which is not synchronized with the queues: complete it in EvtIoStop"})
	}
	switch {
	case !row.marked || row.cancelTold:
	case row.unmarkFailed:
		s.completionBreak(r, "CompleteCanceledReq", "IOQ-9", f.requestName(r)+" is completed although WdfRequestUnmarkCancelable has returned "+
			"STATUS_CANCELLED: EvtRequestCancel will be called and completes it")
	default:
		s.completionBreak(r, "ReqNotCanceledLocal", "IOQ-10", f.requestName(r)+" is completed while it is marked cancelable: EvtRequestCancel may "+
			"complete it, too; call WdfRequestUnmarkCancelable before")
	}
	limit, checked := row.outputLength, true
	switch row.typ {
	case RequestTypeWrite:
		limit = row.inputLength
	case RequestTypeDeviceControl:
		checked = limit > 0
	case RequestTypeDeviceControlInternal, RequestTypeCreate:
		checked = false
	}
	if !checked || status.Failed() || row.information <= limit || !f.m.Profile().FrameworkVerifier {
		return
	}
	// WDF_REQUEST_FATAL_ERROR_INFORMATION_LENGTH_MISMATCH_DATA
	data := f.m.Mem.Alloc(40, kernel.PoolTag("FxRq"), false, s.ActivationID())
	f.m.Mem.Store(data, 8, uint64(row.object.handle()))
	f.m.Mem.Store(data+8, 8, s.f.irp(r))
	f.m.Mem.Store(data+16, 4, limit)
	f.m.Mem.Store(data+24, 8, row.information)
	f.m.Mem.Store(data+32, 1, uint64(row.typ))
	s.BugCheck(0x10D, [4]uint64{6, 4, data}, "IOQ-7", fmt.Sprintf("%s is completed with %d bytes of information, but its buffer has %d",
		f.requestName(r), row.information, limit))
}

// finish is the end of a request: the callbacks of its attributes, the end of
// the IRP, a visit to the dispatch loop of the queue from which the driver had
// it, and then the end of the object. The caller is in the step in which it
// begins.
func (s *Sys) finish(r requestID, status NTSTATUS) {
	f := s.f
	s.Begin(svcFinishRequest, uint64(f.requests[r].object.handle()), uint64(status))
	row := &f.requests[r]
	i, q := row.object, row.queue
	if row.send != 0 {
		s.BugCheck(0x44, [4]uint64{s.f.irp(r)}, "IOQ-6", f.requestName(r)+" is completed while the driver below has it, which completes it, too")
	}
	s.Released(uint64(i.handle()))
	row.completed, row.owned = true, false
	if !row.presented {
		f.objects[i].cleanup, f.objects[i].destroy = 0, 0
	}
	s.disposeEarly(r)
	s.completeIRP(r, status)
	if f.requests[r].fromQueue {
		s.SetPosition(atEnd)
		s.Step()
		if f.requests[r].queueLink.list == listCancelledOnQueue {
			f.remove(q, listCancelledOnQueue, r)
		}
		s.queueLock(q)
		f.takeBack(q, r)
		s.visit(q)
	}
	f.unlink(i)
	s.dereference(i)
	s.queueChanged(q)
	s.End()
}

// disposeEarly calls the cleanup callbacks of a request and deletes its
// children. Memory objects of its buffers that somebody refers to are bug check
// 0x10D/3.
func (s *Sys) disposeEarly(r requestID) {
	f := s.f
	i := f.requests[r].object
	calls := f.objects[i].firstChild != 0 || f.objects[i].cleanup != 0
	for n := f.objects[i].contexts; n != 0; n = f.contexts[n].next {
		calls = calls || f.contexts[n].cleanup != 0
	}
	s.dispose(i)
	for c := f.objects[i].firstChild; c != 0; c = f.objects[i].firstChild {
		if n := f.objects[c].references; n > 1 && f.objects[c].typ == TypeMemory && f.memories[f.objects[c].index].request == r {
			s.BugCheck(0x10D, [4]uint64{3, uint64(i.handle()), uint64(n - 1)}, "MemAfterReqCompleted", fmt.Sprintf(
				"%s is completed while %d references to its %s are left", f.requestName(r), n-1, f.m.NameOf(uint64(c.handle()))))
		}
		f.unlink(c)
		s.release(c)
	}
	if n := f.requests[r].transactions; n > 0 {
		s.BugCheck(0x10D, [4]uint64{3, uint64(i.handle()), uint64(n)}, "IOQ-10", fmt.Sprintf(
			"%s is completed while %d DMA transactions transfer its data", f.requestName(r), n))
	}
	if calls {
		s.SetPosition(atWaiting)
		s.Step()
	}
}

// completeIRP is IoCompleteRequest: the sender gets status, information and
// output; the buffer is gone.
func (s *Sys) completeIRP(r requestID, status NTSTATUS) {
	f := s.f
	s.checkIRP(r, status)
	row := &f.requests[r]
	if row.cancelRoutine {
		row.cancelRoutine = false
		f.remove(row.queue, row.queueLink.list, r)
	}
	row.status, row.phase = wdmStatus(status), requestDone
	f.files[row.file].requests--
	s.freeBuffers(r)
	s.note(trace.Framework, f.requestName(r), "ends with %s, %d bytes", trace.StatusName(uint32(row.status)), row.information)
}

// checkIRP does what Driver Verifier checks when an IRP is completed.
func (s *Sys) checkIRP(r requestID, status NTSTATUS) {
	if !s.f.m.Profile().DriverVerifier {
		return
	}
	name := s.f.requestName(r)
	switch irql := s.IRQL(); {
	case irql > DispatchLevel:
		s.BugCheck(0xC9, [4]uint64{0x0E, uint64(irql), s.f.irp(r)}, "IOQ-6", name+" is completed at "+trace.LevelName(irql)+
			", above DISPATCH_LEVEL")
	case status == StatusPending:
		s.BugCheck(0xC9, [4]uint64{0x06, uint64(status), s.f.irp(r)}, "IOQ-6", name+" is completed with STATUS_PENDING")
	case s.f.requests[r].cancelRoutine:
		s.BugCheck(0xC9, [4]uint64{0x07, s.f.thunks.cancelRoutine, s.f.irp(r)}, "IOQ-10", name+
			" is completed while it is marked cancelable: its cancel routine is still set")
	}
}

// wdmStatus returns the status that the sender gets: those of the framework are
// replaced.
func wdmStatus(s NTSTATUS) NTSTATUS {
	switch {
	case s&0x0FFF0000 != 0x00200000:
		return s
	case s == StatusWdfPaused, s == StatusWdfBusy:
		return StatusDeviceBusy
	case s == 0xC0200201: // STATUS_WDF_INTERNAL_ERROR
		return StatusInternalError
	case s == 0xC0200214: // STATUS_WDF_NOT_ENOUGH_MAP_REGISTERS
		return StatusInsufficientResources
	}
	return StatusInvalidDeviceRequest
}
