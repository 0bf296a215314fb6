package kernel

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/dirql/dirql/internal/mem"
)

// Driver Verifier's deadlock detection: it knows the locks that drivers take
// with kernel routines, and in which order they were ever taken one inside the
// other (IRQL-15).

// lockUse says as what a driver uses a lock.
type lockUse struct {
	addr uint64
	kind lockKind
}

// lockOrder says that a lock was taken while another one was held.
type lockOrder struct{ outer, inner uint64 }

// maxLockOrders bounds the memory of the deadlock detection; later orders are
// not remembered.
const maxLockOrders = 4096

// violation stops with a code of Driver Verifier if it is on. Otherwise the broken
// rule is a finding, and the run goes on.
func (t *Thread) violation(f Finding) {
	if t.m.cfg.Profile.DriverVerifier {
		t.stop(f)
	}
	f.Code, f.Params = 0, [4]uint64{}
	t.reportOnce(f)
}

// deadlockDetection reports whether locks of this kind are watched.
func (t *Thread) deadlockDetection(k lockKind) bool {
	return k.watched() && t.m.cfg.Profile.DriverVerifier
}

// checkAcquire is what Driver Verifier looks at when a driver is about to wait
// for a lock.
func (t *Thread) checkAcquire(lock uint64, k lockKind) {
	if !t.deadlockDetection(k) {
		return
	}
	if k < fastMutex {
		h := t.m.holder(lock)
		if h != nil && h.thread == t.id {
			t.deadlockIssue(0x1000, lock, "self-deadlock", "%s is taken by processor %d, which holds it already", t.m.lockName(lock), t.cpu)
		}
		if !t.lockFreeAt(lock) && h == nil {
			t.deadlockIssue(0x1002, lock, "uninitialized lock", "%s is taken, but was never initialized: nobody holds it, and it is not free", t.m.lockName(lock))
		}
	}
	t.checkLockType(lock, k)
	if !t.onStack(lock) {
		t.noteOrder(lock)
	}
}

// onStack reports whether a lock lies on a kernel stack: the next one at the same
// address is another lock.
func (t *Thread) onStack(lock uint64) bool { return t.m.Mem.Prot(lock)&mem.Private != 0 }

// deadlockIssue stops with a code of the deadlock detection.
func (t *Thread) deadlockIssue(code, lock uint64, rule, format string, args ...any) {
	t.violation(Finding{Code: 0xC4, Rule: rule, Clause: "IRQL-15", Params: [4]uint64{code, lock}, Text: fmt.Sprintf(format, args...)})
}

// checkLockType remembers as what a lock is used, and stops at a routine for
// another type of lock.
func (t *Thread) checkLockType(lock uint64, k lockKind) {
	if !t.deadlockDetection(k) || t.onStack(lock) {
		return
	}
	uses := t.m.lockUses
	at, known := slices.BinarySearchFunc(uses, lock, func(u lockUse, addr uint64) int { return cmp.Compare(u.addr, addr) })
	switch {
	case known && uses[at].kind != k:
		t.deadlockIssue(0x1008, lock, "lock type", "%s is taken as a %s, but was a %s before", t.m.lockName(lock), k, uses[at].kind)
	case !known && len(uses) < maxLockOrders:
		t.m.lockUses = slices.Insert(uses, at, lockUse{lock, k})
	}
}

// noteOrder remembers that a lock is taken inside those that the same activation
// holds, and stops if they were ever taken the other way round.
func (t *Thread) noteOrder(lock uint64) {
	act := t.ActivationID()
	for _, outer := range t.m.locksOf(t, act) {
		if outer == lock || t.onStack(outer) {
			continue
		}
		if t.m.ordered(lock, outer, &[]uint64{}) {
			t.deadlockIssue(0x1001, lock, "lock order", "%s is taken inside %s; before, it was held while the other one was taken: "+
				"two processors can wait for each other for ever", t.m.lockName(lock), t.m.lockName(outer))
		}
		t.m.Touch(orderOfLocks, 1, true)
		t.m.addOrder(lockOrder{outer, lock})
	}
}

// locksOf returns the locks that an activation of a driver holds.
func (m *Machine) locksOf(t *Thread, act uint32) (locks []uint64) {
	for _, h := range m.held {
		if h.kind.watched() && h.act == act {
			locks = append(locks, h.addr)
		}
	}
	for _, o := range m.owned {
		if o.act == act && o.thread == t.id {
			locks = append(locks, o.addr)
		}
	}
	return locks
}

func (m *Machine) addOrder(o lockOrder) {
	at, known := slices.BinarySearchFunc(m.orders, o, compareOrders)
	if !known && len(m.orders) < maxLockOrders {
		m.orders = slices.Insert(m.orders, at, o)
	}
}

func compareOrders(a, b lockOrder) int {
	return cmp.Or(cmp.Compare(a.outer, b.outer), cmp.Compare(a.inner, b.inner))
}

// ordered reports whether inner was taken inside outer, or inside something that
// was. seen are the locks that the search came through.
func (m *Machine) ordered(outer, inner uint64, seen *[]uint64) bool {
	at, _ := slices.BinarySearchFunc(m.orders, lockOrder{outer: outer}, compareOrders)
	for ; at < len(m.orders) && m.orders[at].outer == outer; at++ {
		next := m.orders[at].inner
		if next == inner {
			return true
		}
		if slices.Contains(*seen, next) {
			continue
		}
		if *seen = append(*seen, next); m.ordered(next, inner, seen) {
			return true
		}
	}
	return false
}

// checkRelease is what Driver Verifier looks at when a driver releases a spin
// lock.
func (t *Thread) checkRelease(lock uint64, k lockKind) {
	if !t.deadlockDetection(k) {
		return
	}
	h := t.m.holder(lock)
	switch {
	case h == nil:
		t.deadlockIssue(0x1007, lock, "lock not held", "%s is released, but nobody holds it", t.m.lockName(lock))
	case h.thread != t.id:
		t.violation(Finding{Code: 0xC4, Rule: "wrong thread", Clause: "IRQL-15", Params: [4]uint64{0x1004, lock, uint64(h.thread), uint64(t.id)},
			Text: fmt.Sprintf("%s is released by thread %s, but was taken by thread %s", t.m.lockName(lock), t.name, t.m.threads[h.thread].name)})
	case h.kind != k:
		t.deadlockIssue(0x1009, lock, "lock type", "%s is released as a %s, but was taken as a %s", t.m.lockName(lock), k, h.kind)
	}
	for i := len(t.m.held) - 1; i >= 0 && t.m.held[i].addr != lock; i-- {
		if o := &t.m.held[i]; o.kind.watched() && o.act == h.act {
			t.violation(Finding{Code: 0xC4, Rule: "release order", Clause: "IRQL-15", Params: [4]uint64{0x1003, lock, o.addr},
				Text: fmt.Sprintf("%s is released before %s, which was taken later", t.m.lockName(lock), t.m.lockName(o.addr))})
		}
	}
}

// checkReinitialized stops at a second initialization of a lock that is held.
func (t *Thread) checkReinitialized(lock uint64) {
	if h := t.m.holder(lock); h != nil && h.kind.watched() {
		t.deadlockIssue(0x1005, lock, "initialized twice", "%s is initialized again while it is held", t.m.lockName(lock))
	}
	for _, o := range t.m.owned {
		if o.addr == lock {
			t.deadlockIssue(0x1005, lock, "initialized twice", "%s is initialized again while it is owned", t.m.lockName(lock))
		}
	}
}

// forgetLocks is what the deadlock detection does when memory is freed: a lock
// in it is gone. One that is held is 0xC4/0x100B.
func (t *Thread) forgetLocks(from, to uint64) {
	m := t.m
	inside := func(addr uint64) bool { return addr >= from && addr < to }
	for _, h := range m.held {
		if inside(h.addr) && h.kind.watched() {
			t.lockFreed(h.addr, h.thread)
		}
	}
	for _, o := range m.owned {
		if inside(o.addr) {
			t.lockFreed(o.addr, o.thread)
		}
	}
	m.lockUses = slices.DeleteFunc(m.lockUses, func(u lockUse) bool { return inside(u.addr) })
	m.orders = slices.DeleteFunc(m.orders, func(o lockOrder) bool { return inside(o.outer) || inside(o.inner) })
}

func (t *Thread) lockFreed(lock uint64, owner int) {
	t.violation(Finding{Code: 0xC4, Rule: "lock freed", Clause: "IRQL-15", Params: [4]uint64{0x100B, lock, uint64(owner)},
		Text: fmt.Sprintf("memory is freed with %s in it, which thread %s holds", t.m.lockName(lock), t.m.threads[owner].name)})
}
