package wdf

import (
	"github.com/dirql/dirql/internal/kernel"
)

// spinLock is a WDFSPINLOCK.
type spinLock struct {
	cell      uint64 // KSPIN_LOCK
	oldIRQL   uint8
	owner     int32 // thread + 1
	interrupt bool  // given to an interrupt: acquire and release do nothing (OBJ-16)
}

var (
	svcWdfSpinLockCreate  = kernel.NewService("WdfSpinLockCreate")
	svcWdfSpinLockAcquire = kernel.NewService("WdfSpinLockAcquire")
	svcWdfSpinLockRelease = kernel.NewService("WdfSpinLockRelease")
)

// WdfSpinLockCreate makes a spin lock. Without a parent it belongs to the
// driver. IRQL <= DISPATCH_LEVEL.
func (s *Sys) WdfSpinLockCreate(a *ObjectAttributes) (WDFSPINLOCK, NTSTATUS) {
	s.Enter(svcWdfSpinLockCreate)
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
	cell := f.m.Mem.Alloc(8, kernel.PoolTag("FxSp"), false, s.ActivationID())
	f.spinLocks = append(f.spinLocks, spinLock{cell: cell})
	i := s.create(TypeSpinLock, parent, len(f.spinLocks)-1, a, "")
	f.m.NameLock(cell, f.m.NameOf(uint64(i.handle())))
	return i.handle(), s.LeaveStatus(StatusSuccess)
}

// WdfSpinLockAcquire takes the lock and raises to DISPATCH_LEVEL. IRQL <=
// DISPATCH_LEVEL (OBJ-15). On the spin lock of an interrupt it does nothing
// (OBJ-16).
func (s *Sys) WdfSpinLockAcquire(h WDFSPINLOCK) {
	s.Enter(svcWdfSpinLockAcquire, uint64(h))
	i := s.lookup(h, TypeSpinLock)
	n := s.f.objects[i].index
	if s.refuseInterruptLock(h, n, "WdfSpinLockAcquire") {
		s.LeaveVoid()
		return
	}
	old := s.AcquireSpinLock(s.f.spinLocks[n].cell)
	l := &s.f.spinLocks[n]
	l.oldIRQL, l.owner = old, s.self()
	s.tookLock(lockSpin, i)
	s.LeaveVoid()
}

// WdfSpinLockRelease releases the lock and restores the IRQL. By a thread that
// does not own it: 0x10D/0xB with the verifier on (OBJ-15).
func (s *Sys) WdfSpinLockRelease(h WDFSPINLOCK) {
	s.Enter(svcWdfSpinLockRelease, uint64(h))
	i := s.lookup(h, TypeSpinLock)
	n := s.f.objects[i].index
	if s.f.spinLocks[n].interrupt {
		s.ExcuseLevel() // the acquire did not raise it
	}
	if s.refuseInterruptLock(h, n, "WdfSpinLockRelease") {
		s.LeaveVoid()
		return
	}
	l := &s.f.spinLocks[n]
	if l.owner != s.self() && s.f.m.Profile().FrameworkVerifier {
		s.Stop(kernel.Finding{Code: 0x10D, Params: [4]uint64{0xB, uint64(h), 1}, Rule: "WdfSpinlock", Clause: "OBJ-15",
			Text: s.f.m.NameOf(uint64(h)) + " is released by a thread that does not own it"})
	}
	l.owner = 0
	s.gaveLock(lockSpin, i)
	l = &s.f.spinLocks[n]
	s.ReleaseSpinLock(l.cell, l.oldIRQL)
	s.LeaveVoid()
}

func (s *Sys) refuseInterruptLock(h Handle, n int32, routine string) bool {
	if !s.f.spinLocks[n].interrupt {
		return false
	}
	s.verifierBreak("spin lock of an interrupt", "OBJ-16", "%s on %s, which is the lock of an interrupt: it neither locks nor raises the IRQL; "+
		"use WdfInterruptAcquireLock", routine, s.f.m.NameOf(uint64(h)))
	return true
}

// parentOr returns the parent that attributes name, or another object.
func (s *Sys) parentOr(a *ObjectAttributes, other id) id {
	if a == nil || a.ParentObject == 0 {
		return other
	}
	return s.lookup(a.ParentObject, TypeObject)
}
