package kernel_test

import (
	"fmt"
	"testing"

	"github.com/dirql/dirql/internal/kernel"
)

// fastMutex makes a fast mutex.
func (b *bench) fastMutex() uint64 {
	mutex := b.alloc(kernel.FastMutexSize)
	b.do(func(t *kernel.Thread) { t.ExInitializeFastMutex(mutex) })
	return mutex
}

// A fast mutex excludes threads on two processors and on one, and goes to the one
// that has waited longest (IRQL-9); the owner is at APC_LEVEL.
func TestIRQL9FastMutex(t *testing.T) {
	for _, procs := range []int{1, 2} {
		b := newBench(t, kernel.Config{Processors: procs, QuantumEnd: true})
		mutex, x := b.fastMutex(), b.cell()
		reaches(t, b.outcomes(func() {
			for i := range 2 {
				b.thread(i%procs, func(t *kernel.Thread) {
					t.ExAcquireFastMutex(mutex)
					b.is("the level", t.IRQL(), uint8(1))
					t.Store(x, 8, t.Load(x, 8)+1)
					t.ExReleaseFastMutex(mutex)
					b.is("the level after it", t.IRQL(), uint8(0))
				})
			}
		}, func() string { return fmt.Sprint(b.value(x)) }), "2")
	}
	scenario(t, kernel.Config{}, func(b *bench) {
		mutex := b.fastMutex()
		b.do(func(t *kernel.Thread) {
			b.note("%v", t.ExTryToAcquireFastMutex(mutex))
			b.note("@%d", t.KeGetCurrentIrql())
			for i := range 2 {
				b.thread(0, func(t *kernel.Thread) {
					b.note("try%d=%v", i, t.ExTryToAcquireFastMutex(mutex))
					t.ExAcquireFastMutex(mutex)
					b.note("took%d", i)
					t.ExReleaseFastMutex(mutex)
				})
			}
			t.KeDelayExecutionThread(kernel.After(100_000))
			b.note("release")
			t.ExReleaseFastMutex(mutex)
			t.KeDelayExecutionThread(kernel.After(100_000))
			t.KeEnterCriticalRegion()
			t.ExAcquireFastMutexUnsafe(mutex)
			b.note("@%d", t.KeGetCurrentIrql())
			t.ExReleaseFastMutexUnsafe(mutex)
			t.KeLeaveCriticalRegion()
			t.KeAcquireGuardedMutex(mutex)
			b.note("guarded=%v", t.KeAreAllApcsDisabled())
			t.KeReleaseGuardedMutex(mutex)
			b.note("%v %v", t.KeTryToAcquireGuardedMutex(mutex), t.KeAreApcsDisabled())
			t.KeReleaseGuardedMutex(mutex)
			b.note("guarded=%v", t.KeAreAllApcsDisabled())
		})
		b.noted("true @1 try0=false try1=false release took0 took1 @0 guarded=true true true guarded=false")
	})
}

// Misuse of fast mutexes, mutexes and regions.
func TestMutexBugChecks(t *testing.T) {
	at := func(code ...uint64) func(b *bench) [4]uint64 {
		return func(b *bench) (p [4]uint64) { copy(p[:], append(code, b.at(0))); return p }
	}
	take := func(b *bench, t *kernel.Thread) { t.ExAcquireFastMutex(b.at(0)) }
	twice := func(b *bench, t *kernel.Thread) { take(b, t); take(b, t) }
	mutex := func(f func(b *bench, t *kernel.Thread, mutex uint64)) func(b *bench, t *kernel.Thread) {
		return func(b *bench, t *kernel.Thread) {
			m := b.alloc(kernel.MutexSize)
			t.KeInitializeMutex(m)
			f(b, t, m)
		}
	}
	other := func(f func(b *bench, t *kernel.Thread)) func(b *bench, t *kernel.Thread) {
		return func(b *bench, t *kernel.Thread) {
			b.thread(0, func(t *kernel.Thread) {
				take(b, t)
				t.KeDelayExecutionThread(kernel.After(1_000_000))
				t.ExReleaseFastMutex(b.at(0))
			})
			t.KeDelayExecutionThread(kernel.After(1000))
			f(b, t)
		}
	}
	for _, c := range []crash{
		{name: "0x33 fast mutex at DISPATCH_LEVEL", body: raised(2, take), code: 0xC4, params: at(0x33, 2)},
		{name: "0x33 try at DISPATCH_LEVEL", body: raised(2, func(b *bench, t *kernel.Thread) { t.ExTryToAcquireFastMutex(b.at(0)) }), code: 0xC4,
			params: at(0x33, 2)},
		{name: "0x34 release at PASSIVE_LEVEL", body: func(b *bench, t *kernel.Thread) {
			take(b, t)
			t.KeLowerIrql(0)
			t.ExReleaseFastMutex(b.at(0))
		}, code: 0xC4, params: at(0x34, 0, 0)},
		{name: "0x39 unsafe outside a region", body: func(b *bench, t *kernel.Thread) { t.ExAcquireFastMutexUnsafe(b.at(0)) }, code: 0xC4,
			params: at(0x39, 0, 0)},
		{name: "0x3A unsafe outside a region", body: func(b *bench, t *kernel.Thread) {
			t.KeEnterCriticalRegion()
			t.ExAcquireFastMutexUnsafe(b.at(0))
			t.KeLeaveCriticalRegion()
			t.ExReleaseFastMutexUnsafe(b.at(0))
		}, code: 0xC4, params: at(0x3A, 0, 0)},
		{name: "0x1000 fast mutex twice", body: twice, code: 0xC4, params: at(0x1000), rule: "self-deadlock"},
		{name: "0xBF fast mutex twice, bare", profile: bare, body: twice, code: 0xBF, params: func(b *bench) [4]uint64 { return [4]uint64{b.at(0), 1} }},
		{name: "0x1007 fast mutex released, but free", body: raised(1, func(b *bench, t *kernel.Thread) { t.ExReleaseFastMutex(b.at(0)) }), code: 0xC4,
			params: at(0x1007)},
		{name: "0x1004 fast mutex released by another thread", body: other(raised(1, func(b *bench, t *kernel.Thread) { t.ExReleaseFastMutex(b.at(0)) })),
			code: 0xC4, params: func(b *bench) [4]uint64 { return [4]uint64{0x1004, b.at(0), 2, 1} }},
		{name: "0x100A thread ends as owner", body: func(b *bench, t *kernel.Thread) {
			take(b, t)
			t.KeLowerIrql(0)
		}, code: 0xC4, params: with(0x100A, 1), late: true},
		{name: "0x1005 mutex initialized while it is owned", body: mutex(func(_ *bench, t *kernel.Thread, m uint64) {
			t.KeWaitForSingleObject(m, kernel.Forever)
			t.KeInitializeMutex(m)
		}), code: 0xC4},
		{name: "0x7E mutex released, but free", body: mutex(func(_ *bench, t *kernel.Thread, m uint64) { t.KeReleaseMutex(m) }), code: 0x7E},
		{name: "0x1001 spin lock and mutex in two orders", body: mutex(func(b *bench, t *kernel.Thread, m uint64) {
			take(b, t)
			t.KeWaitForSingleObject(m, kernel.Forever)
			t.KeReleaseMutex(m)
			t.ExReleaseFastMutex(b.at(0))
			t.KeWaitForSingleObject(m, kernel.Forever)
			take(b, t)
		}), code: 0xC4, params: at(0x1001), rule: "lock order"},
		{name: "0x3E region left twice", body: func(_ *bench, t *kernel.Thread) { t.KeLeaveCriticalRegion() }, code: 0xC4, params: with(0x3E)},
		{name: "0x11A region at DISPATCH_LEVEL", body: raised(2, func(_ *bench, t *kernel.Thread) { t.KeEnterCriticalRegion() }), code: 0xC4,
			params: with(0x11A, 2)},
		{name: "0x11B region left at DISPATCH_LEVEL", body: func(_ *bench, t *kernel.Thread) {
			t.KeEnterCriticalRegion()
			t.KeRaiseIrql(2)
			t.KeLeaveCriticalRegion()
		}, code: 0xC4, params: with(0x11B, 2)},
		{name: "CriticalRegions left over", body: func(_ *bench, t *kernel.Thread) { t.KeEnterCriticalRegion() }, code: 0xC4, rule: "CriticalRegions", late: true},
		{name: "CriticalRegions left over in a callback, bare", profile: bare, body: func(b *bench, t *kernel.Thread) {
			t.Invoke("callback", b.fn("callback", func(t *kernel.Thread, _ kernel.Args) uint64 { t.KeEnterCriticalRegion(); return 0 }), kernel.Args{})
			t.KeLeaveCriticalRegion()
		}, rule: "CriticalRegions", ends: kernel.Done},
		{name: "GuardedRegions left over", body: func(_ *bench, t *kernel.Thread) { t.KeEnterGuardedRegion() }, code: 0xC4, rule: "GuardedRegions", late: true},
		{name: "GuardedRegions left twice", body: func(_ *bench, t *kernel.Thread) { t.KeLeaveGuardedRegion() }, code: 0xC4, params: with(0x0004000E),
			rule: "GuardedRegions"},
		{name: "IrqlKeApcLte2 guarded region at DISPATCH_LEVEL", body: raised(2, func(_ *bench, t *kernel.Thread) { t.KeEnterGuardedRegion() }),
			code: 0xC4, params: with(0x00020010, 2), rule: "IrqlKeApcLte2"},
		{name: "IrqlKeApcLte1 guarded mutex at DISPATCH_LEVEL", body: raised(2, func(b *bench, t *kernel.Thread) { t.KeAcquireGuardedMutex(b.at(0)) }),
			code: 0xC4, params: with(0x0002000F, 2), rule: "IrqlKeApcLte1"},
		{name: "IrqlKeSetEvent Wait TRUE at DISPATCH_LEVEL", body: raised(2, func(b *bench, t *kernel.Thread) { t.KeSetEventWait(b.at(0) + 24) }),
			code: 0xC4, params: with(0x00020016, 2), rule: "IrqlKeSetEvent"},
		{name: "0x01 work item in a region, bare", profile: bare, body: func(b *bench, t *kernel.Thread) {
			b.QueueWork(7, "work item", b.fn("work", func(t *kernel.Thread, _ kernel.Args) uint64 { t.KeEnterCriticalRegion(); return 0 }), kernel.Args{})
			t.KeDelayExecutionThread(kernel.After(1000))
		}, code: 0x1, params: func(b *bench) [4]uint64 { return [4]uint64{b.Function("work", nil), 0, 1, 1} }},
		{name: "0x00 no bytes", body: func(_ *bench, t *kernel.Thread) { t.ExAllocatePool2(kernel.PoolFlagNonPaged, 0, 0) }, code: 0xC4,
			params: with(0, 0, 0, 0), rule: "zero-byte allocation"},
	} {
		body := c.body
		c.body = func(b *bench, t *kernel.Thread) {
			t.ExInitializeFastMutex(b.alloc(kernel.FastMutexSize))
			body(b, t)
		}
		if c.code != 0 {
			c.ends = kernel.Stopped
		}
		c.check(t)
	}
}

// Waits for several objects (IRQL-9): any one, the first that is signalled in the
// order of the list; or all, which are taken together or not at all.
func TestIRQL9WaitForMultipleObjects(t *testing.T) {
	scenario(t, kernel.Config{}, func(b *bench) {
		one, two := b.event(kernel.SynchronizationEvent, false), b.event(kernel.SynchronizationEvent, true)
		objects := []uint64{one, two}
		b.do(func(t *kernel.Thread) {
			b.note("all=%X", t.KeWaitForMultipleObjects(objects, true, false, kernel.NoWait))
			b.note("two=%d", t.KeReadStateEvent(two))
			b.note("any=%X", t.KeWaitForMultipleObjects(objects, false, false, kernel.NoWait))
			b.note("two=%d", t.KeReadStateEvent(two))
			b.note("any=%X", t.KeWaitForMultipleObjects(objects, false, false, kernel.After(1000)))
			b.thread(0, func(t *kernel.Thread) {
				b.note("all=%X", t.KeWaitForMultipleObjects(objects, true, false, kernel.Forever))
			})
			b.thread(0, func(t *kernel.Thread) {
				b.note("any=%X", t.KeWaitForMultipleObjects(objects, false, false, kernel.Forever))
			})
			t.KeDelayExecutionThread(kernel.After(10_000))
			t.KeSetEvent(two) // the first waiter cannot have both yet
			t.KeDelayExecutionThread(kernel.After(10_000))
			t.KeSetEvent(one)
			t.KeDelayExecutionThread(kernel.After(10_000))
			b.note("one=%d", t.KeReadStateEvent(one))
			t.KeSetEvent(two)
			t.KeDelayExecutionThread(kernel.After(10_000))
			b.note("%d%d", t.KeReadStateEvent(one), t.KeReadStateEvent(two))
			t.KeSetEvent(one)
			t.KeSetEvent(two)
			t.KeRaiseIrql(2)
			b.note("any=%X", t.KeWaitForMultipleObjects(objects, false, false, kernel.NoWait))
			t.KeLowerIrql(0)
		})
		b.noted("all=102 two=1 any=1 two=0 any=102 any=1 one=1 all=0 00 any=0")
	})
	for _, c := range []crash{
		{name: "IRQL-9 several objects at DISPATCH_LEVEL", body: raised(2, func(b *bench, t *kernel.Thread) {
			t.KeWaitForMultipleObjects([]uint64{b.at(0)}, false, false, kernel.Forever)
		}), code: 0xC4, params: func(b *bench) [4]uint64 { return [4]uint64{0x121, 2, b.at(0)} }, rule: "IrqlKeWaitForMultipleObjects"},
		{name: "0xC four objects without wait blocks", body: func(b *bench, t *kernel.Thread) {
			t.KeWaitForMultipleObjects([]uint64{b.at(0), b.at(0), b.at(0), b.at(0)}, false, false, kernel.NoWait)
		}, code: 0xC},
		{name: "0xC 65 objects", body: func(b *bench, t *kernel.Thread) {
			t.KeWaitForMultipleObjects(make([]uint64, 65), false, true, kernel.NoWait)
		}, code: 0xC},
	} {
		body := c.body
		c.body = func(b *bench, t *kernel.Thread) {
			t.KeInitializeEvent(b.alloc(kernel.EventSize), kernel.SynchronizationEvent, false)
			body(b, t)
		}
		c.ends = kernel.Stopped
		c.check(t)
	}
}
