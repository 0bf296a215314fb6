package kernel_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/trace"
)

// Offsets in a KDPC.
const (
	dpcType, dpcImportance, dpcNumber      = 0, 1, 2
	dpcArgument1, dpcArgument2, dpcDPCData = 40, 48, 56
)

func TestDPC1Object(t *testing.T) {
	scenario(t, kernel.Config{}, func(b *bench) {
		dpc := b.alloc(kernel.DPCSize)
		b.do(func(t *kernel.Thread) {
			for i := range uint64(8) {
				t.Store(dpc+8*i, 8, ^uint64(0))
			}
			t.KeInitializeDpc(dpc, 0x1234, 0x5678)
			for off, want := range map[uint64]uint64{dpcType: 19, dpcImportance: 1} {
				b.is(fmt.Sprintf("the byte at %d", off), t.Load(dpc+off, 1), want)
			}
			b.is("the target", t.Load(dpc+dpcNumber, 2), uint64(0))
			b.is("the routine", t.Load(dpc+24, 8), uint64(0x1234))
			b.is("the context", t.Load(dpc+32, 8), uint64(0x5678))
			b.is("DpcData", t.Load(dpc+dpcDPCData, 8), uint64(0))
		})
	})
}

func TestDPC2Queued(t *testing.T) {
	scenario(t, kernel.Config{Processors: 2}, func(b *bench) {
		var dpc uint64
		look := func(what string, want bool) {
			b.is(what+": queued", b.DPCQueued(dpc), want)
			b.is(what+": DpcData is set", b.value(dpc+dpcDPCData) != 0, want)
		}
		dpc = b.dpc("dpc", func(t *kernel.Thread, _, _ uint64) { look("in the routine", false) })
		b.do(func(t *kernel.Thread) {
			look("at first", false)
			t.KeRaiseIrql(2)
			t.KeInsertQueueDpc(dpc, 0, 0)
			look("inserted", true)
			t.KeInsertQueueDpc(dpc, 0, 0)
			look("inserted twice", true)
			t.KeRemoveQueueDpc(dpc)
			look("removed", false)
			t.KeInsertQueueDpc(dpc, 0, 0)
			look("inserted again", true)
			t.KeLowerIrql(0)
			look("finished", false)
		})
	})
}

// An insert of a queued object changes nothing: not the arguments, the
// position, nor the queue (DPC-3, DPC-6, DPC-23).
func TestDPC3SecondInsert(t *testing.T) {
	scenario(t, kernel.Config{Processors: 2}, func(b *bench) {
		dpc := b.dpc("dpc", func(t *kernel.Thread, arg1, arg2 uint64) { b.note("dpc(%d,%d)@%d", arg1, arg2, t.Processor()) })
		other := b.noteDPC("other")
		b.do(func(t *kernel.Thread) {
			t.KeRaiseIrql(2)
			b.note("%v", t.KeInsertQueueDpc(dpc, 1, 2))
			t.KeInsertQueueDpc(other, 0, 0)
			t.KeSetTargetProcessorDpc(dpc, 1)
			t.KeSetImportanceDpc(dpc, kernel.HighImportance)
			b.note("%v", t.KeInsertQueueDpc(dpc, 3, 4))
			t.KeLowerIrql(0)
			b.note("%v", t.KeInsertQueueDpc(dpc, 5, 6))
			t.KeFlushQueuedDpcs()
		})
		b.noted("true false dpc(1,2)@0 other true dpc(5,6)@1")
	})
}

// Of n concurrent inserts of an idle object one returns TRUE, and its arguments
// are the ones that count (DPC-3, DPC-19, DPC-23).
func TestDPC3ConcurrentInserts(t *testing.T) {
	b := newBench(t, kernel.Config{Processors: 3})
	ran := ""
	dpc := b.dpc("dpc", func(t *kernel.Thread, arg1, arg2 uint64) { ran += fmt.Sprint(arg1) })
	b.do(func(t *kernel.Thread) { t.KeSetTargetProcessorDpc(dpc, 2) })
	won := ""
	reaches(t, b.outcomes(func() {
		ran, won = "", ""
		b.thread(2, func(t *kernel.Thread) { // keeps the target busy
			t.KeRaiseIrql(2)
			t.BusyWait("the inserts", func() bool { return len(won) == 2 })
			t.KeLowerIrql(0)
		})
		for cpu := range 2 {
			b.thread(cpu, func(t *kernel.Thread) {
				if t.KeInsertQueueDpc(dpc, uint64(cpu), 0) {
					won += fmt.Sprint(cpu)
				} else {
					won += "-"
				}
			})
		}
	}, func() string { return won + " " + ran }), "0- 0", "1- 1")
}

func TestDPC4AnyIRQL(t *testing.T) {
	scenario(t, kernel.Config{}, func(b *bench) {
		dpc := b.noteDPC("dpc")
		b.do(func(t *kernel.Thread) {
			for irql := range uint8(16) {
				t.KeRaiseIrql(irql)
				b.note("%v", t.KeInsertQueueDpc(dpc, 0, 0))
				b.note("%v", t.KeRemoveQueueDpc(dpc))
			}
			t.KeLowerIrql(0)
		})
		b.noted("dpc true false dpc true false" + strings.Repeat(" true true", 14))
	})
}

// Without a target the routine runs on the processor of the insert, wherever
// the thread is meanwhile; with one it runs there (DPC-5).
func TestDPC5WhichQueue(t *testing.T) {
	b := newBench(t, kernel.Config{Processors: 2})
	dpc := b.dpc("dpc", func(t *kernel.Thread, arg1, _ uint64) { b.note("%d->%d", arg1, t.Processor()) })
	start := func() {
		b.threadWith(kernel.ThreadParams{}, func(t *kernel.Thread) {
			t.KeRaiseIrql(2)
			t.KeInsertQueueDpc(dpc, uint64(t.Processor()), 0)
			t.KeLowerIrql(0)
		})
		b.thread(1, func(t *kernel.Thread) { t.KeStallExecutionProcessor(1) })
	}
	reaches(t, b.outcomes(start, b.noteOutcome), "0->0", "1->1")
	for target := range int8(2) {
		b.do(func(t *kernel.Thread) { t.KeSetTargetProcessorDpc(dpc, target) })
		reaches(t, b.outcomes(start, b.noteOutcome), fmt.Sprintf("0->%d", target), fmt.Sprintf("1->%d", target))
	}
}

func TestDPC6TargetAndImportance(t *testing.T) {
	scenario(t, kernel.Config{Processors: 2}, func(b *bench) {
		dpc := b.dpc("dpc", func(t *kernel.Thread, _, _ uint64) { b.note("dpc@%d", t.Processor()) })
		other := b.noteDPC("other")
		b.do(func(t *kernel.Thread) {
			insert := func() {
				t.KeRaiseIrql(2)
				t.KeInsertQueueDpc(other, 0, 0)
				t.KeInsertQueueDpc(dpc, 0, 0)
				t.KeSetImportanceDpc(dpc, kernel.HighImportance)
				t.KeSetTargetProcessorDpc(dpc, 1)
				t.KeLowerIrql(0)
				t.KeFlushQueuedDpcs()
			}
			insert()
			b.note("|")
			insert()
			b.note("|")
			t.KeInitializeDpc(dpc, t.Load(dpc+24, 8), 0)
			for _, n := range []int8{-1, 2, 127} {
				t.KeSetTargetProcessorDpc(dpc, n)
			}
			b.is("the target", t.Load(dpc+dpcNumber, 2), uint64(0))
			b.is("processor 2", t.KeSetTargetProcessorDpcEx(dpc, 0, 2), kernel.StatusInvalidParameter)
			b.is("group 1", t.KeSetTargetProcessorDpcEx(dpc, 1, 0), kernel.StatusInvalidParameter)
			b.is("processor 1", t.KeSetTargetProcessorDpcEx(dpc, 0, 1), kernel.StatusSuccess)
			t.KeSetTargetProcessorDpc(dpc, 2)
			t.KeInsertQueueDpc(dpc, 0, 0)
			t.KeFlushQueuedDpcs()
		})
		b.noted("other dpc@0 | other dpc@1 | dpc@1")
	})
}

func TestDPC7Position(t *testing.T) {
	scenario(t, kernel.Config{}, func(b *bench) {
		importance := map[string]uint8{"L": kernel.LowImportance, "M": kernel.MediumImportance, "MH": kernel.MediumHighImportance,
			"H": kernel.HighImportance}
		for _, c := range []struct{ insert, want string }{
			{"M1 H1 M2 H2", "H2 H1 M1 M2"},
			{"L1 M1 MH1 L2 M2 MH2", "L1 M1 MH1 L2 M2 MH2"},
			{"MH1 H1 L1 H2 M1", "H2 H1 MH1 L1 M1"},
		} {
			b.history = nil
			var dpcs []uint64
			for _, name := range strings.Fields(c.insert) {
				dpcs = append(dpcs, b.noteDPC(name))
			}
			b.do(func(t *kernel.Thread) {
				t.KeRaiseIrql(2)
				for i, name := range strings.Fields(c.insert) {
					t.KeSetImportanceDpc(dpcs[i], importance[name[:len(name)-1]])
					t.KeInsertQueueDpc(dpcs[i], 0, 0)
				}
				t.KeLowerIrql(0)
			})
			b.noted(c.want)
		}
	})
}

// When a drain is requested on the own processor: the routine has run when the
// insert at PASSIVE_LEVEL returns (DPC-8).
func TestDPC8OwnProcessor(t *testing.T) {
	for _, c := range []struct {
		name       string
		importance uint8
		tun        kernel.Tunables
		rate       int // inserts in the last tick
		want       string
	}{
		{"DPC-8 Medium", kernel.MediumImportance, kernel.Tunables{}, 100, "dpc return"},
		{"DPC-8 MediumHigh", kernel.MediumHighImportance, kernel.Tunables{}, 100, "dpc return"},
		{"DPC-8 High", kernel.HighImportance, kernel.Tunables{}, 100, "dpc return"},
		{"DPC-8 Low, low rate", kernel.LowImportance, kernel.Tunables{}, 0, "dpc return"},
		{"DPC-8 Low, rate below the minimum", kernel.LowImportance, kernel.Tunables{MinimumDpcRate: 51}, 100, "dpc return"},
		{"DPC-8 Low, rate at the minimum", kernel.LowImportance, kernel.Tunables{MinimumDpcRate: 50}, 100, "return dpc"},
		{"DPC-8 Low, depth 1", kernel.LowImportance, kernel.Tunables{MaximumDpcQueueDepth: 1}, 100, "dpc return"},
	} {
		t.Run(c.name, func(t *testing.T) {
			scenario(t, kernel.Config{Tunables: c.tun}, func(b *bench) {
				dpc, other := b.noteDPC("dpc"), b.dpc("other", func(*kernel.Thread, uint64, uint64) {})
				b.do(func(t *kernel.Thread) {
					for range c.rate {
						t.KeInsertQueueDpc(other, 0, 0)
					}
					b.Tick()
					t.KeSetImportanceDpc(dpc, c.importance)
					t.KeInsertQueueDpc(dpc, 0, 0)
					t.KeStallExecutionProcessor(1)
					b.note("return")
				})
				b.noted(c.want)
			})
		})
	}
	scenario(t, kernel.Config{}, func(b *bench) { // the depth limit, 4 by default
		other := b.dpc("other", func(*kernel.Thread, uint64, uint64) {})
		var dpcs []uint64
		for i := range 4 {
			dpcs = append(dpcs, b.noteDPC(fmt.Sprint(i)))
		}
		b.do(func(t *kernel.Thread) {
			for range 100 {
				t.KeInsertQueueDpc(other, 0, 0)
			}
			b.Tick()
			for _, dpc := range dpcs {
				t.KeSetImportanceDpc(dpc, kernel.LowImportance)
				b.note("insert")
				t.KeInsertQueueDpc(dpc, 0, 0)
			}
			b.note("return")
		})
		b.noted("insert insert insert insert 0 1 2 3 return")
	})
}

// When it is requested on another processor, and when the DPC has to wait for
// the target's tick (DPC-9).
func TestDPC9OtherProcessor(t *testing.T) {
	for _, c := range []struct {
		name       string
		importance uint8
		want       string
	}{
		{"DPC-9 High", kernel.HighImportance, "dpc tick"},
		{"DPC-9 MediumHigh", kernel.MediumHighImportance, "dpc tick"},
		{"DPC-9 Medium", kernel.MediumImportance, "tick dpc"},
		{"DPC-9 Low", kernel.LowImportance, "tick dpc"},
	} {
		t.Run(c.name, func(t *testing.T) {
			scenario(t, kernel.Config{Processors: 2}, func(b *bench) {
				dpc, ticked := b.noteDPC("dpc"), b.cell()
				b.thread(0, func(t *kernel.Thread) {
					t.KeSetTargetProcessorDpc(dpc, 1)
					t.KeSetImportanceDpc(dpc, c.importance)
					t.KeInsertQueueDpc(dpc, 0, 0)
					t.KeStallExecutionProcessor(10_000)
					t.BusyWait("", func() bool { return c.want[0] == 't' || !b.DPCQueued(dpc) })
					b.note("tick")
					b.TickOn(1)
					t.Store(ticked, 8, 1)
				})
				b.thread(1, func(t *kernel.Thread) { // busy at PASSIVE_LEVEL
					t.BusyWait("the tick", func() bool { return b.value(ticked) == 1 })
				})
				b.run(kernel.Done)
				b.noted(c.want)
			})
		})
	}
	scenario(t, kernel.Config{Processors: 2, Tunables: kernel.Tunables{MaximumDpcQueueDepth: 3}}, func(b *bench) {
		var dpcs []uint64
		for i := range 3 {
			dpcs = append(dpcs, b.noteDPC(fmt.Sprint(i)))
		}
		ready, queued := b.cell(), b.cell()
		b.thread(1, func(t *kernel.Thread) {
			t.Store(ready, 8, 1)
			t.BusyWait("the inserts", func() bool { return b.value(queued) == 1 })
		})
		b.thread(0, func(t *kernel.Thread) {
			t.BusyWait("the target", func() bool { return b.value(ready) == 1 })
			for _, dpc := range dpcs {
				b.note("insert")
				t.KeSetTargetProcessorDpc(dpc, 1)
				t.KeInsertQueueDpc(dpc, 0, 0)
			}
			t.BusyWait("the drain", func() bool { return len(b.history) == 6 })
			t.Store(queued, 8, 1)
		})
		b.run(kernel.Done)
		b.noted("insert insert insert 0 1 2")
	})
}

// What drains a queue without a request (DPC-11).
func TestDPC11DeferredTriggers(t *testing.T) {
	for _, c := range []struct {
		name   string
		thread func(b *bench, t *kernel.Thread)
		want   string
	}{
		{"DPC-11 (a) clock tick", func(b *bench, t *kernel.Thread) {
			t.KeStallExecutionProcessor(16_000) // 1 tick
			b.note("later")
		}, "queued low later"},
		{"DPC-11 (b) idle", func(b *bench, t *kernel.Thread) {
			t.KeDelayExecutionThread(kernel.After(1000))
			b.note("later")
			b.is("time", b.Now() < 1_000_000, true) // long before the tick
		}, "queued low later"},
		{"DPC-11 (c) another DPC", func(b *bench, t *kernel.Thread) {
			other := b.alloc(kernel.DPCSize)
			t.KeInitializeDpc(other, b.dpcRoutine("other", func(*kernel.Thread, uint64, uint64) { b.note("other") }), 0)
			t.KeInsertQueueDpc(other, 0, 0)
			b.note("later")
		}, "queued low other later"},
		{"DPC-11 (d) flush", func(b *bench, t *kernel.Thread) {
			t.KeFlushQueuedDpcs()
			b.note("later")
		}, "queued low later"},
		{"DPC-11 nothing", func(b *bench, t *kernel.Thread) {
			t.KeStallExecutionProcessor(1)
			b.note("later")
		}, "queued later low"},
	} {
		t.Run(c.name, func(t *testing.T) {
			scenario(t, kernel.Config{}, func(b *bench) {
				low, busy := b.noteDPC("low"), b.dpc("busy", func(*kernel.Thread, uint64, uint64) {})
				b.do(func(t *kernel.Thread) {
					for range 100 { // a rate at which Low DPCs wait
						t.KeInsertQueueDpc(busy, 0, 0)
					}
					b.Tick()
					t.KeSetImportanceDpc(low, kernel.LowImportance)
					t.KeInsertQueueDpc(low, 0, 0)
					b.note("queued")
					c.thread(b, t)
				})
				b.noted(c.want)
			})
		})
	}
	// At the latest at the target's next tick, as soon as its IRQL is below
	// DISPATCH_LEVEL (DPC-9): nothing waits for ever.
	scenario(t, kernel.Config{Processors: 2}, func(b *bench) {
		dpc := b.noteDPC("dpc")
		b.do(func(t *kernel.Thread) {
			t.KeSetTargetProcessorDpc(dpc, 1)
			t.KeInsertQueueDpc(dpc, 0, 0)
		})
		b.noted("dpc")
		b.is("time", b.Now() <= 2*15_625_000, true)
	})
}

// The drain: timers first, at DISPATCH_LEVEL, interrupts enabled, and what a
// DPC or an ISR queues meanwhile is part of it (DPC-13).
func TestDPC13Drain(t *testing.T) {
	scenario(t, kernel.Config{}, func(b *bench) {
		second, third, timed := b.noteDPC("second"), b.noteDPC("third"), b.noteDPC("timer")
		timer := b.timer(false)
		b.message("isr", testVector, func(t *kernel.Thread) bool {
			b.note("isr")
			t.KeInsertQueueDpc(third, 0, 0)
			return true
		})
		first := b.dpc("first", func(t *kernel.Thread, _, _ uint64) {
			b.note("first@%d", t.IRQL())
			t.KeInsertQueueDpc(second, 0, 0)
			b.SendMessage(testVector)
			t.KeStallExecutionProcessor(1)
			b.note("end")
		})
		b.do(func(t *kernel.Thread) {
			t.KeRaiseIrql(2)
			t.KeInsertQueueDpc(first, 0, 0)
			t.KeSetTimerEx(timer, kernel.After(100), 0, timed)
			t.KeStallExecutionProcessor(5)
			b.note("lower")
			t.KeLowerIrql(0)
			b.note("thread")
		})
		b.noted("lower timer first@2 isr end second third thread")
		drains := 0
		for _, e := range b.Trace.Events {
			if e.Kind == trace.IRQL && e.Value == 2 && e.Act != 0 && e.Time > 5000 {
				drains++
			}
		}
		b.is("drains", drains, 2) // one rises to DISPATCH_LEVEL, the other comes back from the ISR
	})
}

// Once a drain is requested nothing below DISPATCH_LEVEL runs on the processor
// before the queue is empty; another processor is not concerned (DPC-14).
func TestDPC14BeforeAnythingBelow(t *testing.T) {
	b := newBench(t, kernel.Config{Processors: 2})
	x, y := b.cell(), b.cell()
	dpc := b.dpc("dpc", func(t *kernel.Thread, _, _ uint64) {
		t.Store(x, 8, 1)
		t.Store(y, 8, 1)
	})
	own, other := "", ""
	reaches(t, b.outcomes(func() {
		b.thread(0, func(t *kernel.Thread) {
			t.KeInsertQueueDpc(dpc, 0, 0)
			own = fmt.Sprint(t.Load(x, 8), t.Load(y, 8))
		})
		b.thread(1, func(t *kernel.Thread) { other = fmt.Sprint(t.Load(x, 8), t.Load(y, 8)) })
	}, func() string { return "own " + own + ", other " + other }),
		"own 1 1, other 0 0", "own 1 1, other 0 1", "own 1 1, other 1 0", "own 1 1, other 1 1")
}

// The object is not queued while its routine runs: it may be queued, freed or
// initialized again there (DPC-15); a run again on the same processor comes
// after this one (DPC-18), and no other DPC comes in between (DPC-16).
func TestDPC15DequeuedBeforeCall(t *testing.T) {
	scenario(t, kernel.Config{}, func(b *bench) {
		runs := 0
		var dpc uint64
		high := b.noteDPC("high")
		dpc = b.dpc("dpc", func(t *kernel.Thread, arg1, _ uint64) {
			b.note("[%d", arg1)
			if runs++; runs == 1 {
				b.note("remove=%v", t.KeRemoveQueueDpc(dpc))
				b.note("insert=%v", t.KeInsertQueueDpc(dpc, 2, 0))
				b.note("insert=%v", t.KeInsertQueueDpc(dpc, 3, 0))
				t.KeSetImportanceDpc(high, kernel.HighImportance)
				t.KeInsertQueueDpc(high, 0, 0)
				t.KeStallExecutionProcessor(1)
			}
			b.note("]")
		})
		b.do(func(t *kernel.Thread) { t.KeInsertQueueDpc(dpc, 1, 0) })
		b.noted("[1 remove=false insert=true insert=false ] high [2 ]")
	})
	scenario(t, kernel.Config{}, func(b *bench) {
		b.do(func(t *kernel.Thread) {
			var dpc uint64
			routine := b.dpcRoutine("frees", func(t *kernel.Thread, _, _ uint64) {
				t.ExFreePoolWithTag(dpc, 0)
				b.note("freed")
			})
			dpc = t.ExAllocatePool2(kernel.PoolFlagNonPaged, kernel.DPCSize, 0x41414141)
			t.KeInitializeDpc(dpc, routine, 0)
			t.KeInsertQueueDpc(dpc, 0, 0)
		})
		again := b.noteDPC("again")
		dpc := b.dpc("dpc", func(t *kernel.Thread, _, _ uint64) {
			b.note("dpc")
			t.KeInitializeDpc(again, b.fn("again", b.routines["again"]), 0)
		})
		b.do(func(t *kernel.Thread) {
			t.Load(dpc, 8)
			t.KeInsertQueueDpc(dpc, 0, 0)
			t.KeInsertQueueDpc(again, 0, 0)
		})
		b.noted("freed dpc again")
	})
}

// Two inserts on two processors: the runs overlap or not, and the second may
// end first; or the inserts coalesce (DPC-17, QD-4).
func TestDPC17OverlapOnTwoProcessors(t *testing.T) {
	b := newBench(t, kernel.Config{Processors: 2})
	x := b.cell()
	dpc := b.dpc("dpc", func(t *kernel.Thread, who, _ uint64) {
		b.note("[%d", who)
		t.Load(x, 8)
		b.note("%d]", who)
	})
	reaches(t, b.outcomes(func() {
		for cpu := range 2 {
			b.thread(cpu, func(t *kernel.Thread) {
				t.KeRaiseIrql(2)
				if !t.KeInsertQueueDpc(dpc, uint64(cpu), 0) {
					b.note("-")
				}
				t.KeLowerIrql(0)
			})
		}
	}, b.noteOutcome),
		"- [0 0]", "- [1 1]", // coalesced
		"[0 0] [1 1]", "[1 1] [0 0]", // one after the other
		"[0 [1 0] 1]", "[1 [0 1] 0]", // overlap
		"[0 [1 1] 0]", "[1 [0 0] 1]") // inside
}

// The ISR interrupts the running DPC on the same processor and queues it again
// (QD-2, QD-3, DPC-15, DPC-18).
func TestDPC18InterruptedDPCIsQueuedAgain(t *testing.T) {
	scenario(t, kernel.Config{}, func(b *bench) {
		runs := 0
		dpc := b.dpc("dpc", func(t *kernel.Thread, _, _ uint64) {
			runs++
			b.note("dpc%d[", runs)
			if runs == 1 {
				b.SendMessage(testVector)
				t.KeStallExecutionProcessor(1)
			}
			b.note("]")
		})
		b.message("isr", testVector, func(t *kernel.Thread) bool {
			b.note("isr@%d", t.KeGetCurrentIrql())
			b.note("%v", t.KeInsertQueueDpc(dpc, 0, 0))
			return true
		})
		b.SendMessage(testVector)
		b.run(kernel.Done)
		b.noted("isr@5 true dpc1[ isr@5 true ] dpc2[ ]")
	})
}

// Runs are inserts that returned TRUE less removes that returned TRUE, in every
// schedule (DPC-19, DPC-21).
func TestDPC19NumberOfRuns(t *testing.T) {
	b := newBench(t, kernel.Config{Processors: 2})
	inserts, removes, runs := 0, 0, 0
	dpc := b.dpc("dpc", func(t *kernel.Thread, _, _ uint64) { runs++ })
	b.message("isr", testVector, func(t *kernel.Thread) bool {
		inserts += int(b2u(t.KeInsertQueueDpc(dpc, 0, 0)))
		return true
	})
	b.arrive(arrival{testVector, 1}, arrival{testVector, 0})
	seen := map[string]bool{}
	b.outcomes(func() {
		inserts, removes, runs = 0, 0, 0
		b.thread(0, func(t *kernel.Thread) {
			inserts += int(b2u(t.KeInsertQueueDpc(dpc, 0, 0)))
			removes += int(b2u(t.KeRemoveQueueDpc(dpc)))
		})
	}, func() string {
		if runs != inserts-removes {
			t.Errorf("%d runs of %d inserts and %d removes", runs, inserts, removes)
		}
		seen[fmt.Sprintf("%d-%d", inserts, removes)] = true
		return ""
	})
	reaches(t, sorted(seen), "1-0", "1-1", "2-0", "2-1", "3-0", "3-1")
}

// DPCs of different processors are in no order (DPC-20).
func TestDPC20NoOrderBetweenProcessors(t *testing.T) {
	b := newBench(t, kernel.Config{Processors: 2})
	first, second := b.noteDPC("first"), b.noteDPC("second")
	b.do(func(t *kernel.Thread) {
		for i, dpc := range []uint64{first, second} {
			t.KeSetImportanceDpc(dpc, kernel.HighImportance)
			t.KeSetTargetProcessorDpc(dpc, int8(i))
		}
	})
	reaches(t, b.outcomes(func() {
		b.thread(0, func(t *kernel.Thread) {
			t.KeRaiseIrql(2)
			t.KeInsertQueueDpc(first, 0, 0)
			t.KeInsertQueueDpc(second, 0, 0)
			t.KeLowerIrql(0)
		})
	}, b.noteOutcome), "first second", "second first")
}

// TRUE if and only if the routine will not run for that insert; it never waits
// (DPC-21).
func TestDPC21Remove(t *testing.T) {
	b := newBench(t, kernel.Config{Processors: 2})
	x := b.cell()
	dpc := b.dpc("dpc", func(t *kernel.Thread, _, _ uint64) {
		b.note("[")
		t.Load(x, 8)
		b.note("]")
	})
	b.do(func(t *kernel.Thread) {
		t.KeSetTargetProcessorDpc(dpc, 1)
		t.KeSetImportanceDpc(dpc, kernel.HighImportance)
	})
	reaches(t, b.outcomes(func() {
		b.thread(0, func(t *kernel.Thread) {
			t.KeInsertQueueDpc(dpc, 0, 0)
			b.note("%v", t.KeRemoveQueueDpc(dpc))
		})
	}, b.noteOutcome),
		"true",      // before its routine started
		"false [ ]", // dequeued, about to start
		"[ false ]", // running
		"[ ] false") // finished
	scenario(t, kernel.Config{}, func(b *bench) {
		dpc := b.noteDPC("dpc")
		b.do(func(t *kernel.Thread) { b.note("%v", t.KeRemoveQueueDpc(dpc)) })
		b.noted("false") // never queued
	})
}

// The flush returns after everything that was queued or running at the call
// (DPC-22), and does not wait for what is queued later for ever.
func TestDPC22Flush(t *testing.T) {
	b := newBench(t, kernel.Config{Processors: 3})
	x := b.cell()
	dpc := b.dpc("dpc", func(t *kernel.Thread, _, _ uint64) {
		b.note("[")
		t.Load(x, 8)
		b.note("]")
	})
	b.do(func(t *kernel.Thread) { t.KeSetTargetProcessorDpc(dpc, 1) })
	reaches(t, b.outcomes(func() {
		b.thread(0, func(t *kernel.Thread) {
			t.KeInsertQueueDpc(dpc, 0, 0)
			t.KeFlushQueuedDpcs()
			b.note("flushed")
		})
	}, b.noteOutcome), "[ ] flushed")
	// The insert is another processor's: before the call, or during or after it.
	b.do(func(t *kernel.Thread) { t.KeSetImportanceDpc(dpc, kernel.HighImportance) })
	reaches(t, b.outcomes(func() {
		b.thread(2, func(t *kernel.Thread) { t.KeInsertQueueDpc(dpc, 0, 0) })
		b.thread(0, func(t *kernel.Thread) {
			queued := b.DPCQueued(dpc)
			t.KeFlushQueuedDpcs()
			t.Load(x, 8)
			b.note("flushed%v", queued)
		})
	}, b.noteOutcome), "[ ] flushedfalse", "[ ] flushedtrue", "[ flushedfalse ]", "flushedfalse [ ]")
	scenario(t, kernel.Config{Processors: 2}, func(b *bench) { // a DPC that queues itself until the flush has returned
		var dpc uint64
		flushed := b.cell()
		dpc = b.dpc("dpc", func(t *kernel.Thread, _, _ uint64) {
			if t.Load(flushed, 8) == 0 {
				t.KeInsertQueueDpc(dpc, 0, 0)
			}
		})
		b.do(func(t *kernel.Thread) {
			t.KeSetTargetProcessorDpc(dpc, 1)
			t.KeInsertQueueDpc(dpc, 0, 0)
			t.KeFlushQueuedDpcs()
			t.Store(flushed, 8, 1)
		})
	})
}

// A timer's DPC is called by the expiry with the time as arguments; the object
// is not queued meanwhile (DPC-24).
func TestDPC24TimerDPC(t *testing.T) {
	scenario(t, kernel.Config{Processors: 2}, func(b *bench) {
		timer := b.timer(false)
		var dpc uint64
		runs := 0
		dpc = b.dpc("dpc", func(t *kernel.Thread, low, high uint64) {
			b.note("dpc%d@%d", t.Processor(), t.IRQL())
			if runs++; runs == 1 {
				b.is("the time", high<<32|low, b.Now()/100)
				b.is("the timer is signalled", b.value(timer)>>32, uint64(1))
				b.note("remove=%v", t.KeRemoveQueueDpc(dpc))
				b.note("insert=%v", t.KeInsertQueueDpc(dpc, 0, 0))
			}
		})
		b.do(func(t *kernel.Thread) {
			b.note("%v", t.KeSetTimerEx(timer, kernel.After(100_000), 0, dpc))
			b.note("%v", t.KeSetTimerEx(timer, kernel.After(200_000), 0, dpc))
			b.is("wait", t.KeWaitForSingleObject(timer, kernel.Forever), kernel.StatusSuccess)
			b.note("cancel=%v", t.KeCancelTimer(timer))
			t.KeSetTimerEx(timer, kernel.After(100_000), 0, dpc)
			b.note("cancel=%v", t.KeCancelTimer(timer))
			t.KeDelayExecutionThread(kernel.After(1_000_000))
		})
		b.noted("false true dpc0@2 remove=false insert=true dpc0@2 cancel=false cancel=true")
	})
	scenario(t, kernel.Config{Processors: 2}, func(b *bench) { // another target: queued
		timer := b.timer(true)
		dpc := b.dpc("dpc", func(t *kernel.Thread, _, _ uint64) { b.note("dpc%d", t.Processor()) })
		b.do(func(t *kernel.Thread) {
			t.KeSetTargetProcessorDpc(dpc, 1)
			t.KeSetTimerEx(timer, kernel.After(1000), 0, dpc)
			t.KeRaiseIrql(2)
			t.KeStallExecutionProcessor(5)
			b.is("queued before the expiry", b.DPCQueued(dpc), false)
			t.KeLowerIrql(0)
			b.is("queued after the expiry", b.DPCQueued(dpc), true)
			t.KeFlushQueuedDpcs()
		})
		b.noted("dpc1")
	})
	scenario(t, kernel.Config{}, func(b *bench) { // due, but not expired: still in the timer queue
		timer, dpc := b.timer(false), b.noteDPC("dpc")
		b.do(func(t *kernel.Thread) {
			t.KeSetTimerEx(timer, kernel.After(1000), 0, dpc)
			t.KeRaiseIrql(2)
			t.KeStallExecutionProcessor(5)
			b.is("set", b.TimerSet(timer), true)
			b.note("%v", t.KeCancelTimer(timer))
			t.KeLowerIrql(0)
			t.KeSetTimerEx(timer, kernel.After(1000), 0, dpc)
			t.KeRaiseIrql(2)
			t.KeStallExecutionProcessor(5)
			b.note("%v", t.KeSetTimerEx(timer, kernel.After(100_000), 0, dpc))
			t.KeLowerIrql(0)
			b.note("lowered")
		})
		b.noted("true true lowered dpc")
	})
	scenario(t, kernel.Config{}, func(b *bench) { // periodic
		timer := b.timer(true)
		dpc := b.noteDPC("dpc")
		b.do(func(t *kernel.Thread) {
			t.KeSetTimerEx(timer, kernel.After(0), 2, dpc)
			t.KeDelayExecutionThread(kernel.After(5_000_000))
			b.note("%v", t.KeCancelTimer(timer))
			t.KeDelayExecutionThread(kernel.After(5_000_000))
		})
		b.noted("dpc dpc dpc true")
	})
}

// What was written before an insert is seen by a run: of a TRUE insert by its
// own, of a FALSE one by the run that was outstanding (DPC-29).
func TestDPC29Ordering(t *testing.T) {
	b := newBench(t, kernel.Config{Processors: 2})
	work, done := b.cell(), b.cell()
	dpc := b.dpc("dpc", func(t *kernel.Thread, _, _ uint64) {
		n := t.Update(work, 8, func(uint64) uint64 { return 0 })
		t.Update(done, 8, func(old uint64) uint64 { return old + n })
	})
	b.do(func(t *kernel.Thread) {
		t.KeSetTargetProcessorDpc(dpc, 1)
		t.KeSetImportanceDpc(dpc, kernel.HighImportance)
	})
	reaches(t, b.outcomes(func() {
		for cpu := range 2 {
			b.thread(cpu, func(t *kernel.Thread) {
				t.Update(work, 8, func(old uint64) uint64 { return old + 1 })
				t.KeInsertQueueDpc(dpc, 0, 0)
			})
		}
	}, func() string { return fmt.Sprintf("left %d, done %d", b.value(work), b.value(done)) }), "left 0, done 2")
}

// KeIsExecutingDpc is the mark of the drain: an ISR on top of a DPC sees it, a
// thread at DISPATCH_LEVEL does not (DPC-30).
func TestDPC30IsExecuting(t *testing.T) {
	scenario(t, kernel.Config{Processors: 2}, func(b *bench) {
		b.message("isr", testVector, func(t *kernel.Thread) bool { b.note("isr=%v", t.KeIsExecutingDpc()); return true })
		dpc := b.dpc("dpc", func(t *kernel.Thread, _, _ uint64) {
			b.note("dpc=%v", t.KeIsExecutingDpc())
			b.DeliverTo(testVector, 0)
			t.KeStallExecutionProcessor(1)
		})
		b.do(func(t *kernel.Thread) {
			t.KeRaiseIrql(2)
			b.note("thread=%v", t.KeIsExecutingDpc())
			b.DeliverTo(testVector, 0)
			t.KeInsertQueueDpc(dpc, 0, 0)
			t.KeLowerIrql(0)
			b.note("thread=%v", t.KeIsExecutingDpc())
		})
		b.noted("thread=false isr=false dpc=true isr=true thread=false")
	})
}

// A target that is no processor is noticed in the drain: 0xC7/3 (DPC-28).
func TestDPC28ProcessorNumber(t *testing.T) {
	crash := crash{name: "DPC-28 overwritten target", procs: 2, ends: kernel.Stopped, code: 0xC7, body: func(b *bench, t *kernel.Thread) {
		dpc := b.alloc(kernel.DPCSize)
		t.KeInitializeDpc(dpc, b.dpcRoutine("dpc", func(*kernel.Thread, uint64, uint64) {}), 0)
		t.KeSetTargetProcessorDpc(dpc, 1)
		b.is("unknown processor", t.KeSetTargetProcessorDpcEx(dpc, 0, 2), kernel.StatusInvalidParameter)
		b.is("unknown group", t.KeSetTargetProcessorDpcEx(dpc, 1, 0), kernel.StatusInvalidParameter)
		t.KeInsertQueueDpc(dpc, 0, 0)
		t.Store(dpc+dpcNumber, 2, 0x507)
		t.KeFlushQueuedDpcs()
	}, params: func(b *bench) [4]uint64 { return [4]uint64{3, b.at(0), 7, 2} }}
	crash.check(t)
}

// The bookkeeping of the clock tick (DPC-12): the rate is a mean with the past;
// a tick that finds a queue lowers the limit while the rate is small; after
// AdjustDpcThreshold ticks without one it grows again, up to the maximum.
func TestDPC12Tick(t *testing.T) {
	tun := kernel.Tunables{MaximumDpcQueueDepth: 3, IdealDpcRate: 5, AdjustDpcThreshold: 2, MinimumDpcRate: 1}
	scenario(t, kernel.Config{Tunables: tun}, func(b *bench) {
		state := func() {
			rate, depth, adjust := b.DPCRate(0)
			b.note("%d/%d/%d", rate, depth, adjust)
		}
		dpc := b.noteDPC("dpc")
		low := b.noteDPC("low")
		b.do(func(t *kernel.Thread) {
			t.KeSetImportanceDpc(low, kernel.LowImportance)
			for range 8 {
				t.KeInsertQueueDpc(dpc, 0, 0)
			}
			b.history = nil
			state()
			b.Tick() // 8 inserts: (8+0)/2; the queue is empty
			state()
			t.KeRaiseIrql(2)
			t.KeInsertQueueDpc(low, 0, 0)
			b.Tick() // (1+4)/2; the queue is not empty, the rate is below 5: lowered, counter restarted
			state()
			b.Tick()
			state()
			b.Tick() // never below 1
			state()
			t.KeLowerIrql(0)
			for range 6 {
				b.Tick()
				state()
			}
		})
		b.noted("0/3/2 4/3/1 2/2/2 1/1/2 0/1/2 low 0/1/1 0/2/2 0/2/1 0/3/2 0/3/1 0/3/2")
	})
	scenario(t, kernel.Config{Tunables: tun}, func(b *bench) { // not at a rate that is high enough
		dpc := b.noteDPC("dpc")
		b.do(func(t *kernel.Thread) {
			for range 12 {
				t.KeInsertQueueDpc(dpc, 0, 0)
			}
			t.KeRaiseIrql(2)
			t.KeInsertQueueDpc(dpc, 0, 0)
			b.Tick()
			rate, depth, _ := b.DPCRate(0)
			b.is("rate", rate, 6)
			b.is("limit", depth, 3)
			t.KeLowerIrql(0)
		})
	})
}

// The depth that requests a drain is reached, not exceeded (CON-9), for any value
// of the tunable (DPC-10); the limit that the clock has lowered counts as well.
func TestDPC10Tunables(t *testing.T) {
	for depth := range 4 {
		scenario(t, kernel.Config{Tunables: kernel.Tunables{MaximumDpcQueueDepth: depth + 1, MinimumDpcRate: 1}}, func(b *bench) {
			var list []uint64
			for i := range 5 {
				dpc := b.noteDPC(fmt.Sprint(i))
				list = append(list, dpc)
				b.do(func(t *kernel.Thread) { t.KeSetImportanceDpc(dpc, kernel.LowImportance) })
			}
			b.do(func(t *kernel.Thread) {
				for range 4 { // a rate that is not below the minimum
					t.KeInsertQueueDpc(list[4], 0, 0)
					b.Tick()
					t.KeFlushQueuedDpcs()
					t.KeInsertQueueDpc(list[4], 0, 0)
					t.KeInsertQueueDpc(list[3], 0, 0)
					t.KeFlushQueuedDpcs()
				}
				b.Tick()
				_, limit, _ := b.DPCRate(0)
				limit = min(limit, depth+1)
				b.history = nil
				for i := range limit {
					b.note("insert")
					t.KeInsertQueueDpc(list[i], 0, 0)
				}
				b.note("thread")
				want := strings.Repeat("insert ", limit) + fmt.Sprint(0)
				for i := 1; i < limit; i++ {
					want += " " + fmt.Sprint(i)
				}
				b.noted(want + " thread")
			})
		})
	}
}

// KeRemoveQueueDpcEx with wait returns when the routine has ended; without wait it
// is KeRemoveQueueDpc (DPC-21).
func TestDPC21RemoveEx(t *testing.T) {
	for _, raise := range []bool{false, true} {
		b := newBench(t, kernel.Config{Processors: 2})
		x := b.cell()
		dpc := b.dpc("dpc", func(t *kernel.Thread, _, _ uint64) {
			b.note("[")
			t.Load(x, 8)
			b.note("]")
		})
		b.do(func(t *kernel.Thread) {
			t.KeSetTargetProcessorDpc(dpc, 1)
			t.KeSetImportanceDpc(dpc, kernel.HighImportance)
		})
		reaches(t, b.outcomes(func() {
			b.thread(0, func(t *kernel.Thread) {
				if raise {
					t.KeRaiseIrql(2)
				}
				t.KeInsertQueueDpc(dpc, 0, 0)
				b.note("%v", t.KeRemoveQueueDpcEx(dpc, true))
				if raise {
					t.KeLowerIrql(0)
				}
			})
		}, b.noteOutcome), "true", "[ ] false")
	}
	crash := crash{name: "DPC-21 in the routine itself", ends: kernel.Stopped, rule: "self-deadlock", body: func(b *bench, t *kernel.Thread) {
		dpc := b.alloc(kernel.DPCSize)
		t.KeInitializeDpc(dpc, b.dpcRoutine("dpc", func(t *kernel.Thread, _, _ uint64) { t.KeRemoveQueueDpcEx(dpc, true) }), 0)
		t.KeInsertQueueDpc(dpc, 0, 0)
	}}
	crash.check(t)
}
