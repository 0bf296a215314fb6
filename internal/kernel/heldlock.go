package kernel

import (
	"fmt"
	"slices"
)

// spinLock names a KSPIN_LOCK for reports. The lock itself is 8 bytes of
// simulated memory: 0 free, 1 held.
type spinLock struct {
	addr uint64
	name string
}

// lockKind says by which routines a lock is taken and released.
type lockKind uint8

const (
	frameworkLock lockKind = iota // the kernel's or the framework's own
	interruptLock                 // KeAcquireInterruptSpinLock
	plainLock                     // KeAcquireSpinLock and its like: watched from here
	queuedLock                    // KeAcquireInStackQueuedSpinLock and its like
	cancelLock                    // IoAcquireCancelSpinLock: queued, too
	fastMutex                     // ExAcquireFastMutex and its like
	mutexLock                     // a wait for a KMUTEX
)

// watched reports whether the deadlock detection knows locks of this kind.
func (k lockKind) watched() bool { return k >= plainLock }

// queued reports whether processors get a lock in the order in which they came.
func (k lockKind) queued() bool { return k == queuedLock || k == cancelLock }

func (k lockKind) String() string {
	return [...]string{"lock", "interrupt spin lock", "spin lock", "queued spin lock", "cancel spin lock", "fast mutex", "mutex"}[k]
}

// heldLock is a spin lock that is held now.
type heldLock struct {
	addr   uint64
	thread int
	act    uint32 // activation that took it
	cpu    int
	kind   lockKind
	old    uint8 // IRQL that the release restores, or noOldLevel
	depth  int   // frames on the stack of the thread then
}

// noOldLevel is heldLock.old where the acquire did not change the level.
const noOldLevel = 0xFF

// lockWaiter is a processor that waits for a queued spin lock.
type lockWaiter struct {
	addr uint64
	cpu  int
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
// spins at the present IRQL until it is. A queued lock is handed on in the order
// in which processors came.
func (t *Thread) lockNow(lock uint64, k lockKind) {
	t.spin(lock, k)
	t.Acquired(lock)
}

// spin is lockNow of an interrupt's dispatch, whose ISR acquires the lock: see
// Thread.began.
func (t *Thread) spin(lock uint64, k lockKind) {
	m := t.m
	t.kernelLoad(lock, 8) // faults as the driver's pointer does
	if h := m.holder(lock); h != nil && (h.thread == t.id || h.cpu == t.cpu && !m.canLeave(h)) {
		t.selfDeadlock(lock, h)
	}
	switch {
	case k.queued() && (!m.lockFree(lock) || m.firstWaiter(lock) >= 0):
		m.Touch(lock, 8, true) // whoever comes first gets it first
		m.lockQueue = append(m.lockQueue, lockWaiter{lock, t.cpu})
		t.point(op{kind: opQueuedLock, addr: lock})
		m.lockQueue = slices.DeleteFunc(m.lockQueue, func(w lockWaiter) bool { return w == lockWaiter{lock, t.cpu} })
	case !m.lockFree(lock):
		t.point(op{kind: opLock, addr: lock})
	}
	t.hold(lock, k)
}

// canLeave reports whether the thread that holds a lock goes on, or could go on, on
// another processor than the one that took it: it has lowered the IRQL, or never
// raised it, and was preempted.
func (m *Machine) canLeave(h *heldLock) bool {
	t := m.threads[h.thread]
	if t.status == running {
		return t.cpu != h.cpu
	}
	return t.status != terminated && t.affinity&^(1<<h.cpu) != 0
}

// firstWaiter returns the processor that is next to get a queued lock, -1 for
// none.
func (m *Machine) firstWaiter(lock uint64) int {
	for _, w := range m.lockQueue {
		if w.addr == lock {
			return w.cpu
		}
	}
	return -1
}

func (t *Thread) hold(lock uint64, k lockKind) {
	t.kernelStore(lock, 8, 1)
	t.m.held = append(t.m.held, heldLock{
		addr: lock, thread: t.id, act: t.ActivationID(), cpu: t.cpu, kind: k, old: noOldLevel, depth: len(t.stack),
	})
	if t.lockTaken != nil {
		t.lockTaken(lock)
	}
}

// held returns what this processor, or this thread before it migrated, holds at
// lock, nil for nothing.
func (t *Thread) held(lock uint64) *heldLock {
	for i := len(t.m.held) - 1; i >= 0; i-- {
		if h := &t.m.held[i]; h.addr == lock && (h.cpu == t.cpu || h.thread == t.id) {
			return h
		}
	}
	return nil
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
	h := t.held(lock)
	if h == nil {
		t.BugCheck(0x10, [4]uint64{lock}, "IRQL-15", fmt.Sprintf(
			"%s is released, but this processor does not hold it", t.m.lockName(lock)))
	}
	*h = heldLock{}
	t.m.held = slices.DeleteFunc(t.m.held, func(h heldLock) bool { return h.addr == 0 })
	t.kernelStore(lock, 8, 0)
}

// lockFreeAt is lockFree at an address that the driver gave.
func (t *Thread) lockFreeAt(lock uint64) bool { return t.kernelLoad(lock, 8) == 0 }

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
		if o.kind != opLock && o.kind != opQueuedLock || h == nil || m.canLeave(h) {
			return ""
		}
		text += fmt.Sprintf("processor %d waits for %s, held on processor %d; ", p, m.lockName(o.addr), h.cpu)
		if p = h.cpu; p == start {
			return text[:len(text)-2]
		}
	}
	return ""
}
