package kernel

import "github.com/dirql/dirql/internal/trace"

// cancelLockNumber is that of the cancel spin lock among the system's queued spin
// locks (LockQueueIoCancelLock).
const cancelLockNumber = 7

var (
	svcIoAcquireCancelSpinLock = NewService("IoAcquireCancelSpinLock")
	svcIoReleaseCancelSpinLock = NewLenientService("IoReleaseCancelSpinLock")
)

// cancelSpinLock returns the one lock of the system that guards cancel routines of
// IRPs. Its memory is made for the first who asks.
func (t *Thread) cancelSpinLock() uint64 {
	if t.m.cancelLock == 0 {
		t.m.cancelLock = t.m.Mem.Alloc(8, tag("Canc"), false, 0)
		t.m.initLock(t.m.cancelLock, "the cancel spin lock")
	}
	return t.m.cancelLock
}

// IoAcquireCancelSpinLock raises to DISPATCH_LEVEL, takes the cancel spin lock and
// returns the old IRQL. It is a queued spin lock (IRQL-15). IRQL <= DISPATCH_LEVEL.
func (t *Thread) IoAcquireCancelSpinLock() (old uint8) {
	t.Enter(svcIoAcquireCancelSpinLock)
	old = t.raiseAndLock(t.cancelSpinLock(), cancelLock)
	t.Leave(trace.Level, uint64(old))
	return old
}

// IoReleaseCancelSpinLock releases the cancel spin lock and restores the IRQL that the
// acquire returned. At another level than DISPATCH_LEVEL 0xC4/0x36 under Driver
// Verifier.
func (t *Thread) IoReleaseCancelSpinLock(old uint8) {
	t.Enter(svcIoReleaseCancelSpinLock, uint64(old))
	lock := t.cancelSpinLock()
	t.checkReleaseLevel(0x36, "IoReleaseCancelSpinLock", cancelLockNumber, uint64(old))
	t.releaseAndLower(lock, cancelLock, old)
	t.LeaveVoid()
}
