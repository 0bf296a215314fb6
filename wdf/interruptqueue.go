package wdf

import (
	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/trace"
)

// The service routine of an interrupt, its internal DPC, and its work item.

var (
	svcWdfInterruptQueueDpcForIsr      = kernel.NewService("WdfInterruptQueueDpcForIsr")
	svcWdfInterruptQueueWorkItemForIsr = kernel.NewService("WdfInterruptQueueWorkItemForIsr")
)

// interruptThunk is the service routine that the framework connects (INT-21,
// INT-22): (KINTERRUPT, number of the row, message).
func (s *Sys) interruptThunk(a kernel.Args) uint64 {
	row := &s.f.interrupts[a[1]]
	in := *row
	early := in.latched && !in.message
	switch {
	case early && in.disconnecting, !early && !in.stored:
		s.note(trace.Note, s.f.m.NameOf(uint64(in.object.handle())), "the framework drops an interrupt during connect or disconnect")
		return 0
	case early:
		row.captured = true
	}
	if in.canWake {
		return s.wakeISR(int32(a[1]))
	}
	return s.callISR(&in)
}

// callISR calls EvtInterruptIsr, with the wait lock of a passive-level interrupt.
func (s *Sys) callISR(in *interrupt) uint64 {
	isr := func() uint64 {
		return s.call("EvtInterruptIsr", in.isr, uint64(in.object.handle()), uint64(in.number))
	}
	if in.passive {
		return s.underWaitLock(in.wait, isr)
	}
	return isr()
}

// WdfInterruptQueueDpcForIsr queues the interrupt's EvtInterruptDpc. TRUE: newly
// queued; FALSE: it was queued already and has not been dequeued. A DPC that
// runs is not queued (QD-1 to QD-3). IRQL <= DIRQL.
func (s *Sys) WdfInterruptQueueDpcForIsr(h WDFINTERRUPT) bool {
	s.Enter(svcWdfInterruptQueueDpcForIsr, uint64(h))
	in, _ := s.interrupt(h)
	if in.work != 0 {
		s.Report(kernel.Finding{Rule: "WdfInterruptQueueDpcForIsr with EvtInterruptWorkItem", Clause: "QD-9", Text: "the interrupt has an " +
			"EvtInterruptWorkItem: the call behaves as WdfInterruptQueueWorkItemForIsr"})
	} else if in.dpc == 0 {
		s.Report(kernel.Finding{Rule: "WdfInterruptQueueDpcForIsr without EvtInterruptDpc", Clause: "QD-8", Text: "no EvtInterruptDpc is " +
			"registered: the DPC will call a NULL pointer"})
	}
	return s.LeaveBool(s.InsertDPC(in.kdpc, uint64(in.object.handle()), 0))
}

// interruptDPCThunk is the routine of the internal DPC: it calls
// EvtInterruptDpc(interrupt, device), or enqueues the work item (QD-9, QD-11).
func (s *Sys) interruptDPCThunk(a kernel.Args) uint64 {
	n := int32(a[1])
	in := s.f.interrupts[n]
	if in.work != 0 {
		s.enqueueInterruptWork(n)
		return 0
	}
	s.serialized(in.serial, func() {
		s.call("EvtInterruptDpc", in.dpc, uint64(in.object.handle()), uint64(in.device.handle()))
	})
	return 0
}

// WdfInterruptQueueWorkItemForIsr queues the interrupt's EvtInterruptWorkItem:
// directly at IRQL <= DISPATCH_LEVEL (QW-1), through the internal DPC above
// (QW-2). TRUE does not promise a further callback. IRQL <= DIRQL.
func (s *Sys) WdfInterruptQueueWorkItemForIsr(h WDFINTERRUPT) bool {
	s.Enter(svcWdfInterruptQueueWorkItemForIsr, uint64(h))
	in, n := s.interrupt(h)
	if in.work == 0 {
		s.Report(kernel.Finding{Rule: "WdfInterruptQueueWorkItemForIsr without EvtInterruptWorkItem", Clause: "QW-4",
			Text: "no EvtInterruptWorkItem is registered"})
		if s.IRQL() <= DispatchLevel {
			s.nullInFramework("QW-4", "WdfInterruptQueueWorkItemForIsr uses a work item that does not exist")
		}
	}
	if s.IRQL() > DispatchLevel {
		return s.LeaveBool(s.InsertDPC(in.kdpc, uint64(in.object.handle()), 0))
	}
	s.Step()
	return s.LeaveBool(s.enqueueInterruptWork(n))
}

// enqueueInterruptWork enqueues the work item unless it is enqueued already.
func (s *Sys) enqueueInterruptWork(n int32) bool {
	in := &s.f.interrupts[n]
	switch {
	case in.workQueued:
		return false
	case s.f.objects[in.object].state != live:
		s.verifierBreak("WdfInterruptQueueWorkItemForIsr on a deleted interrupt", "QW-6", "%s is being deleted: its work item is not queued",
			s.f.m.NameOf(uint64(in.object.handle())))
		return false
	}
	in.workQueued = true
	s.f.m.QueueWork(uint64(in.object.handle()), "interrupt work item", s.f.thunks.interruptWork, kernel.Args{uint64(n)})
	return true
}

// interruptWorkThunk is the routine of the work item. The mark is cleared
// before the callback: a request during it is accepted (QW-3).
func (s *Sys) interruptWorkThunk(a kernel.Args) uint64 {
	n := a[0]
	s.f.interrupts[n].workQueued = false
	s.f.interrupts[n].workRunning++
	in := s.f.interrupts[n]
	s.serialized(in.serial, func() {
		s.call("EvtInterruptWorkItem", in.work, uint64(in.object.handle()), uint64(in.device.handle()))
	})
	last := &s.f.interrupts[n]
	if last.workRunning--; last.workRunning == 0 && !last.workQueued {
		s.f.idle(last.object)
	}
	return 0
}

// rundownInterrupt is the disposal of an interrupt (WDFI-33).
func (s *Sys) rundownInterrupt(n int32) {
	if in := &s.f.interrupts[n]; in.connection != 0 {
		s.verifierBreak("interrupt deleted while it is connected", "WDFI-29", "%s was connected in Dx by WdfInterruptEnable, and nothing has "+
			"disconnected it", s.f.m.NameOf(uint64(in.object.handle())))
	}
	s.FlushDPCs()
	s.flushInterruptWork(n)
}

// flushInterruptWork waits until the work item is neither queued nor running
// (WDFI-26). From the work item itself it would wait for ever (WDFI-29).
func (s *Sys) flushInterruptWork(n int32) {
	s.Step()
	in := &s.f.interrupts[n]
	s.awaitIdle(in.object, "the work item of an interrupt", !in.workQueued && in.workRunning == 0)
}
