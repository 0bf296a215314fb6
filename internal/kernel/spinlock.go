package kernel

import (
	"fmt"
	"slices"

	"github.com/dirql/dirql/internal/trace"
)

// spinLock names a KSPIN_LOCK for reports. The lock itself is 8 bytes of
// simulated memory: 0 free, 1 held.
type spinLock struct {
	addr uint64
	name string
}

// heldLock is a spin lock that is held now.
type heldLock struct {
	addr   uint64
	thread int
	act    uint32 // activation that took it
	cpu    int
}

var (
	svcKeInitializeSpinLock             = NewService("KeInitializeSpinLock")
	svcKeAcquireSpinLock                = NewService("KeAcquireSpinLockRaiseToDpc")
	svcKeReleaseSpinLock                = NewLenientService("KeReleaseSpinLock")
	svcKeAcquireSpinLockAtDpcLevel      = NewLenientService("KeAcquireSpinLockAtDpcLevel")
	svcKeReleaseSpinLockFromDpcLevel    = NewLenientService("KeReleaseSpinLockFromDpcLevel")
	svcKeTryToAcquireSpinLockAtDpcLevel = NewLenientService("KeTryToAcquireSpinLockAtDpcLevel")
)

// KeInitializeSpinLock makes the 8 bytes at lock a free spin lock. Any IRQL.
func (t *Thread) KeInitializeSpinLock(lock uint64) {
	t.Enter(svcKeInitializeSpinLock, lock)
	t.kernelStore(lock, 8, 0)
	t.LeaveVoid()
}

// KeAcquireSpinLock raises to DISPATCH_LEVEL, takes the lock and returns the
// old IRQL. IRQL <= DISPATCH_LEVEL (IRQL-15).
func (t *Thread) KeAcquireSpinLock(lock uint64) (old uint8) {
	t.Enter(svcKeAcquireSpinLock, lock)
	old = t.AcquireSpinLock(lock)
	t.Leave(trace.Level, uint64(old))
	return old
}

// AcquireSpinLock: see KeAcquireSpinLock. Above DISPATCH_LEVEL it takes the
// lock without a change of level.
func (t *Thread) AcquireSpinLock(lock uint64) (old uint8) {
	t.point(op{})
	old = t.raise(DispatchLevel)
	t.keep(uint64(old))
	t.lockNow(lock)
	t.keep(0)
	return old
}

// KeReleaseSpinLock releases the lock and restores the IRQL that the acquire
// returned (IRQL-15).
func (t *Thread) KeReleaseSpinLock(lock uint64, old uint8) {
	t.Enter(svcKeReleaseSpinLock, lock, uint64(old))
	if irql := t.IRQL(); irql != DispatchLevel && t.m.cfg.Profile.DriverVerifier {
		t.BugCheck(0xC4, [4]uint64{0x32, uint64(irql), lock}, "IRQL-15", fmt.Sprintf(
			"KeReleaseSpinLock at %s: the lock is released twice, or the IRQL was changed while it was held", trace.LevelName(irql)))
	}
	if old > t.IRQL() {
		t.badLevelChange(0xA, 0x31, old, "lowers")
	}
	t.ReleaseSpinLock(lock, old)
	t.LeaveVoid()
}

// ReleaseSpinLock: see KeReleaseSpinLock.
func (t *Thread) ReleaseSpinLock(lock uint64, old uint8) {
	t.point(op{})
	t.unlock(lock)
	t.lower(old)
}

// KeAcquireSpinLockAtDpcLevel takes the lock without a change of level. The
// caller is at DISPATCH_LEVEL or above; below it 0xC4/0x40 (IRQL-15).
func (t *Thread) KeAcquireSpinLockAtDpcLevel(lock uint64) {
	t.Enter(svcKeAcquireSpinLockAtDpcLevel, lock)
	if irql := t.IRQL(); irql < DispatchLevel {
		text := fmt.Sprintf("KeAcquireSpinLockAtDpcLevel at %s", trace.LevelName(irql))
		if t.m.cfg.Profile.DriverVerifier {
			t.BugCheck(0xC4, [4]uint64{0x40, uint64(irql), lock}, "IRQL-15", text)
		}
		t.Report(Finding{Rule: "IRQL", Clause: "IRQL-15", Text: text})
	}
	t.point(op{})
	t.lockNow(lock)
	t.LeaveVoid()
}

// KeReleaseSpinLockFromDpcLevel releases the lock without a change of level.
func (t *Thread) KeReleaseSpinLockFromDpcLevel(lock uint64) {
	t.Enter(svcKeReleaseSpinLockFromDpcLevel, lock)
	t.point(op{})
	t.unlock(lock)
	t.LeaveVoid()
}

// KeTryToAcquireSpinLockAtDpcLevel takes the lock if it is free and says
// whether it did. IRQL >= DISPATCH_LEVEL.
func (t *Thread) KeTryToAcquireSpinLockAtDpcLevel(lock uint64) bool {
	t.Enter(svcKeTryToAcquireSpinLockAtDpcLevel, lock)
	t.point(op{})
	free := t.m.lockFree(lock)
	if free {
		t.hold(lock)
		t.Acquired(lock)
	}
	return t.LeaveBool(free)
}

// initLock makes a free spin lock of the kernel's or framework's own.
func (m *Machine) initLock(lock uint64, name string) {
	m.Mem.Store(lock, 8, 0)
	m.NameLock(lock, name)
}

// NameLock gives a spin lock a name for reports.
func (m *Machine) NameLock(lock uint64, name string) {
	m.locks = append(m.locks, spinLock{lock, name})
	m.SetName(lock, name)
}

// lockNow takes a lock as part of the present step if it is free; otherwise it
// spins at the present IRQL until it is.
func (t *Thread) lockNow(lock uint64) {
	t.spin(lock)
	t.Acquired(lock)
}

// spin is lockNow of an interrupt's dispatch, whose ISR acquires the lock: see
// Thread.began.
func (t *Thread) spin(lock uint64) {
	t.kernelLoad(lock, 8) // faults as the driver's pointer does
	if h := t.m.holder(lock); h != nil && h.cpu == t.cpu {
		t.selfDeadlock(lock, h)
	}
	if !t.m.lockFree(lock) {
		t.point(op{kind: opLock, addr: lock})
	}
	t.hold(lock)
}

func (t *Thread) hold(lock uint64) {
	t.kernelStore(lock, 8, 1)
	t.m.held = append(t.m.held, heldLock{addr: lock, thread: t.id, act: t.ActivationID(), cpu: t.cpu})
	if t.lockTaken != nil {
		t.lockTaken(lock)
	}
}

// unlock releases a lock; one that this processor does not hold is bug check
// 0x10.
func (t *Thread) unlock(lock uint64) {
	t.Released(lock)
	t.letGo(lock)
}

// letGo is unlock of an interrupt's dispatch: see spin.
func (t *Thread) letGo(lock uint64) {
	t.kernelLoad(lock, 8)
	for i := len(t.m.held) - 1; i >= 0; i-- {
		if h := &t.m.held[i]; h.addr == lock && h.cpu == t.cpu {
			t.m.held = slices.Delete(t.m.held, i, i+1)
			t.kernelStore(lock, 8, 0)
			return
		}
	}
	t.BugCheck(0x10, [4]uint64{lock}, "IRQL-15", fmt.Sprintf(
		"%s is released, but this processor does not hold it", t.m.lockName(lock)))
}

func (m *Machine) lockFree(lock uint64) bool {
	v, _ := m.Mem.Load(lock, 8)
	return v == 0
}

func (m *Machine) holder(lock uint64) *heldLock {
	for i := range m.held {
		if m.held[i].addr == lock {
			return &m.held[i]
		}
	}
	return nil
}

func (m *Machine) lockName(lock uint64) string {
	for i := range m.locks {
		if m.locks[i].addr == lock {
			return m.locks[i].name
		}
	}
	return fmt.Sprintf("the spin lock at 0x%X", lock)
}

// selfDeadlock ends the run: the processor waits for a lock that code below on
// the same processor holds (ILK-5, IRQL-15).
func (t *Thread) selfDeadlock(lock uint64, h *heldLock) {
	t.stop(Finding{Rule: "self-deadlock", Clause: "ILK-5", Text: fmt.Sprintf(
		"%s is taken on processor %d, which holds it already (taken by activation #%d): the processor spins for ever; "+
			"Windows would end in DPC_WATCHDOG_VIOLATION (0x133, 1)", t.m.lockName(lock), t.cpu, h.act)})
}

// spinningForEver finds processors that wait for each other's spin locks in a
// circle, and ends the run.
func (m *Machine) spinningForEver() bool {
	for i := range m.procs {
		if cycle := m.lockCycle(i); cycle != "" {
			m.threads[m.procs[i].current].addFinding(Finding{Rule: "deadlock", Clause: "IRQL-15", Text: cycle +
				"; Windows would end in DPC_WATCHDOG_VIOLATION (0x133, 1)"})
			m.end(Stopped)
			return true
		}
	}
	return false
}

// lockCycle follows "waits for a lock that is held on" from a processor and
// describes the circle that comes back to it, if there is one.
func (m *Machine) lockCycle(start int) string {
	text := ""
	for p, n := start, 0; n < len(m.procs); n++ {
		o := m.threads[m.procs[p].current].op
		h := m.holder(o.addr)
		if o.kind != opLock || h == nil {
			return ""
		}
		text += fmt.Sprintf("processor %d waits for %s, held on processor %d; ", p, m.lockName(o.addr), h.cpu)
		if p = h.cpu; p == start {
			return text[:len(text)-2]
		}
	}
	return ""
}
