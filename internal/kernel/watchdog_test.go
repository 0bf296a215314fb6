package kernel_test

import (
	"testing"

	"github.com/dirql/dirql/internal/kernel"
)

// fast makes ticks of 1 microsecond and small watchdogs.
var fast = kernel.Tunables{TickTime: 1000, DpcWatchdogTicks: 10, TotalWatchdogTicks: 30}

func TestWD1SingleDPC(t *testing.T) {
	stall := func(t *kernel.Thread, ticks int) {
		for range ticks {
			t.KeStallExecutionProcessor(1)
		}
	}
	type result struct {
		name string
		body func(b *bench, t *kernel.Thread)
		want kernel.Finding // zero: none
	}
	single := kernel.Finding{Code: 0x133, Params: [4]uint64{0, 11, 10}, Clause: "WD-1"}
	for _, c := range []result{
		{"WD-1 DPC", inDPC(func(_ *bench, t *kernel.Thread) { stall(t, 20) }), single},
		{"WD-1 DPC, one stall", inDPC(func(_ *bench, t *kernel.Thread) { t.KeStallExecutionProcessor(20) }), single},
		{"WD-1 ISR", inISR(func(_ *bench, t *kernel.Thread) { stall(t, 20) }), single},
		{"WD-1 DPC within its limit", inDPC(func(_ *bench, t *kernel.Thread) { stall(t, 8) }), kernel.Finding{}},
		{"WD-1 three short DPCs", func(b *bench, t *kernel.Thread) {
			t.KeRaiseIrql(2)
			for range 3 {
				inDPC(func(_ *bench, t *kernel.Thread) { stall(t, 8) })(b, t)
			}
			t.KeLowerIrql(0)
		}, kernel.Finding{}},
		{"WD-1 three short ISRs", func(b *bench, t *kernel.Thread) {
			b.message("isr", testVector, func(t *kernel.Thread) bool { stall(t, 8); return true })
			for range 3 {
				b.SendMessage(testVector)
				t.KeQueryInterruptTime()
				t.Load(b.cell(), 8)
			}
		}, kernel.Finding{}},
		{"WD-1 an ISR on top of a DPC counts for both", func(b *bench, t *kernel.Thread) {
			b.message("isr", testVector, func(t *kernel.Thread) bool { stall(t, 8); return true })
			inDPC(func(b *bench, t *kernel.Thread) {
				b.SendMessage(testVector)
				stall(t, 8)
			})(b, t)
		}, single},
		{"WD-1 not for a thread", func(_ *bench, t *kernel.Thread) {
			t.KeRaiseIrql(2)
			stall(t, 20)
			t.KeLowerIrql(0)
		}, kernel.Finding{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			scenario(t, kernel.Config{Tunables: fast}, func(b *bench) {
				b.thread(0, func(t *kernel.Thread) { c.body(b, t) })
				if c.want.Code == 0 {
					b.run(kernel.Done)
					b.is("findings", len(b.Findings()), 0)
					return
				}
				b.run(kernel.Stopped)
				b.finds(c.want)
			})
		})
	}
}

// A processor that is at DISPATCH_LEVEL or above for too long in total: 0x133/1,
// whatever it does there (WD-2, WD-4). Time below that level starts the count
// again.
func TestWD2Cumulative(t *testing.T) {
	total := kernel.Finding{Code: 0x133, Params: [4]uint64{1, 30}, Clause: "WD-2"}
	for _, c := range []struct {
		name string
		body func(b *bench, t *kernel.Thread)
		want kernel.Finding
	}{
		{"WD-2 a thread", func(_ *bench, t *kernel.Thread) {
			t.KeRaiseIrql(2)
			t.KeStallExecutionProcessor(1000)
		}, total},
		{"WD-2 a spin lock held for ever", func(b *bench, t *kernel.Thread) {
			t.KeAcquireSpinLock(b.cell())
			t.KeStallExecutionProcessor(1000)
		}, total},
		{"WD-2 many short DPCs in a row", func(b *bench, t *kernel.Thread) {
			t.KeRaiseIrql(2)
			for range 10 {
				inDPC(func(_ *bench, t *kernel.Thread) { t.KeStallExecutionProcessor(5) })(b, t)
			}
			t.KeLowerIrql(0)
		}, total},
		{"WD-4 a DPC that queues itself", func(b *bench, t *kernel.Thread) {
			dpc := b.alloc(kernel.DPCSize)
			t.KeInitializeDpc(dpc, b.dpcRoutine("dpc", func(t *kernel.Thread, _, _ uint64) {
				t.KeStallExecutionProcessor(1)
				t.KeInsertQueueDpc(dpc, 0, 0)
			}), 0)
			t.KeInsertQueueDpc(dpc, 0, 0)
		}, total},
		{"WD-2 time below DISPATCH_LEVEL in between", func(_ *bench, t *kernel.Thread) {
			for range 10 {
				t.KeRaiseIrql(2)
				t.KeStallExecutionProcessor(20)
				t.KeLowerIrql(0)
				t.KeStallExecutionProcessor(1)
			}
		}, kernel.Finding{}},
		{"WD-2 an idle processor in between", func(b *bench, t *kernel.Thread) {
			dpc := b.alloc(kernel.DPCSize)
			t.KeInitializeDpc(dpc, b.dpcRoutine("dpc", func(t *kernel.Thread, _, _ uint64) { t.KeStallExecutionProcessor(9) }), 0)
			t.KeSetTargetProcessorDpc(dpc, 1)
			t.KeSetImportanceDpc(dpc, kernel.HighImportance)
			for range 10 {
				t.KeInsertQueueDpc(dpc, 0, 0)
				t.KeFlushQueuedDpcs()
			}
		}, kernel.Finding{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			scenario(t, kernel.Config{Processors: 2, Tunables: fast}, func(b *bench) {
				b.thread(0, func(t *kernel.Thread) { c.body(b, t) })
				if c.want.Code == 0 {
					b.run(kernel.Done)
					b.is("findings", len(b.Findings()), 0)
					return
				}
				b.run(kernel.Stopped)
				b.finds(c.want)
			})
		})
	}
}

// The clock of the watchdogs is the virtual one, and its limits are settings
// (WD-7). The documented limits are the default: 0x500 ticks for one DPC, 0x1E00 in
// total, of 15.625 ms each.
func TestWD7Defaults(t *testing.T) {
	for _, c := range []struct {
		seconds uint32
		body    func(f func(b *bench, t *kernel.Thread)) func(b *bench, t *kernel.Thread)
		want    kernel.Reason
	}{
		{19, inDPC, kernel.Done},
		{21, inDPC, kernel.Stopped},
		{119, func(f func(*bench, *kernel.Thread)) func(*bench, *kernel.Thread) { return raised(2, f) }, kernel.Done},
		{121, func(f func(*bench, *kernel.Thread)) func(*bench, *kernel.Thread) { return raised(2, f) }, kernel.Stopped},
	} {
		scenario(t, kernel.Config{}, func(b *bench) {
			b.thread(0, func(t *kernel.Thread) {
				c.body(func(_ *bench, t *kernel.Thread) { t.KeStallExecutionProcessor(c.seconds * 1_000_000) })(b, t)
				if t.IRQL() > 0 {
					t.KeLowerIrql(0)
				}
			})
			b.run(c.want)
		})
	}
}

// A processor that takes no clock interrupts is noticed by another one: 0x101
// (WD-5); alone it hangs. Time below CLOCK_LEVEL starts the count again.
func TestWD5ClockWatchdog(t *testing.T) {
	tun := fast
	tun.ClockWatchdogTicks = 8
	high := func(irql uint8, ticks int) func(t *kernel.Thread) {
		return func(t *kernel.Thread) {
			for range 3 {
				t.KeRaiseIrql(irql)
				for range ticks {
					t.KeStallExecutionProcessor(1)
				}
				t.KeLowerIrql(0)
				t.KeStallExecutionProcessor(2)
			}
		}
	}
	for _, c := range []struct {
		name  string
		procs int
		body  func(t *kernel.Thread)
		want  kernel.Finding
	}{
		{"WD-5 at HIGH_LEVEL", 2, high(15, 10), kernel.Finding{Code: 0x101, Params: [4]uint64{8, 0, 0xFFFFF801_00000000, 0}, Clause: "WD-5"}},
		{"WD-5 at CLOCK_LEVEL", 2, high(13, 10), kernel.Finding{Code: 0x101, Params: [4]uint64{8, 0, 0xFFFFF801_00000000, 0}, Clause: "WD-5"}},
		{"WD-5 alone", 1, high(15, 10), kernel.Finding{Rule: "hang", Clause: "WD-5"}},
		{"WD-5 within the limit", 2, high(15, 5), kernel.Finding{}},
		{"WD-5 below CLOCK_LEVEL", 2, high(12, 10), kernel.Finding{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			scenario(t, kernel.Config{Processors: c.procs, Tunables: tun}, func(b *bench) {
				b.thread(0, c.body)
				if c.want.Clause == "" {
					b.run(kernel.Done)
					b.is("findings", len(b.Findings()), 0)
					return
				}
				b.run(kernel.Stopped)
				b.finds(c.want)
			})
		})
	}
}

// KeQueryDpcWatchdogInformation answers in a DPC and at DISPATCH_LEVEL (WD-3), in
// ticks that are left (WD-7); the time of a DPC counts for both limits.
func TestWD3Query(t *testing.T) {
	scenario(t, kernel.Config{Tunables: fast}, func(b *bench) {
		query := func(t *kernel.Thread) {
			i, s := t.KeQueryDpcWatchdogInformation()
			b.note("%X:%d/%d,%d/%d", uint32(s), i.DpcTimeCount, i.DpcTimeLimit, i.DpcWatchdogCount, i.DpcWatchdogLimit)
		}
		dpc := b.dpc("dpc", func(t *kernel.Thread, _, _ uint64) {
			query(t)
			t.KeStallExecutionProcessor(3)
			query(t)
		})
		b.do(func(t *kernel.Thread) {
			query(t)
			t.KeRaiseIrql(2)
			t.KeStallExecutionProcessor(5)
			query(t)
			t.KeInsertQueueDpc(dpc, 0, 0)
			t.KeLowerIrql(0)
		})
		b.noted("C0000001:0/0,0/0 0:10/10,25/30 0:10/10,25/30 0:6/10,21/30")
	})
}
