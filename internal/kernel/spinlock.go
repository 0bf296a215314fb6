package kernel

import (
	"fmt"

	"github.com/dirql/dirql/internal/trace"
)

// The spin lock routines that drivers call. What a lock is and how one waits for
// it is in heldlock.go; what Driver Verifier checks in lockorder.go.

var (
	svcKeInitializeSpinLock             = NewService("KeInitializeSpinLock")
	svcKeAcquireSpinLock                = NewLenientService("KeAcquireSpinLockRaiseToDpc")
	svcKeReleaseSpinLock                = NewLenientService("KeReleaseSpinLock")
	svcKeAcquireSpinLockAtDpcLevel      = NewLenientService("KeAcquireSpinLockAtDpcLevel")
	svcKeReleaseSpinLockFromDpcLevel    = NewLenientService("KeReleaseSpinLockFromDpcLevel")
	svcKeTryToAcquireSpinLockAtDpcLevel = NewLenientService("KeTryToAcquireSpinLockAtDpcLevel")
	svcKeAcquireSpinLockForDpc          = NewService("KeAcquireSpinLockForDpc")
	svcKeReleaseSpinLockForDpc          = NewLenientService("KeReleaseSpinLockForDpc")
	svcKeTestSpinLock                   = NewService("KeTestSpinLock")
)

// KeInitializeSpinLock makes the 8 bytes at lock a free spin lock. Any IRQL. One
// that is held is 0xC4/0x1005 under Driver Verifier.
func (t *Thread) KeInitializeSpinLock(lock uint64) {
	t.Enter(svcKeInitializeSpinLock, lock)
	t.checkReinitialized(lock)
	t.kernelStore(lock, 8, 0)
	t.LeaveVoid()
}

// KeAcquireSpinLock raises to DISPATCH_LEVEL, takes the lock and returns the
// old IRQL. IRQL <= DISPATCH_LEVEL; above it 0xC4/0x42 under Driver Verifier
// (IRQL-15).
func (t *Thread) KeAcquireSpinLock(lock uint64) (old uint8) {
	t.Enter(svcKeAcquireSpinLock, lock)
	if irql := t.IRQL(); irql > DispatchLevel {
		t.violation(Finding{Code: 0xC4, Rule: "IrqlKeDispatchLte", Clause: "IRQL-15", Params: [4]uint64{0x42, uint64(irql), lock},
			Text: "KeAcquireSpinLock at " + trace.LevelName(irql)})
	}
	old = t.raiseAndLock(lock, plainLock)
	t.Leave(trace.Level, uint64(old))
	return old
}

// AcquireSpinLock is KeAcquireSpinLock for the framework's own use. Above
// DISPATCH_LEVEL it takes the lock without a change of level.
func (t *Thread) AcquireSpinLock(lock uint64) (old uint8) { return t.raiseAndLock(lock, frameworkLock) }

// raiseAndLock raises to DISPATCH_LEVEL, unless the IRQL is higher, takes the
// lock and returns the old IRQL.
func (t *Thread) raiseAndLock(lock uint64, k lockKind) (old uint8) {
	t.point(op{own: true})
	t.checkAcquire(lock, k)
	old = t.raise(DispatchLevel)
	t.keep(uint64(old))
	t.lockNow(lock, k)
	t.held(lock).old = old
	t.keep(0)
	return old
}

// KeReleaseSpinLock releases the lock and restores the IRQL that the acquire
// returned (IRQL-15).
func (t *Thread) KeReleaseSpinLock(lock uint64, old uint8) {
	t.Enter(svcKeReleaseSpinLock, lock, uint64(old))
	t.checkReleaseLevel(0x32, "KeReleaseSpinLock", lock, 0)
	t.releaseAndLower(lock, plainLock, old)
	t.LeaveVoid()
}

// checkReleaseLevel stops a release of a spin lock at another level than
// DISPATCH_LEVEL under Driver Verifier.
func (t *Thread) checkReleaseLevel(code uint64, routine string, lock, p4 uint64) {
	if irql := t.IRQL(); irql != DispatchLevel && t.m.cfg.Profile.DriverVerifier {
		t.BugCheck(0xC4, [4]uint64{code, uint64(irql), lock, p4}, "IRQL-15", fmt.Sprintf(
			"%s at %s: the lock is released twice, or the IRQL was changed while it was held", routine, trace.LevelName(irql)))
	}
}

// releaseAndLower releases a lock that raised the IRQL.
func (t *Thread) releaseAndLower(lock uint64, k lockKind, old uint8) {
	if old > t.IRQL() {
		t.badLevelChange(0xA, 0x31, old, "lowers")
	}
	t.point(op{own: true})
	t.checkRelease(lock, k)
	if h := t.held(lock); h != nil && h.old != old && h.old != noOldLevel {
		t.violation(Finding{Code: 0xC4, Rule: "IrqlKeReleaseSpinLock", Clause: "IRQL-15", Params: [4]uint64{0x00020015, lock}, Text: fmt.Sprintf(
			"%s is released to %s; the acquire returned %s", t.m.lockName(lock), trace.LevelName(old), trace.LevelName(h.old))})
	}
	t.unlock(lock)
	t.lower(old)
}

// ReleaseSpinLock is KeReleaseSpinLock for the framework's own use.
func (t *Thread) ReleaseSpinLock(lock uint64, old uint8) {
	t.point(op{own: true})
	t.unlock(lock)
	t.lower(old)
}

// KeAcquireSpinLockAtDpcLevel takes the lock without a change of level. The
// caller is at DISPATCH_LEVEL or above; below it 0xC4/0x40 (IRQL-15).
func (t *Thread) KeAcquireSpinLockAtDpcLevel(lock uint64) {
	t.Enter(svcKeAcquireSpinLockAtDpcLevel, lock)
	t.lockAtDPCLevel("KeAcquireSpinLockAtDpcLevel", lock, plainLock)
	t.LeaveVoid()
}

func (t *Thread) lockAtDPCLevel(routine string, lock uint64, k lockKind) {
	t.checkAtDPCLevel(routine, lock)
	t.point(op{own: true})
	t.checkAcquire(lock, k)
	t.lockNow(lock, k)
}

// checkAtDPCLevel stops a lock routine for DISPATCH_LEVEL and above below it.
func (t *Thread) checkAtDPCLevel(routine string, lock uint64) {
	irql := t.IRQL()
	if irql >= DispatchLevel {
		return
	}
	text := fmt.Sprintf("%s at %s", routine, trace.LevelName(irql))
	if t.m.cfg.Profile.DriverVerifier {
		t.BugCheck(0xC4, [4]uint64{0x40, uint64(irql), lock}, "IRQL-15", text)
	}
	t.Report(Finding{Rule: "IRQL", Clause: "IRQL-15", Text: text})
}

// KeReleaseSpinLockFromDpcLevel releases the lock without a change of level. Below
// DISPATCH_LEVEL 0xC4/0x41 under Driver Verifier.
func (t *Thread) KeReleaseSpinLockFromDpcLevel(lock uint64) {
	t.Enter(svcKeReleaseSpinLockFromDpcLevel, lock)
	t.unlockAtDPCLevel("KeReleaseSpinLockFromDpcLevel", lock, plainLock)
	t.LeaveVoid()
}

func (t *Thread) unlockAtDPCLevel(routine string, lock uint64, k lockKind) {
	if t.IRQL() < DispatchLevel {
		t.checkReleaseLevel(0x41, routine, lock, 0)
	}
	t.point(op{own: true})
	t.checkRelease(lock, k)
	t.unlock(lock)
}

// KeTryToAcquireSpinLockAtDpcLevel takes the lock if it is free and says
// whether it did. IRQL >= DISPATCH_LEVEL; below it 0xC4/0x40.
func (t *Thread) KeTryToAcquireSpinLockAtDpcLevel(lock uint64) bool {
	t.Enter(svcKeTryToAcquireSpinLockAtDpcLevel, lock)
	t.checkAtDPCLevel("KeTryToAcquireSpinLockAtDpcLevel", lock)
	t.point(op{own: true})
	free := t.lockFreeAt(lock)
	if free {
		t.checkLockType(lock, plainLock)
		t.hold(lock, plainLock)
		t.Acquired(lock)
	}
	return t.LeaveBool(free)
}

// KeAcquireSpinLockForDpc takes a lock in a DPC routine, threaded or not: it
// raises to DISPATCH_LEVEL and returns the old IRQL (DPC-25).
func (t *Thread) KeAcquireSpinLockForDpc(lock uint64) (old uint8) {
	t.Enter(svcKeAcquireSpinLockForDpc, lock)
	old = t.raiseAndLock(lock, plainLock)
	t.Leave(trace.Level, uint64(old))
	return old
}

// KeReleaseSpinLockForDpc undoes KeAcquireSpinLockForDpc.
func (t *Thread) KeReleaseSpinLockForDpc(lock uint64, old uint8) {
	t.Enter(svcKeReleaseSpinLockForDpc, lock, uint64(old))
	t.checkReleaseLevel(0x32, "KeReleaseSpinLockForDpc", lock, 0)
	t.releaseAndLower(lock, plainLock, old)
	t.LeaveVoid()
}

// KeTestSpinLock says whether a spin lock is free. Any IRQL.
func (t *Thread) KeTestSpinLock(lock uint64) bool {
	t.Enter(svcKeTestSpinLock, lock)
	t.point(op{own: true})
	return t.LeaveBool(t.lockFreeAt(lock))
}
