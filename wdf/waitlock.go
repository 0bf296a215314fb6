package wdf

import (
	"github.com/dirql/dirql/internal/kernel"
)

// waitLock is a WDFWAITLOCK.
type waitLock struct {
	event uint64 // KEVENT, signalled while the lock is free
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
	s.adviseParent("ParentObjectCheckLock", a)
	s.Step()
	if st := checkAttributes(a, false); st.Failed() {
		return 0, s.LeaveStatus(st)
	}
	if st := f.checkParent(parent); st.Failed() {
		return 0, s.LeaveStatus(st)
	}
	n := s.newWaitLock()
	i := s.create(TypeWaitLock, parent, int(n), a, "")
	f.m.SetName(f.waitLocks[n].event, f.m.NameOf(uint64(i.handle())))
	return i.handle(), s.LeaveStatus(StatusSuccess)
}

// newWaitLock makes a free lock and returns the number of its row.
func (s *Sys) newWaitLock() int32 {
	f := s.f
	event := f.m.Mem.Alloc(kernel.EventSize, kernel.PoolTag("FxWl"), false, s.ActivationID())
	s.InitializeEvent(event, kernel.SynchronizationEvent, true)
	f.waitLocks = append(f.waitLocks, waitLock{event: event})
	return int32(len(f.waitLocks) - 1)
}

// takeWaitLock waits for a lock inside a critical region. STATUS_TIMEOUT: it was
// not taken. self and circle are what deadlocks break.
func (s *Sys) takeWaitLock(n int32, o kernel.Timeout, self, circle string) NTSTATUS {
	s.EnterRegion()
	st := s.TakeEvent(s.f.waitLocks[n].event, o, self, circle)
	if st == StatusTimeout {
		s.LeaveRegion()
	}
	return st
}

// giveWaitLock releases a lock and leaves the critical region. A thread that does
// not hold it breaks a rule.
func (s *Sys) giveWaitLock(n int32, rule, clause string) {
	event := s.f.waitLocks[n].event
	if !s.OwnsEvent(event) {
		s.Report(kernel.Finding{Rule: rule, Clause: clause,
			Text: s.f.m.NameOf(event) + " is not held by this thread; a release build signals it all the same"})
	}
	s.GiveEvent(event)
	s.LeaveRegion()
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
	st := s.takeWaitLock(n, o, "OBJ-17", "OBJ-17")
	if st != StatusTimeout {
		s.tookLock(lockWait, s.lookup(h, TypeWaitLock))
	}
	return s.LeaveStatus(st)
}

// WdfWaitLockRelease releases the lock and leaves the critical region. The
// caller is the thread that took it. IRQL <= DISPATCH_LEVEL.
func (s *Sys) WdfWaitLockRelease(h WDFWAITLOCK) {
	s.Enter(svcWdfWaitLockRelease, uint64(h))
	i := s.lookup(h, TypeWaitLock)
	s.gaveLock(lockWait, i)
	s.giveWaitLock(s.f.objects[i].index, "WdfWaitlock", "OBJ-17")
	s.LeaveVoid()
}
