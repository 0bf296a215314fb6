package kernel_test

import (
	"testing"

	"github.com/dirql/dirql/internal/choice"
	"github.com/dirql/dirql/internal/kernel"
)

// noThreaded is the default profile with ThreadDpcEnable = 0.
var noThreaded = kernel.Deviations{ThreadedDPCsOff: true}.Profile()

// threadedDPC makes a threaded DPC object.
func (b *bench) threadedDPC(name string, f func(t *kernel.Thread, arg1, arg2 uint64)) uint64 {
	b.t.Helper()
	dpc := b.alloc(kernel.DPCSize)
	b.SetName(dpc, name)
	routine := b.dpcRoutine(name, f)
	b.do(func(t *kernel.Thread) { t.KeInitializeThreadedDpc(dpc, routine, 0) })
	return dpc
}

// The level on entry follows the setting (DPC-25, L-61); the object is not queued
// while its routine runs, and gets the arguments of the insert.
func TestDPC25Threaded(t *testing.T) {
	for _, c := range []struct {
		profile kernel.Profile
		want    string
	}{
		{kernel.DefaultProfile, "type=24 @0(1,2) queued=false thread"},
		{noThreaded, "type=24 @2(1,2) queued=false thread"},
	} {
		scenario(t, kernel.Config{Profile: c.profile}, func(b *bench) {
			var dpc uint64
			dpc = b.threadedDPC("dpc", func(t *kernel.Thread, arg1, arg2 uint64) {
				b.note("@%d(%d,%d) queued=%v", t.KeGetCurrentIrql(), arg1, arg2, b.DPCQueued(dpc))
			})
			b.do(func(t *kernel.Thread) {
				b.note("type=%d", t.Load(dpc+dpcType, 1))
				b.is("insert", t.KeInsertQueueDpc(dpc, 1, 2), true)
				b.note("thread")
			})
			b.noted(c.want)
			b.is("findings", len(b.Findings()), 0)
		})
	}
}

// Order in a queue of threaded DPCs: High at the head, all others at the tail
// (DPC-25, DPC-7); each runs after the one before has returned (DPC-16), and an
// object that is queued again in its routine runs again (DPC-15).
func TestDPC25ThreadedOrder(t *testing.T) {
	scenario(t, kernel.Config{}, func(b *bench) {
		var list []uint64
		for i, name := range []string{"low", "medium", "high", "mediumhigh"} {
			dpc := b.threadedDPC(name, func(t *kernel.Thread, _, _ uint64) { b.note("%s", name) })
			b.do(func(t *kernel.Thread) { t.KeSetImportanceDpc(dpc, uint8(i)) })
			list = append(list, dpc)
		}
		again := 0
		var twice uint64
		twice = b.threadedDPC("twice", func(t *kernel.Thread, _, _ uint64) {
			b.note("twice")
			if again++; again == 1 {
				b.is("insert in the routine", t.KeInsertQueueDpc(twice, 0, 0), true)
				b.is("a second insert", t.KeInsertQueueDpc(twice, 0, 0), false)
			}
		})
		b.do(func(t *kernel.Thread) {
			t.KeRaiseIrql(2)
			t.KeInsertQueueDpc(twice, 0, 0)
			for _, dpc := range list {
				t.KeInsertQueueDpc(dpc, 0, 0)
			}
			b.note("lower")
			t.KeLowerIrql(0)
			b.note("thread")
		})
		b.noted("lower high twice low medium mediumhigh twice thread")
	})
}

// An ordinary DPC and an ISR preempt a threaded one; a thread of a lower priority
// does not (DPC-25, CON-7).
func TestDPC25Preemption(t *testing.T) {
	scenario(t, kernel.Config{}, func(b *bench) {
		ordinary := b.noteDPC("ordinary")
		b.message("isr", testVector, func(t *kernel.Thread) bool { b.note("isr@%d", t.IRQL()); return true })
		dpc := b.threadedDPC("threaded", func(t *kernel.Thread, _, _ uint64) {
			b.note("[")
			t.KeInsertQueueDpc(ordinary, 0, 0)
			b.SendMessage(testVector)
			t.KeStallExecutionProcessor(100_000)
			b.note("]")
		})
		b.thread(0, func(t *kernel.Thread) {
			t.KeInsertQueueDpc(dpc, 0, 0)
			b.note("thread")
		})
		b.thread(0, func(t *kernel.Thread) { b.note("other") })
		b.run(kernel.Done)
		b.noted("[ ordinary isr@5 ] other thread")
	})
	b := newBench(t, kernel.Config{QuantumEnd: true}) // by a thread of the same priority
	x := b.cell()
	dpc := b.threadedDPC("threaded", func(t *kernel.Thread, _, _ uint64) {
		b.note("[")
		t.Load(x, 8)
		b.note("]")
	})
	got := b.outcomes(func() {
		b.threadWith(kernel.ThreadParams{Affinity: 1, Priority: kernel.HighestPriority}, func(t *kernel.Thread) {
			t.KeInsertQueueDpc(dpc, 0, 0)
			t.Load(x, 8)
			b.note("thread")
		})
	}, b.noteOutcome)
	reaches(t, got, "[ ] thread", "[ thread ]", "thread [ ]")
}

// Queue, target, remove and flush work as for ordinary DPCs (DPC-5, DPC-21,
// DPC-22).
func TestDPC25TargetRemoveFlush(t *testing.T) {
	b := newBench(t, kernel.Config{Processors: 2})
	x := b.cell()
	dpc := b.threadedDPC("threaded", func(t *kernel.Thread, _, _ uint64) {
		b.note("%d[", t.Processor())
		t.Load(x, 8)
		b.note("]")
	})
	b.do(func(t *kernel.Thread) { t.KeSetTargetProcessorDpcEx(dpc, 0, 1) })
	reaches(t, b.outcomes(func() {
		b.thread(0, func(t *kernel.Thread) {
			t.KeInsertQueueDpc(dpc, 0, 0)
			b.note("%v", t.KeRemoveQueueDpc(dpc))
		})
	}, b.noteOutcome), "true", "false 1[ ]", "1[ false ]", "1[ ] false")
	reaches(t, b.outcomes(func() {
		b.thread(0, func(t *kernel.Thread) {
			t.KeInsertQueueDpc(dpc, 0, 0)
			t.KeFlushQueuedDpcs()
			b.note("flushed")
		})
	}, b.noteOutcome), "1[ ] flushed")
}

// A timer queues its threaded DPC, with the time as arguments (DPC-24).
func TestDPC24ThreadedTimerDPC(t *testing.T) {
	scenario(t, kernel.Config{}, func(b *bench) {
		timer := b.timer(false)
		dpc := b.threadedDPC("dpc", func(t *kernel.Thread, low, high uint64) {
			b.note("@%d", t.IRQL())
			b.is("the time has passed", high<<32|low > 0, true)
		})
		b.do(func(t *kernel.Thread) {
			t.KeSetTimerEx(timer, kernel.After(1000), 0, dpc)
			t.KeDelayExecutionThread(kernel.After(1_000_000))
		})
		b.noted("@0")
	})
}

// What a threaded DPC must not do, with each setting of the profile (DPC-25,
// DPC-26, DPC-27, IRQL-8).
func TestDPC25Rules(t *testing.T) {
	inThreaded := func(f func(b *bench, t *kernel.Thread)) func(b *bench, t *kernel.Thread) {
		return func(b *bench, t *kernel.Thread) {
			dpc := b.alloc(kernel.DPCSize)
			t.KeInitializeThreadedDpc(dpc, b.dpcRoutine("dpc", func(t *kernel.Thread, _, _ uint64) { f(b, t) }), 0)
			t.KeInsertQueueDpc(dpc, 0, 0)
			t.KeDelayExecutionThread(kernel.After(10_000))
		}
	}
	atDPC := func(b *bench, t *kernel.Thread) {
		lock := b.cell()
		t.KeAcquireSpinLockAtDpcLevel(lock)
		t.KeReleaseSpinLockFromDpcLevel(lock)
	}
	forDPC := func(b *bench, t *kernel.Thread) {
		lock, handle := b.cell(), b.alloc(kernel.LockHandleSize)
		old := t.KeAcquireSpinLockForDpc(lock)
		b.is("the level under the lock", t.KeGetCurrentIrql(), uint8(2))
		t.KeReleaseSpinLockForDpc(lock, old)
		queued := b.cell()
		t.KeAcquireInStackQueuedSpinLockForDpc(queued, handle)
		b.is("the level under the queued lock", t.KeGetCurrentIrql(), uint8(2))
		t.KeReleaseInStackQueuedSpinLockForDpc(handle)
		b.is("the old level", t.KeGetCurrentIrql(), old)
	}
	wait := func(_ *bench, t *kernel.Thread) { t.KeDelayExecutionThread(kernel.After(100)) }
	dpc := func(b *bench) uint64 { return b.Function("dpc", nil) }
	good := func(name string, p kernel.Profile, f func(b *bench, t *kernel.Thread)) {
		t.Run(name, func(t *testing.T) {
			scenario(t, kernel.Config{Profile: p}, func(b *bench) {
				b.do(func(t *kernel.Thread) { inThreaded(f)(b, t) })
				b.is("findings", len(b.Findings()), 0)
			})
		})
	}
	good("DPC-25 ForDpc", kernel.DefaultProfile, forDPC)
	good("DPC-25 ForDpc, ThreadDpcEnable = 0", noThreaded, forDPC)
	good("DPC-25 AtDpcLevel, ThreadDpcEnable = 0", noThreaded, atDPC)
	for _, c := range []crash{
		{name: "DPC-25 AtDpcLevel", body: inThreaded(atDPC), code: 0xC4, params: func(b *bench) [4]uint64 { return [4]uint64{0x40, 0, b.at(1)} }},
		{name: "DPC-25 AtDpcLevel, bare", profile: bare, body: inThreaded(atDPC), rule: "IRQL", ends: kernel.Done},
		{name: "DPC-25 waits", body: inThreaded(wait), rule: "threaded DPC waits", ends: kernel.Done},
		{name: "DPC-25 waits, ThreadDpcEnable = 0", profile: noThreaded, body: inThreaded(wait), code: 0xC4, params: with(0x122, 2, 0)},
		{name: "DPC-27 threaded", body: inThreaded(func(_ *bench, t *kernel.Thread) { t.EnterRegion() }), code: 0xC7,
			params: func(b *bench) [4]uint64 { return [4]uint64{4, dpc(b), 0, 1} }},
		{name: "IRQL-8 threaded DPC returns higher", body: inThreaded(func(_ *bench, t *kernel.Thread) { t.KeRaiseIrql(2) }), code: 0xC8,
			params: func(b *bench) [4]uint64 { return [4]uint64{2<<16 | 0xD0, dpc(b), b.at(0)} }},
		{name: "DPC-26 free of a queued threaded DPC", body: func(b *bench, t *kernel.Thread) {
			dpc := t.ExAllocatePool2(kernel.PoolFlagNonPaged, kernel.DPCSize, kernel.PoolTag("Test"))
			t.KeInitializeThreadedDpc(dpc, b.dpcRoutine("dpc", func(*kernel.Thread, uint64, uint64) {}), 0)
			t.KeRaiseIrql(2)
			t.KeInsertQueueDpc(dpc, 0, 0)
			t.ExFreePoolWithTag(dpc, 0)
		}, code: 0xC7, params: func(b *bench) [4]uint64 { return [4]uint64{1, b.at(0), b.at(0), b.at(0) + kernel.DPCSize} }},
		{name: "DPC-26 queued threaded DPC is overwritten", body: func(b *bench, t *kernel.Thread) {
			dpc := b.alloc(kernel.DPCSize)
			t.KeInitializeThreadedDpc(dpc, b.dpcRoutine("dpc", func(*kernel.Thread, uint64, uint64) {}), 0)
			t.KeRaiseIrql(2)
			t.KeInsertQueueDpc(dpc, 0, 0)
			t.KeInitializeDpc(dpc, 0, 0)
			t.KeLowerIrql(0)
		}, code: 0x139, params: func(b *bench) [4]uint64 { return [4]uint64{3, b.at(0)} }},
	} {
		if c.code != 0 {
			c.ends = kernel.Stopped
		}
		c.check(t)
	}
}

// A threaded DPC may run longer than the watchdog of DPCs allows (WD-1), but not
// at DISPATCH_LEVEL for ever (WD-2).
func TestWD1ThreadedDPC(t *testing.T) {
	for _, raise := range []bool{false, true} {
		scenario(t, kernel.Config{Tunables: fast}, func(b *bench) {
			dpc := b.threadedDPC("dpc", func(t *kernel.Thread, _, _ uint64) {
				if raise {
					t.KeRaiseIrql(2)
				}
				for range 50 {
					t.KeStallExecutionProcessor(1)
				}
			})
			b.thread(0, func(t *kernel.Thread) { t.KeInsertQueueDpc(dpc, 0, 0) })
			if raise {
				b.run(kernel.Stopped)
				b.finds(kernel.Finding{Code: 0x133, Params: [4]uint64{1, 30}, Clause: "WD-2"})
				return
			}
			b.run(kernel.Done)
			b.is("findings", len(b.Findings()), 0)
		})
	}
}

// A machine whose threaded DPCs have run is at rest, and they run again after a
// restore.
func TestDPC25Snapshot(t *testing.T) {
	b := newBench(t, kernel.Config{})
	dpc := b.threadedDPC("dpc", func(t *kernel.Thread, _, _ uint64) { b.note("dpc") })
	b.do(func(t *kernel.Thread) { t.KeInsertQueueDpc(dpc, 0, 0) })
	s := b.snapshot()
	for range 2 {
		b.restore(s, choice.First{})
		b.do(func(t *kernel.Thread) { t.KeInsertQueueDpc(dpc, 0, 0) })
		b.noted("dpc")
	}
}
