package kernel_test

import (
	"testing"

	"github.com/dirql/dirql/internal/kernel"
)

// A thread object is signalled when its thread ends, for all who wait, and lives
// as long as somebody refers to it.
func TestThreadObject(t *testing.T) {
	scenario(t, kernel.Config{Processors: 2}, func(b *bench) {
		routine := b.fn("routine", func(t *kernel.Thread, a kernel.Args) uint64 {
			t.KeDelayExecutionThread(kernel.After(1000))
			b.note("works with %d;", a[0])
			t.PsTerminateSystemThread(kernel.StatusSuccess)
			b.note("not reached")
			return 0
		})
		b.thread(0, func(t *kernel.Thread) {
			id, _ := t.PsCreateSystemThread(routine, 7)
			h := t.ThreadHandle(id)
			object, s := t.ObReferenceObjectByHandle(h, b.ObjectTypeAddress(kernel.ThreadType), false)
			b.is("status", s, kernel.StatusSuccess)
			b.is("status without waiting", t.ZwWaitForSingleObject(h, kernel.NoWait), kernel.StatusTimeout)
			t.ZwClose(h)
			b.is("status of the wait", t.KeWaitForSingleObject(object, kernel.Forever), kernel.StatusSuccess)
			b.note("ended")
			b.is("wait again", t.KeWaitForSingleObject(object, kernel.NoWait), kernel.StatusSuccess)
			b.is("references", t.ObfDereferenceObject(object), int32(0))
			b.is("in a thread of the system", t.PsTerminateSystemThread(0), kernel.StatusInvalidParameter)
		})
		b.run(kernel.Done)
		b.noted("works with 7; ended")
	})
}

// A thread moves to a processor of its affinity at once, at DISPATCH_LEVEL when the
// IRQL drops.
func TestSystemAffinity(t *testing.T) {
	scenario(t, kernel.Config{Processors: 3}, func(b *bench) {
		b.threadWith(kernel.ThreadParams{Affinity: 3}, func(t *kernel.Thread) {
			b.is("mask before", t.KeSetSystemAffinityThreadEx(4), uint64(0))
			b.is("processor", t.Processor(), 2)
			b.is("mask before", t.KeSetSystemAffinityThreadEx(2), uint64(4))
			b.is("processor", t.Processor(), 1)
			t.KeRaiseIrql(kernel.DispatchLevel)
			t.KeSetSystemAffinityThreadEx(4)
			b.is("processor at DISPATCH_LEVEL", t.Processor(), 1)
			t.KeLowerIrql(kernel.PassiveLevel)
			b.is("processor afterwards", t.Processor(), 2)
			t.KeRevertToUserAffinityThreadEx(0)
			t.KeDelayExecutionThread(kernel.After(1000))
			b.is("a processor of the thread's own", t.Processor() < 2, true)
		})
		b.run(kernel.Done)
	})
}

// The priority decides who runs; the old one is returned.
func TestThreadPriority(t *testing.T) {
	scenario(t, kernel.Config{}, func(b *bench) {
		b.thread(0, func(t *kernel.Thread) {
			b.is("before", t.KeSetPriorityThread(t.Object(), 20), int8(kernel.NormalPriority))
			b.is("now", t.KeQueryPriorityThread(t.Object()), int8(20))
			t.PsCreateSystemThread(b.fn("other", func(t *kernel.Thread, _ kernel.Args) uint64 {
				b.note("other")
				return 0
			}), 0)
			cell := b.cell()
			for range 5 {
				t.Store(cell, 8, 1)
			}
			b.note("first")
			t.KeSetPriorityThread(t.Object(), 1) // the other one goes first now
			b.note("last")
		})
		b.run(kernel.Done)
		b.noted("first other last")
	})
}

// Exceptions that kernel routines raise on behalf of their caller: a Try gets
// them, what was begun is given up, and without one they are bug checks by where
// the code runs.
func TestExceptions(t *testing.T) {
	scenario(t, kernel.Config{}, func(b *bench) {
		mutex := b.alloc(kernel.MutexSize)
		b.do(func(t *kernel.Thread) {
			t.KeInitializeMutex(mutex)
			e := t.Try(func() {
				inner := t.Try(func() { t.Load(0x10, 4) })
				b.is("code of the inner one", inner.Code, kernel.StatusAccessViolation)
				t.KeReleaseMutex(mutex)
				b.note("not reached")
			})
			b.is("code", e.Code, kernel.StatusMutantNotOwned)
			b.is("no exception", t.Try(func() { t.KeGetCurrentIrql() }), (*kernel.Exception)(nil))
		})
		b.noted("")
	})
	for _, c := range []crash{
		{name: "exception in a system thread", body: func(_ *bench, t *kernel.Thread) { t.Load(0x10, 4) }, code: 0x7E},
		{name: "exception in a DPC", body: func(b *bench, t *kernel.Thread) {
			dpc, mutex := b.alloc(kernel.DPCSize), b.alloc(kernel.MutexSize)
			t.KeInitializeMutex(mutex)
			t.KeInitializeDpc(dpc, b.dpcRoutine("dpc", func(t *kernel.Thread, _, _ uint64) { t.KeReleaseMutex(mutex) }), 0)
			t.Try(func() { t.KeInsertQueueDpc(dpc, 0, 0) }) // of what the DPC interrupts
		}, code: 0x1E},
		{name: "exception in an ISR", body: inISR(func(b *bench, t *kernel.Thread) {
			t.Raise(kernel.Exception{Code: kernel.StatusBreakpoint})
		}), code: 0x3D},
		{name: "system address", body: func(_ *bench, t *kernel.Thread) {
			t.Try(func() { t.Load(0xFFFFF000_00000000, 4) })
		}, code: 0x50},
		{name: "user address at DISPATCH_LEVEL", body: func(_ *bench, t *kernel.Thread) {
			t.KeRaiseIrql(kernel.DispatchLevel)
			t.Try(func() { t.Load(0x10, 4) })
		}, code: 0xD1, params: with(0x10, 2, 0)},
	} {
		c.ends = kernel.Stopped
		c.check(t)
	}
}
