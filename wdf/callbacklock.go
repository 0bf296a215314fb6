package wdf

import (
	"fmt"

	"github.com/dirql/dirql/internal/kernel"
)

// callbackLock is the lock of a device or a queue that automatic
// serialization holds around callbacks (SER-1, SER-4).
type callbackLock struct {
	cell    uint64 // KSPIN_LOCK, or KEVENT of a passive lock; 0: no lock
	passive bool
	owner   int32 // thread + 1 that holds it
	oldIRQL uint8
}

// resolveScope returns the scope and level in force for an object, following
// inheritance to the driver; a driver that says nothing has no scope and
// dispatch level.
func (f *Framework) resolveScope(i id) (scope SynchronizationScope, passive bool) {
	scope, level := SynchronizationScopeInherit, ExecutionLevelInherit
	for ; i != 0; i = f.objects[i].parent {
		if scope == SynchronizationScopeInherit {
			scope = f.objects[i].scope
		}
		if level == ExecutionLevelInherit {
			level = f.objects[i].level
		}
	}
	if scope == SynchronizationScopeInherit {
		scope = SynchronizationScopeNone
	}
	return scope, level == ExecutionLevelPassive
}

// makeCallbackLock gives a device or queue its lock.
func (s *Sys) makeCallbackLock(i id) {
	f := s.f
	_, passive := f.resolveScope(i)
	l := callbackLock{passive: passive}
	name := f.m.NameOf(uint64(i.handle())) + " callback lock"
	if passive {
		l.cell = f.m.Mem.Alloc(kernel.EventSize, kernel.PoolTag("FxCb"), false, s.ActivationID())
		s.InitializeEvent(l.cell, kernel.SynchronizationEvent, true)
		f.m.SetName(l.cell, name)
	} else {
		l.cell = f.m.Mem.Alloc(8, kernel.PoolTag("FxCb"), false, s.ActivationID())
		f.m.NameLock(l.cell, name)
	}
	f.objects[i].lock = l
}

// serializer returns the object whose callback lock automatic serialization
// holds for callbacks of an object with this parent; 0 if there is none
// (SER-2). passive says whether the callbacks run at PASSIVE_LEVEL; a parent of
// the other level is STATUS_WDF_INCOMPATIBLE_EXECUTION_LEVEL (SER-3).
func (s *Sys) serializer(parent id, passive bool) (id, NTSTATUS) {
	f := s.f
	scope, passiveParent := f.resolveScope(parent)
	if scope == SynchronizationScopeNone {
		return 0, StatusSuccess
	}
	if passive != passiveParent {
		s.verifierBreak("STATUS_WDF_INCOMPATIBLE_EXECUTION_LEVEL", "SER-3",
			"automatic serialization of a %s callback under %s, whose callbacks run %s", levelText(passive),
			f.m.NameOf(uint64(parent.handle())), levelText(passiveParent))
		return 0, StatusWdfIncompatibleExecutionLevel
	}
	for i := parent; scope == SynchronizationScopeQueue && i != 0; i = f.objects[i].parent {
		if f.objects[i].typ == TypeQueue {
			return i, StatusSuccess
		}
	}
	return f.deviceOf(parent), StatusSuccess
}

func levelText(passive bool) string {
	if passive {
		return "at PASSIVE_LEVEL"
	}
	return "up to DISPATCH_LEVEL"
}

// acquireCallbackLock takes the lock of an object; taking it again is bug check
// 0x10D/2 (SER-6).
func (s *Sys) acquireCallbackLock(i id) {
	l := &s.f.objects[i].lock
	if l.owner == s.self() {
		s.BugCheck(0x10D, [4]uint64{2, l.cell}, "SER-6", fmt.Sprintf(
			"%s is acquired by the thread that holds it already", s.f.m.NameOf(l.cell)))
	}
	if l.passive {
		s.EnterRegion()
		s.TakeEvent(l.cell, kernel.Forever, "SER-6", "SER-4")
		s.f.objects[i].lock.owner = s.self()
	} else {
		s.yieldAroundLock()
		old := s.AcquireSpinLock(l.cell)
		l = &s.f.objects[i].lock
		l.owner, l.oldIRQL = s.self(), old
	}
	s.checkLockOrder(i)
	s.tookLock(lockCallback, i)
}

// releaseCallbackLock gives the lock back. One that the thread does not hold, for
// instance because a serialized callback has released it, is a verifier break and
// stays as it is (SER-8); without the verifier the kernel is asked to release it.
func (s *Sys) releaseCallbackLock(i id) {
	l := &s.f.objects[i].lock
	if l.owner != s.self() && s.f.m.Profile().FrameworkVerifier {
		s.verifierBreak("callback lock not held", "SER-8", "%s is to be released, but this thread does not hold it: a callback has released it, "+
			"or it was not acquired", s.f.m.NameOf(l.cell))
		return
	}
	l.owner = 0
	s.gaveLock(lockCallback, i)
	if l.passive {
		s.GiveEvent(l.cell)
		s.LeaveRegion()
		return
	}
	s.ReleaseSpinLock(l.cell, l.oldIRQL)
	s.yieldAroundLock()
}

// yieldAroundLock is how the verifier provokes races: at PASSIVE_LEVEL it lets other
// threads go on before it takes a callback lock and after it has released it (VER-4).
func (s *Sys) yieldAroundLock() {
	if s.f.m.Profile().FrameworkVerifier && s.IRQL() == kernel.PassiveLevel {
		s.Yield()
	}
}

// ownsCallbackLock reports whether the calling thread holds the lock.
func (s *Sys) ownsCallbackLock(i id) bool {
	return i != 0 && s.f.objects[i].lock.owner == s.self()
}

// serialized calls f with the callback lock of an object held; with object 0
// without a lock.
func (s *Sys) serialized(i id, f func()) {
	if i == 0 {
		f()
		return
	}
	s.acquireCallbackLock(i)
	f()
	s.releaseCallbackLock(i)
}

var (
	svcWdfObjectAcquireLock = kernel.NewService("WdfObjectAcquireLock")
	svcWdfObjectReleaseLock = kernel.NewService("WdfObjectReleaseLock")
)

// WdfObjectAcquireLock takes the callback lock of a device or queue.
// IRQL <= DISPATCH_LEVEL (PASSIVE_LEVEL for a passive lock). An object without
// one is bug check 0x10D/0xB (SER-7).
func (s *Sys) WdfObjectAcquireLock(h WDFOBJECT) {
	s.Enter(svcWdfObjectAcquireLock, uint64(h))
	i, limit := s.lockOwner(h), uint8(DispatchLevel)
	if s.f.objects[i].lock.passive {
		limit = PassiveLevel
	}
	s.levelReport("WdfObjectAcquireLock", "SER-4", limit)
	s.acquireCallbackLock(i)
	s.LeaveVoid()
}

// WdfObjectReleaseLock gives the callback lock back.
func (s *Sys) WdfObjectReleaseLock(h WDFOBJECT) {
	s.Enter(svcWdfObjectReleaseLock, uint64(h))
	s.releaseCallbackLock(s.lockOwner(h))
	s.LeaveVoid()
}

func (s *Sys) lockOwner(h WDFOBJECT) id {
	i := s.lookup(h, TypeObject)
	if s.f.objects[i].typ == TypeQueue {
		i = s.f.queues[s.f.objects[i].index].lock // its own, or that of the device
	}
	if s.f.objects[i].lock.cell == 0 {
		s.BugCheck(0x10D, [4]uint64{0xB, uint64(h), 0}, "SER-7", s.f.m.NameOf(uint64(h))+" has no callback lock")
	}
	return i
}
