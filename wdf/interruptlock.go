package wdf

import (
	"slices"

	"github.com/dirql/dirql/internal/kernel"
)

// The lock of an interrupt. At DIRQL it is the kernel's interrupt spin lock. A
// passive-level interrupt has two (PLI-3): the kernel's passive lock, and inside it
// a wait lock of the driver's or the framework's own. WdfInterruptAcquireLock takes
// the inner one only; all callbacks of the interrupt run under both.

var (
	svcWdfInterruptSynchronize      = kernel.NewLenientService("WdfInterruptSynchronize")
	svcWdfInterruptAcquireLock      = kernel.NewService("WdfInterruptAcquireLock")
	svcWdfInterruptReleaseLock      = kernel.NewService("WdfInterruptReleaseLock")
	svcWdfInterruptTryToAcquireLock = kernel.NewLenientService("WdfInterruptTryToAcquireLock")
)

// WdfInterruptAcquireLock raises to SynchronizeIrql and takes the interrupt spin
// lock. IRQL <= SynchronizeIrql (ILK-1, ILK-2). While the interrupt is not
// connected it does nothing: verifier break (ILK-3). Of a passive-level interrupt
// it takes the wait lock: PASSIVE_LEVEL (PLI-5).
func (s *Sys) WdfInterruptAcquireLock(h WDFINTERRUPT) {
	s.Enter(svcWdfInterruptAcquireLock, uint64(h))
	defer s.LeaveVoid()
	in, n := s.interrupt(h)
	object := in.object
	switch {
	case in.passive:
		if !s.levelBreak("WdfInterruptAcquireLock on a passive-level interrupt", "PLI-5", PassiveLevel) {
			s.adviseThread(in)
			s.takeWaitLock(in.wait, kernel.Forever, "PLI-7", "PLI-8")
			s.tookLock(lockInterrupt, object)
		}
	case !in.pointer():
		in.oldIRQL = s.IRQL()
		s.verifierBreak("WdfInterruptAcquireLock while not connected", "ILK-3", "%s is not connected: the lock is not taken and the IRQL stays",
			s.f.m.NameOf(uint64(h)))
	default:
		old := s.AcquireInterruptLock(in.connection)
		s.f.interrupts[n].oldIRQL = old
		s.tookLock(lockInterrupt, object)
	}
}

// WdfInterruptReleaseLock releases the interrupt spin lock and restores the IRQL,
// or releases the wait lock of a passive-level interrupt.
func (s *Sys) WdfInterruptReleaseLock(h WDFINTERRUPT) {
	s.Enter(svcWdfInterruptReleaseLock, uint64(h))
	defer s.LeaveVoid()
	in, _ := s.interrupt(h)
	switch {
	case in.passive:
		if !s.levelBreak("WdfInterruptReleaseLock on a passive-level interrupt", "PLI-5", PassiveLevel) {
			s.gaveLock(lockInterrupt, in.object)
			s.giveWaitLock(in.wait, "WdfInterruptLock", "PLI-7")
		}
	case !in.pointer():
		s.verifierBreak("WdfInterruptReleaseLock while not connected", "ILK-3", "%s is not connected: nothing happens", s.f.m.NameOf(uint64(h)))
	case !s.holdsLock(lockInterrupt, in.object):
		s.Stop(kernel.Finding{Code: 0x10, Params: [4]uint64{s.f.m.InterruptSpinLock(in.connection)}, Rule: "WdfInterruptLock", Clause: "ILK-3",
			Text: "the lock of " + s.f.m.NameOf(uint64(h)) + " is released, but was not acquired"})
	default:
		s.gaveLock(lockInterrupt, in.object)
		s.ReleaseInterruptLock(in.connection, in.oldIRQL)
	}
}

// WdfInterruptTryToAcquireLock takes the wait lock of a passive-level interrupt if
// it is free, and disables normal kernel APCs; it never blocks. FALSE for an
// interrupt that is handled at DIRQL (PLI-6). PASSIVE_LEVEL.
func (s *Sys) WdfInterruptTryToAcquireLock(h WDFINTERRUPT) bool {
	s.Enter(svcWdfInterruptTryToAcquireLock, uint64(h))
	in, _ := s.interrupt(h)
	switch {
	case !in.passive:
		s.verifierBreak("WdfInterruptTryToAcquireLock at DIRQL", "PLI-6", "%s is handled at DIRQL: the lock is not taken", s.f.m.NameOf(uint64(h)))
		return s.LeaveBool(false)
	case s.levelBreak("WdfInterruptTryToAcquireLock", "PLI-6", PassiveLevel):
		return s.LeaveBool(false)
	}
	object, taken := in.object, s.takeWaitLock(in.wait, kernel.NoWait, "PLI-6", "PLI-6") != StatusTimeout
	if taken {
		s.tookLock(lockInterrupt, object)
	}
	return s.LeaveBool(taken)
}

// WdfInterruptSynchronize runs an EvtInterruptSynchronize callback at
// SynchronizeIrql with the interrupt lock held, and returns what it returns.
// IRQL <= DISPATCH_LEVEL (ILK-6); PASSIVE_LEVEL for a passive-level interrupt
// (PLI-5).
func (s *Sys) WdfInterruptSynchronize(h WDFINTERRUPT, callback Callback, context uint64) bool {
	s.Enter(svcWdfInterruptSynchronize, uint64(h), uint64(callback), context)
	in, n := s.interrupt(h)
	if in.passive && s.levelBreak("WdfInterruptSynchronize on a passive-level interrupt", "PLI-5", PassiveLevel) {
		return s.LeaveBool(false)
	}
	s.requirePointer(callback != 0, "Callback")
	s.adviseThread(in)
	s.levelReport("WdfInterruptSynchronize", "ILK-6", DispatchLevel)
	if !in.pointer() {
		s.nullInFramework("ILK-6", "WdfInterruptSynchronize while the interrupt is not connected: KeSynchronizeExecution gets a NULL pointer")
	}
	return s.LeaveBool(s.synchronize(n, "EvtInterruptSynchronize", callback, context)&0xFF != 0)
}

// requestHandlers are the callbacks that run in the thread of whoever sends a request.
var requestHandlers = []string{"EvtIoDefault", "EvtIoRead", "EvtIoWrite", "EvtIoDeviceControl", "EvtIoInternalDeviceControl"}

// adviseThread advises against a wait for the lock of a passive-level interrupt in an
// arbitrary thread, which may be that of the ISR (PLI-9).
func (s *Sys) adviseThread(in *interrupt) {
	if in.passive && slices.ContainsFunc(requestHandlers, s.Inside) {
		s.advise("passive-level interrupt lock in a request handler", "PLI-9", "%s in a request handler: that can run in the thread of the ISR, which "+
			"holds the lock; use WdfInterruptTryToAcquireLock, or hand the work to a work item", s.Service())
	}
}

// nullInFramework is the bug check for a NULL pointer that the framework follows
// without looking.
func (s *Sys) nullInFramework(clause, text string) {
	code := uint32(0x7E)
	if s.IRQL() >= DispatchLevel {
		code = 0xD1
	}
	s.BugCheck(code, [4]uint64{0, uint64(s.IRQL())}, clause, text)
}

// synchronize calls a callback of an interrupt with its lock held, or its locks
// (PLI-3). The first argument of the callback is the interrupt.
func (s *Sys) synchronize(n int32, role string, c Callback, second uint64) uint64 {
	in := s.f.interrupts[n]
	args := kernel.Args{uint64(in.object.handle()), second}
	if !in.passive {
		r := s.Synchronize(in.connection, role, uint64(c), args)
		s.checkLocksReleased(role, c)
		return r
	}
	return s.SynchronizePassive(in.connection, role, uint64(c), func() uint64 {
		return s.underWaitLock(in.wait, func() uint64 { return s.invoke(role, c, args) })
	})
}

// underWaitLock calls f with the wait lock of a passive-level interrupt held.
func (s *Sys) underWaitLock(wait int32, f func() uint64) uint64 {
	s.takeWaitLock(wait, kernel.Forever, "PLI-7", "PLI-8")
	r := f()
	s.SetPosition(r)
	s.giveWaitLock(wait, "WdfInterruptLock", "PLI-7")
	return r
}
