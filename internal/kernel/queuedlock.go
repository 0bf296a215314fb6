package kernel

// KLOCK_QUEUE_HANDLE: KSPIN_LOCK_QUEUE (next, lock), then the old IRQL.
const (
	LockHandleSize  = 24
	lockHandleLock  = 8
	lockHandleLevel = 16 // 1 byte
)

var (
	svcKeAcquireInStackQueuedSpinLock             = NewService("KeAcquireInStackQueuedSpinLock")
	svcKeReleaseInStackQueuedSpinLock             = NewLenientService("KeReleaseInStackQueuedSpinLock")
	svcKeAcquireInStackQueuedSpinLockAtDpcLevel   = NewLenientService("KeAcquireInStackQueuedSpinLockAtDpcLevel")
	svcKeReleaseInStackQueuedSpinLockFromDpcLevel = NewLenientService("KeReleaseInStackQueuedSpinLockFromDpcLevel")
	svcKeAcquireInStackQueuedSpinLockForDpc       = NewService("KeAcquireInStackQueuedSpinLockForDpc")
	svcKeReleaseInStackQueuedSpinLockForDpc       = NewLenientService("KeReleaseInStackQueuedSpinLockForDpc")
)

// KeAcquireInStackQueuedSpinLock raises to DISPATCH_LEVEL and takes the lock, in
// the order in which processors asked for it. The LockHandleSize bytes at handle
// keep the lock and the old IRQL until the release. IRQL <= DISPATCH_LEVEL.
func (t *Thread) KeAcquireInStackQueuedSpinLock(lock, handle uint64) {
	t.Enter(svcKeAcquireInStackQueuedSpinLock, lock, handle)
	t.raiseAndQueue(lock, handle)
	t.LeaveVoid()
}

func (t *Thread) raiseAndQueue(lock, handle uint64) {
	old := t.raiseAndLock(lock, queuedLock)
	t.fillHandle(lock, handle)
	t.kernelStore(handle+lockHandleLevel, 1, uint64(old))
}

func (t *Thread) fillHandle(lock, handle uint64) {
	t.kernelStore(handle, 8, 0)
	t.kernelStore(handle+lockHandleLock, 8, lock)
}

// KeReleaseInStackQueuedSpinLock releases the lock of a handle and restores the
// IRQL. At another level than DISPATCH_LEVEL 0xC4/0x36 under Driver Verifier.
func (t *Thread) KeReleaseInStackQueuedSpinLock(handle uint64) {
	t.Enter(svcKeReleaseInStackQueuedSpinLock, handle)
	t.releaseQueued("KeReleaseInStackQueuedSpinLock", handle)
	t.LeaveVoid()
}

func (t *Thread) releaseQueued(routine string, handle uint64) {
	lock, old := t.kernelLoad(handle+lockHandleLock, 8), uint8(t.kernelLoad(handle+lockHandleLevel, 1))
	t.checkReleaseLevel(0x36, routine, lock, uint64(old))
	t.releaseAndLower(lock, queuedLock, old)
}

// KeAcquireInStackQueuedSpinLockAtDpcLevel takes the lock without a change of
// level. IRQL >= DISPATCH_LEVEL; below it 0xC4/0x40 under Driver Verifier.
func (t *Thread) KeAcquireInStackQueuedSpinLockAtDpcLevel(lock, handle uint64) {
	t.Enter(svcKeAcquireInStackQueuedSpinLockAtDpcLevel, lock, handle)
	t.lockAtDPCLevel("KeAcquireInStackQueuedSpinLockAtDpcLevel", lock, queuedLock)
	t.fillHandle(lock, handle)
	t.LeaveVoid()
}

// KeReleaseInStackQueuedSpinLockFromDpcLevel releases the lock of a handle
// without a change of level.
func (t *Thread) KeReleaseInStackQueuedSpinLockFromDpcLevel(handle uint64) {
	t.Enter(svcKeReleaseInStackQueuedSpinLockFromDpcLevel, handle)
	t.unlockAtDPCLevel("KeReleaseInStackQueuedSpinLockFromDpcLevel", t.kernelLoad(handle+lockHandleLock, 8), queuedLock)
	t.LeaveVoid()
}

// KeAcquireInStackQueuedSpinLockForDpc is KeAcquireInStackQueuedSpinLock for DPC
// routines, threaded or not (DPC-25).
func (t *Thread) KeAcquireInStackQueuedSpinLockForDpc(lock, handle uint64) {
	t.Enter(svcKeAcquireInStackQueuedSpinLockForDpc, lock, handle)
	t.raiseAndQueue(lock, handle)
	t.LeaveVoid()
}

// KeReleaseInStackQueuedSpinLockForDpc undoes KeAcquireInStackQueuedSpinLockForDpc.
func (t *Thread) KeReleaseInStackQueuedSpinLockForDpc(handle uint64) {
	t.Enter(svcKeReleaseInStackQueuedSpinLockForDpc, handle)
	t.releaseQueued("KeReleaseInStackQueuedSpinLockForDpc", handle)
	t.LeaveVoid()
}
