package wdf

import (
	"github.com/dirql/dirql/internal/kernel"
)

// waitLock is a WDFWAITLOCK.
type waitLock struct {
	event uint64 // KEVENT, signalled while the lock is free
	owner int32  // thread + 1
}

var (
	svcWdfWaitLockCreate  = kernel.NewService("WdfWaitLockCreate")
	svcWdfWaitLockAcquire = kernel.NewLenientService("WdfWaitLockAcquire")
	svcWdfWaitLockRelease = kernel.NewService("WdfWaitLockRelease")
)

// WdfWaitLockCreate makes a wait lock. Without a parent it belongs to the
// driver. IRQL <= DISPATCH_LEVEL.
func (s *Sys) WdfWaitLockCreate(a *ObjectAttributes) (WDFWAITLOCK, NTSTATUS) {
	s.Enter(svcWdfWaitLockCreate)
	f := s.f
	parent := s.parentOr(a, f.theDriver())
	s.Step()
	if st := checkAttributes(a, false); st.Failed() {
		return 0, s.LeaveStatus(st)
	}
	if st := f.checkParent(parent); st.Failed() {
		return 0, s.LeaveStatus(st)
	}
	event := f.m.Mem.Alloc(kernel.EventSize, kernel.PoolTag("FxWl"), false, s.ActivationID())
	s.InitializeEvent(event, kernel.SynchronizationEvent, true)
	f.waitLocks = append(f.waitLocks, waitLock{event: event})
	i := s.create(TypeWaitLock, parent, len(f.waitLocks)-1, a, "")
	f.m.SetName(event, f.m.NameOf(uint64(i.handle())))
	return i.handle(), s.LeaveStatus(StatusSuccess)
}

// WdfWaitLockAcquire takes the lock and enters a critical region.
// STATUS_TIMEOUT, which is a success code, means that the lock was not taken.
// timeout is in units of 100 ns, negative for a time from now; nil is for ever,
// zero does not wait. PASSIVE_LEVEL; with a timeout of zero <= DISPATCH_LEVEL
// (OBJ-17).
func (s *Sys) WdfWaitLockAcquire(h WDFWAITLOCK, timeout *int64) NTSTATUS {
	var o kernel.Timeout
	if timeout != nil {
		o = kernel.Timeout{Limited: true, Ticks: *timeout}
	}
	s.Enter(svcWdfWaitLockAcquire, uint64(h))
	n := s.row(h, TypeWaitLock)
	if o == kernel.NoWait {
		s.levelReport("WdfWaitLockAcquire without waiting", "OBJ-17", DispatchLevel)
	} else if s.levelBreak("WdfWaitLockAcquire", "OBJ-17", PassiveLevel) {
		return s.LeaveStatus(StatusInvalidDeviceRequest)
	}
	if l := s.f.waitLocks[n]; l.owner == s.self() && !o.Limited && s.IRQL() < DispatchLevel {
		s.Stop(kernel.Finding{Rule: "self-deadlock", Clause: "OBJ-17", Text: s.f.m.NameOf(uint64(h)) +
			" is acquired by the thread that holds it: it waits for itself for ever; Windows hangs here"})
	}
	s.EnterRegion()
	st := s.WaitFor(s.f.waitLocks[n].event, o)
	if st == StatusTimeout {
		s.LeaveRegion()
	} else {
		s.f.waitLocks[n].owner = s.self()
	}
	return s.LeaveStatus(st)
}

// WdfWaitLockRelease releases the lock and leaves the critical region. The
// caller is the thread that took it. IRQL <= DISPATCH_LEVEL.
func (s *Sys) WdfWaitLockRelease(h WDFWAITLOCK) {
	s.Enter(svcWdfWaitLockRelease, uint64(h))
	l := &s.f.waitLocks[s.row(h, TypeWaitLock)]
	if l.owner != s.self() {
		s.Report(kernel.Finding{Rule: "WdfWaitLockRelease by a thread that does not hold the lock", Clause: "OBJ-17",
			Text: s.f.m.NameOf(uint64(h)) + " is not held by this thread; a release build signals it all the same"})
	}
	l.owner = 0
	s.SetEvent(l.event)
	s.LeaveRegion()
	s.LeaveVoid()
}
