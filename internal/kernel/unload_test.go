package kernel_test

import (
	"testing"

	"github.com/dirql/dirql/internal/kernel"
)

func unload(t *kernel.Thread) {
	from, to := kernel.GoDriver()
	t.UnloadDriver("driver", from, to)
}

// What runs into a driver that was unloaded (DPC-26), with and without Driver
// Verifier.
func TestDPC26Unload(t *testing.T) {
	queued := func(b *bench, t *kernel.Thread) {
		dpc := b.alloc(kernel.DPCSize)
		t.KeInitializeDpc(dpc, b.dpcRoutine("dpc", func(*kernel.Thread, uint64, uint64) {}), 0)
		t.KeRaiseIrql(2)
		t.KeInsertQueueDpc(dpc, 0, 0)
		unload(t)
		t.KeLowerIrql(0)
	}
	timer := func(b *bench, t *kernel.Thread) {
		dpc, timer := b.alloc(kernel.DPCSize), b.alloc(kernel.TimerSize)
		t.KeInitializeDpc(dpc, b.dpcRoutine("dpc", func(*kernel.Thread, uint64, uint64) {}), 0)
		t.KeInitializeTimerEx(timer, false)
		t.KeSetTimerEx(timer, kernel.After(1000), 0, dpc)
		unload(t)
		t.KeDelayExecutionThread(kernel.After(10_000))
	}
	work := func(b *bench, t *kernel.Thread) {
		item := b.workItem(t, "work", func(*kernel.Thread) {})
		t.KeRaiseIrql(2)
		t.ExQueueWorkItem(item, 1)
		unload(t)
		t.KeLowerIrql(0)
		t.KeDelayExecutionThread(kernel.After(10_000))
	}
	gone := func(name string) func(b *bench) [4]uint64 {
		return func(b *bench) [4]uint64 { return [4]uint64{b.Function(name, nil), 0} }
	}
	from, to := kernel.GoDriver()
	for _, c := range []crash{
		{name: "DPC-26 unload with a DPC queued", body: queued, code: 0xC7,
			params: func(b *bench) [4]uint64 { return [4]uint64{2, b.Function("dpc", nil), from, to} }},
		{name: "DPC-26 unload with a DPC queued, bare", profile: bare, body: queued, code: 0xCE, params: gone("dpc")},
		{name: "DPC-26 unload with a timer set", body: timer, code: 0xCE, params: gone("dpc")},
		{name: "DPC-26 unload with a work item queued", body: work, code: 0xCE, params: gone("work")},
		{name: "DPC-26 unload with a timer in the image", body: func(b *bench, t *kernel.Thread) {
			timer := b.alloc(kernel.TimerSize)
			t.KeInitializeTimerEx(timer, false)
			t.KeSetTimerEx(timer, kernel.After(1000), 0, 0)
			t.UnloadDriver("driver", timer-8, timer+64)
		}, code: 0xC7, params: func(b *bench) [4]uint64 { return [4]uint64{0, b.at(0), b.at(0) - 8, b.at(0) + 64} }},
		{name: "DPC-26 data of the image", profile: bare, body: func(b *bench, t *kernel.Thread) {
			addr := b.Mem.Alloc(16, 0, false, 0)
			t.UnloadDriver("driver", addr, addr+16)
			b.Mem.Free(addr, 0)
			t.Store(addr, 8, 1)
		}, code: 0xCE},
		{name: "DPC-26 a queued DPC object in the image, bare", profile: bare, body: func(b *bench, t *kernel.Thread) {
			dpc := b.Mem.Alloc(kernel.DPCSize, 0, false, 0)
			t.KeInitializeDpc(dpc, b.dpcRoutine("dpc", func(*kernel.Thread, uint64, uint64) {}), 0)
			t.KeRaiseIrql(2)
			t.KeInsertQueueDpc(dpc, 0, 0)
			t.UnloadDriver("driver", dpc, dpc+kernel.DPCSize)
			b.Mem.Free(dpc, 0)
			t.KeLowerIrql(0)
		}, code: 0xD4},
		{name: "INT-1 unload with an ISR connected", body: func(b *bench, t *kernel.Thread) {
			b.message("isr", testVector, func(*kernel.Thread) bool { return true })
			unload(t)
		}, rule: "interrupt connected at unload", ends: kernel.Done},
	} {
		if c.code != 0 {
			c.ends = kernel.Stopped
		}
		c.check(t)
	}
	scenario(t, kernel.Config{}, func(b *bench) { // the ISR is called all the same
		b.message("isr", testVector, func(*kernel.Thread) bool { return true })
		b.thread(0, func(t *kernel.Thread) {
			unload(t)
			b.SendMessage(testVector)
			t.KeStallExecutionProcessor(1)
		})
		b.run(kernel.Stopped)
		b.is("the last finding", b.Findings()[len(b.Findings())-1].Code, uint32(0xCE))
	})
	scenario(t, kernel.Config{}, func(b *bench) { // nothing is left: nothing is found
		dpc := b.noteDPC("dpc")
		b.do(func(t *kernel.Thread) {
			t.KeInsertQueueDpc(dpc, 0, 0)
			t.KeFlushQueuedDpcs()
			unload(t)
		})
		b.is("findings", len(b.Findings()), 0)
	})
}

// workItem makes a WORK_QUEUE_ITEM.
func (b *bench) workItem(t *kernel.Thread, name string, f func(t *kernel.Thread)) uint64 {
	item := b.alloc(32)
	t.Store(item, 8, 0)
	t.Store(item+16, 8, b.fn(name, func(t *kernel.Thread, a kernel.Args) uint64 { f(t); return 0 }))
	t.Store(item+24, 8, 5)
	return item
}

// Work items of WDM drivers: the routine may queue its item again and may free
// it; queued twice, or with a bad end, they stop the system (IRQL-7, IRQL-8).
func TestIRQL8WorkItems(t *testing.T) {
	scenario(t, kernel.Config{}, func(b *bench) {
		b.do(func(t *kernel.Thread) {
			var item uint64
			runs := 0
			item = b.workItem(t, "work", func(t *kernel.Thread) {
				b.note("work@%d", t.IRQL())
				if runs++; runs < 3 {
					t.ExQueueWorkItem(item, 1)
				}
			})
			t.ExQueueWorkItem(item, 1)
			t.KeDelayExecutionThread(kernel.After(10_000))
			io := t.IoAllocateWorkItem(77)
			t.IoQueueWorkItem(io, b.fn("io work", func(t *kernel.Thread, a kernel.Args) uint64 {
				b.note("io(%d,%d)", a[0], a[1])
				t.IoFreeWorkItem(io)
				return 0
			}), 1, 88)
			t.KeDelayExecutionThread(kernel.After(10_000))
		})
		b.noted("work@0 work@0 work@0 io(77,88)")
	})
	twice := func(b *bench, t *kernel.Thread) {
		item := b.workItem(t, "work", func(*kernel.Thread) {})
		t.KeRaiseIrql(2)
		t.ExQueueWorkItem(item, 1)
		t.ExQueueWorkItem(item, 1)
	}
	for _, c := range []crash{
		{name: "0x96 queued twice", body: twice, code: 0x96},
		{name: "0x96 IO_WORKITEM queued twice", body: func(b *bench, t *kernel.Thread) {
			io := t.IoAllocateWorkItem(77)
			t.KeRaiseIrql(2)
			for range 2 {
				t.IoQueueWorkItem(io, b.fn("io work", func(*kernel.Thread, kernel.Args) uint64 { return 0 }), 1, 88)
			}
		}, code: 0x96},
		{name: "0x139 overwritten while queued", body: func(b *bench, t *kernel.Thread) {
			item := b.workItem(t, "work", func(*kernel.Thread) {})
			t.KeRaiseIrql(2)
			t.ExQueueWorkItem(item, 1)
			t.Store(item, 8, 0)
			t.KeLowerIrql(0)
			t.KeDelayExecutionThread(kernel.After(10_000))
		}, code: 0x139, params: func(b *bench) [4]uint64 { return [4]uint64{3, b.at(0)} }},
		{name: "0xCC freed while queued", body: func(b *bench, t *kernel.Thread) {
			io := t.IoAllocateWorkItem(77)
			t.KeRaiseIrql(2)
			t.IoQueueWorkItem(io, b.fn("io work", func(*kernel.Thread, kernel.Args) uint64 { return 0 }), 1, 88)
			t.IoFreeWorkItem(io)
			t.KeLowerIrql(0)
			t.KeDelayExecutionThread(kernel.After(10_000))
		}, code: 0xCC},
		{name: "0xE1 returns at DISPATCH_LEVEL", body: func(b *bench, t *kernel.Thread) {
			t.ExQueueWorkItem(b.workItem(t, "work", func(t *kernel.Thread) { t.KeRaiseIrql(2) }), 1)
			t.KeDelayExecutionThread(kernel.After(10_000))
		}, code: 0xE1, params: func(b *bench) [4]uint64 { return [4]uint64{b.Function("work", nil), 2, 5, b.at(0)} }},
		{name: "IRQL-12 ExQueueWorkItem in an ISR", body: inISR(func(b *bench, t *kernel.Thread) { t.ExQueueWorkItem(b.alloc(32), 1) }), code: 0xC4,
			params: with(0xE5, 5)},
	} {
		c.ends = kernel.Stopped
		c.check(t)
	}
}
