package kernel

import (
	"fmt"
	"slices"

	"github.com/dirql/dirql/internal/trace"
)

// FAST_MUTEX, and KGUARDED_MUTEX, which is the same: count (1: free), owner,
// contention, an event, the old IRQL. Drivers initialize them inline.
const (
	FastMutexSize       = 56
	fastMutexCount      = 0  // 4 bytes
	fastMutexOwner      = 8  // 8 bytes
	fastMutexContention = 16 // 4 bytes
	fastMutexEvent      = 24
	fastMutexLevel      = 48 // 4 bytes
)

// ownedMutex is a fast mutex or a mutex that a thread owns now.
type ownedMutex struct {
	addr   uint64
	thread int
	act    uint32
	depth  int
	kind   lockKind
}

var (
	svcExInitializeFastMutex      = NewService("ExInitializeFastMutex")
	svcExAcquireFastMutex         = NewLenientService("ExAcquireFastMutex")
	svcExReleaseFastMutex         = NewLenientService("ExReleaseFastMutex")
	svcExTryToAcquireFastMutex    = NewLenientService("ExTryToAcquireFastMutex")
	svcExAcquireFastMutexUnsafe   = NewLenientService("ExAcquireFastMutexUnsafe")
	svcExReleaseFastMutexUnsafe   = NewLenientService("ExReleaseFastMutexUnsafe")
	svcKeInitializeGuardedMutex   = NewService("KeInitializeGuardedMutex")
	svcKeAcquireGuardedMutex      = NewService("KeAcquireGuardedMutex")
	svcKeReleaseGuardedMutex      = NewService("KeReleaseGuardedMutex")
	svcKeTryToAcquireGuardedMutex = NewService("KeTryToAcquireGuardedMutex")
)

// ExInitializeFastMutex makes the FastMutexSize bytes at mutex a free fast mutex.
// IRQL <= DISPATCH_LEVEL.
func (t *Thread) ExInitializeFastMutex(mutex uint64) {
	t.Enter(svcExInitializeFastMutex, mutex)
	t.initFastMutex(mutex)
	t.LeaveVoid()
}

func (t *Thread) initFastMutex(mutex uint64) {
	for off := uint64(0); off < FastMutexSize; off += 8 {
		t.kernelStore(mutex+off, 8, 0)
	}
	t.kernelStore(mutex+fastMutexCount, 4, 1)
	t.InitializeEvent(mutex+fastMutexEvent, SynchronizationEvent, false)
}

// ExAcquireFastMutex raises to APC_LEVEL and takes the mutex, waiting for it if
// needed. IRQL <= APC_LEVEL; above it 0xC4/0x33 under Driver Verifier.
func (t *Thread) ExAcquireFastMutex(mutex uint64) {
	t.Enter(svcExAcquireFastMutex, mutex)
	t.checkFastMutexLevel(svcExAcquireFastMutex, mutex)
	old := t.raise(APCLevel)
	t.keep(uint64(old))
	t.takeFastMutex(mutex)
	t.kernelStore(mutex+fastMutexLevel, 4, uint64(old))
	t.keep(0)
	t.LeaveVoid()
}

// checkFastMutexLevel stops an acquire above APC_LEVEL.
func (t *Thread) checkFastMutexLevel(s *Service, mutex uint64) {
	irql := t.IRQL()
	if irql <= APCLevel {
		return
	}
	t.violation(Finding{Code: 0xC4, Rule: "IRQL", Clause: "IRQL-12", Params: [4]uint64{0x33, uint64(irql), mutex},
		Text: fmt.Sprintf("%s at %s", s.Name, trace.LevelName(irql))})
}

// takeFastMutex takes a fast mutex. The owner hands it on: a count below 1 says
// that it is owned, and how many wait.
func (t *Thread) takeFastMutex(mutex uint64) {
	t.point(op{})
	t.checkOwnFastMutex(mutex)
	t.checkAcquire(mutex, fastMutex)
	count := int32(t.kernelLoad(mutex+fastMutexCount, 4))
	t.kernelStore(mutex+fastMutexCount, 4, uint64(uint32(count-1)))
	if count != 1 {
		t.kernelStore(mutex+fastMutexContention, 4, t.kernelLoad(mutex+fastMutexContention, 4)+1)
		t.waitFor([]uint64{mutex + fastMutexEvent}, false, Forever)
	}
	t.ownFastMutex(mutex)
}

func (t *Thread) ownFastMutex(mutex uint64) {
	t.kernelStore(mutex+fastMutexOwner, 8, uint64(t.id)+1)
	t.own(mutex, fastMutex)
	t.Acquired(mutex)
}

// checkOwnFastMutex stops a thread that takes a fast mutex twice: 0xBF, or
// 0xC4/0x1000 under Driver Verifier.
func (t *Thread) checkOwnFastMutex(mutex uint64) {
	if t.kernelLoad(mutex+fastMutexOwner, 8) != uint64(t.id)+1 {
		return
	}
	text := fmt.Sprintf("thread %s takes the fast mutex %s, which it owns already", t.name, t.m.NameOf(mutex))
	if t.m.cfg.Profile.DriverVerifier {
		t.violation(Finding{Code: 0xC4, Rule: "self-deadlock", Clause: "IRQL-15", Params: [4]uint64{0x1000, mutex}, Text: text})
	}
	t.BugCheck(0xBF, [4]uint64{mutex, uint64(t.id)}, "IRQL-15", text)
}

// ExReleaseFastMutex releases the mutex and restores the IRQL. At another level
// than APC_LEVEL 0xC4/0x34 under Driver Verifier.
func (t *Thread) ExReleaseFastMutex(mutex uint64) {
	t.Enter(svcExReleaseFastMutex, mutex)
	if irql := t.IRQL(); irql != APCLevel {
		t.violation(Finding{Code: 0xC4, Rule: "IRQL", Clause: "IRQL-12", Params: [4]uint64{0x34, uint64(irql), uint64(t.criticalRegions), mutex},
			Text: "ExReleaseFastMutex at " + trace.LevelName(irql)})
	}
	old := uint8(t.kernelLoad(mutex+fastMutexLevel, 4))
	if old > t.IRQL() { // overwritten
		t.badLevelChange(0xA, 0x31, old, "lowers")
	}
	t.giveFastMutex(mutex)
	t.lower(old)
	t.LeaveVoid()
}

// giveFastMutex releases a fast mutex, to the thread that has waited longest.
func (t *Thread) giveFastMutex(mutex uint64) {
	t.point(op{})
	t.checkOwner(mutex, t.kernelLoad(mutex+fastMutexOwner, 8))
	t.Released(mutex)
	t.kernelStore(mutex+fastMutexOwner, 8, 0)
	count := int32(t.kernelLoad(mutex+fastMutexCount, 4)) + 1
	t.kernelStore(mutex+fastMutexCount, 4, uint64(uint32(count)))
	t.disown(mutex)
	if count <= 0 {
		t.kernelStore(mutex+fastMutexEvent+headerState, 4, 1)
		t.m.signalled(mutex + fastMutexEvent)
	}
}

// checkOwner reports a release by a thread that is not the owner: 0xC4/0x1004, or
// 0x1007 if nobody owns the mutex, under Driver Verifier.
func (t *Thread) checkOwner(mutex, owner uint64) {
	switch owner {
	case uint64(t.id) + 1:
	case 0:
		t.violation(Finding{Code: 0xC4, Rule: "lock not held", Clause: "IRQL-15", Params: [4]uint64{0x1007, mutex},
			Text: fmt.Sprintf("the fast mutex %s is released, but nobody owns it", t.m.NameOf(mutex))})
	default:
		t.violation(Finding{Code: 0xC4, Rule: "wrong thread", Clause: "IRQL-15", Params: [4]uint64{0x1004, mutex, owner - 1, uint64(t.id)},
			Text: fmt.Sprintf("the fast mutex %s is released by thread %s, which does not own it", t.m.NameOf(mutex), t.name)})
	}
}

// ExTryToAcquireFastMutex takes the mutex if it is free, and says whether it did.
// IRQL <= APC_LEVEL; the IRQL is APC_LEVEL after TRUE.
func (t *Thread) ExTryToAcquireFastMutex(mutex uint64) bool {
	t.Enter(svcExTryToAcquireFastMutex, mutex)
	t.checkFastMutexLevel(svcExTryToAcquireFastMutex, mutex)
	old := t.IRQL()
	took := t.tryFastMutex(mutex)
	if took {
		t.raise(APCLevel)
		t.kernelStore(mutex+fastMutexLevel, 4, uint64(old))
	}
	return t.LeaveBool(took)
}

func (t *Thread) tryFastMutex(mutex uint64) bool {
	t.point(op{})
	if t.kernelLoad(mutex+fastMutexCount, 4) != 1 {
		return false
	}
	t.kernelStore(mutex+fastMutexCount, 4, 0)
	t.checkLockType(mutex, fastMutex)
	t.ownFastMutex(mutex)
	return true
}

// ExAcquireFastMutexUnsafe takes the mutex without a change of level. The caller
// is at APC_LEVEL or in a critical region; otherwise 0xC4/0x39 under Driver
// Verifier.
func (t *Thread) ExAcquireFastMutexUnsafe(mutex uint64) {
	t.Enter(svcExAcquireFastMutexUnsafe, mutex)
	t.checkUnsafeLevel(0x39, svcExAcquireFastMutexUnsafe, mutex)
	t.takeFastMutex(mutex)
	t.LeaveVoid()
}

// ExReleaseFastMutexUnsafe undoes ExAcquireFastMutexUnsafe; the wrong level is
// 0xC4/0x3A.
func (t *Thread) ExReleaseFastMutexUnsafe(mutex uint64) {
	t.Enter(svcExReleaseFastMutexUnsafe, mutex)
	t.checkUnsafeLevel(0x3A, svcExReleaseFastMutexUnsafe, mutex)
	t.giveFastMutex(mutex)
	t.settle()
	t.LeaveVoid()
}

func (t *Thread) checkUnsafeLevel(code uint64, s *Service, mutex uint64) {
	irql := t.IRQL()
	if irql == APCLevel || irql == PassiveLevel && (t.criticalRegions != 0 || t.guardedRegions != 0) {
		return
	}
	t.violation(Finding{Code: 0xC4, Rule: "IRQL", Clause: "IRQL-12", Params: [4]uint64{code, uint64(irql), uint64(t.criticalRegions), mutex},
		Text: fmt.Sprintf("%s at %s outside a critical region", s.Name, trace.LevelName(irql))})
}

// KeInitializeGuardedMutex makes the FastMutexSize bytes at mutex a free guarded
// mutex. IRQL <= DISPATCH_LEVEL.
func (t *Thread) KeInitializeGuardedMutex(mutex uint64) {
	t.Enter(svcKeInitializeGuardedMutex, mutex)
	t.initFastMutex(mutex)
	t.LeaveVoid()
}

// KeAcquireGuardedMutex enters a guarded region and takes the mutex. IRQL <=
// APC_LEVEL.
func (t *Thread) KeAcquireGuardedMutex(mutex uint64) {
	t.Enter(svcKeAcquireGuardedMutex, mutex)
	t.guardedRegions++
	t.takeFastMutex(mutex)
	t.LeaveVoid()
}

// KeReleaseGuardedMutex releases the mutex and leaves the guarded region. IRQL <=
// APC_LEVEL.
func (t *Thread) KeReleaseGuardedMutex(mutex uint64) {
	t.Enter(svcKeReleaseGuardedMutex, mutex)
	t.giveFastMutex(mutex)
	t.guardedRegions--
	t.settle()
	t.LeaveVoid()
}

// KeTryToAcquireGuardedMutex takes the mutex if it is free, and says whether it
// did. IRQL <= APC_LEVEL.
func (t *Thread) KeTryToAcquireGuardedMutex(mutex uint64) bool {
	t.Enter(svcKeTryToAcquireGuardedMutex, mutex)
	took := t.tryFastMutex(mutex)
	if took {
		t.guardedRegions++
	}
	return t.LeaveBool(took)
}

// own notes that this thread owns a mutex now.
func (t *Thread) own(mutex uint64, k lockKind) {
	t.m.owned = append(t.m.owned, ownedMutex{mutex, t.id, t.ActivationID(), len(t.stack), k})
}

// disown undoes own.
func (t *Thread) disown(mutex uint64) {
	t.m.owned = slices.DeleteFunc(t.m.owned, func(o ownedMutex) bool { return o.addr == mutex })
}

// checkOwnedAtEnd stops a thread that ends while it owns a mutex: 0xC4/0x100A.
func (t *Thread) checkOwnedAtEnd() {
	for _, o := range t.m.owned {
		if o.thread == t.id {
			t.violation(Finding{Code: 0xC4, Rule: "lock owned at thread end", Clause: "IRQL-15", Params: [4]uint64{0x100A, uint64(t.id)},
				Text: fmt.Sprintf("thread %s ends and owns the %s %s", t.name, o.kind, t.m.NameOf(o.addr))})
		}
	}
}
