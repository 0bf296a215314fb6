package kernel

import (
	"fmt"

	"github.com/dirql/dirql/internal/trace"
)

var (
	svcKeInitializeSemaphore = NewService("KeInitializeSemaphore")
	svcKeReleaseSemaphore    = NewService("KeReleaseSemaphore")
	svcKeInitializeMutex     = NewService("KeInitializeMutex")
	svcKeReleaseMutex        = NewService("KeReleaseMutex")
)

// KeInitializeSemaphore makes the SemaphoreSize bytes at s a semaphore. Any
// IRQL.
func (t *Thread) KeInitializeSemaphore(s uint64, count, limit int32) {
	t.Enter(svcKeInitializeSemaphore, s, uint64(count), uint64(limit))
	t.InitializeEvent(s, semaphoreObject, false)
	t.kernelStore(s+headerState, 4, uint64(uint32(count)))
	t.kernelStore(s+semaphoreLimit, 4, uint64(uint32(limit)))
	t.LeaveVoid()
}

// KeReleaseSemaphore adds to the count and returns the previous one. IRQL <=
// DISPATCH_LEVEL. Beyond the limit it raises STATUS_SEMAPHORE_LIMIT_EXCEEDED.
func (t *Thread) KeReleaseSemaphore(s uint64, adjustment int32) (previous int32) {
	t.Enter(svcKeReleaseSemaphore, s, uint64(adjustment))
	t.checkMaximum(svcKeReleaseSemaphore, DispatchLevel)
	t.point(op{})
	t.Released(s)
	previous = int32(t.kernelLoad(s+headerState, 4))
	limit := int64(int32(t.kernelLoad(s+semaphoreLimit, 4)))
	if sum := int64(previous) + int64(adjustment); sum > limit || adjustment <= 0 {
		t.Raise(Exception{Code: StatusSemaphoreLimitExceeded, Noncontinuable: true, Clause: "KeReleaseSemaphore", Text: fmt.Sprintf(
			"the count of the semaphore would become %d, its limit is %d", sum, limit)})
	}
	t.kernelStore(s+headerState, 4, uint64(uint32(previous+adjustment)))
	t.m.signalled(s)
	t.keep(uint64(uint32(previous)))
	t.settle()
	t.Leave(trace.Decimal, uint64(uint32(previous)))
	return previous
}

// KeInitializeMutex makes the MutexSize bytes at mutex a free mutex. Any IRQL.
func (t *Thread) KeInitializeMutex(mutex uint64) {
	t.Enter(svcKeInitializeMutex, mutex)
	t.checkReinitialized(mutex)
	for off := uint64(0); off < MutexSize; off += 8 {
		t.kernelStore(mutex+off, 8, 0)
	}
	t.kernelStore(mutex+headerType, 1, mutantObject)
	t.kernelStore(mutex+headerState, 4, 1)
	t.LeaveVoid()
}

// takeMutex takes a mutex that is free or that this thread owns already.
func (t *Thread) takeMutex(mutex uint64, state int32) {
	t.kernelStore(mutex+headerState, 4, uint64(uint32(state-1)))
	t.kernelStore(mutex+mutexOwner, 8, uint64(t.id)+1)
	if state == 1 {
		t.criticalRegions++
		t.own(mutex, mutexLock)
	}
}

// KeReleaseMutex releases a mutex once and returns its previous state. The
// caller owns it; otherwise it raises STATUS_MUTANT_NOT_OWNED.
func (t *Thread) KeReleaseMutex(mutex uint64) (previous int32) {
	t.Enter(svcKeReleaseMutex, mutex)
	t.point(op{})
	if t.kernelLoad(mutex+mutexOwner, 8) != uint64(t.id)+1 {
		t.Raise(Exception{Code: StatusMutantNotOwned, Noncontinuable: true, Clause: "KeReleaseMutex",
			Text: "a mutex is released by a thread that does not own it"})
	}
	t.Released(mutex)
	previous = int32(t.kernelLoad(mutex+headerState, 4))
	t.kernelStore(mutex+headerState, 4, uint64(uint32(previous+1)))
	if previous == 0 {
		t.kernelStore(mutex+mutexOwner, 8, 0)
		t.criticalRegions--
		t.disown(mutex)
		t.m.signalled(mutex)
	}
	t.keep(uint64(uint32(previous)))
	t.settle()
	t.Leave(trace.Decimal, uint64(uint32(previous)))
	return previous
}
