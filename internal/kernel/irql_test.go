package kernel_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/dirql/dirql/internal/kernel"
)

func TestIRQL1OnePerProcessor(t *testing.T) {
	scenario(t, kernel.Config{Processors: 2}, func(b *bench) {
		flag := b.cell()
		dpc := b.dpc("dpc", func(t *kernel.Thread, _, _ uint64) {
			b.note("dpc on %d at %d", t.Processor(), t.IRQL())
			t.Store(flag, 8, 1)
		})
		b.thread(0, func(t *kernel.Thread) {
			t.KeSetImportanceDpc(dpc, kernel.HighImportance)
			t.KeSetTargetProcessorDpc(dpc, 1)
			t.KeRaiseIrql(kernel.DispatchLevel)
			t.KeInsertQueueDpc(dpc, 0, 0)
			t.BusyWait("the DPC", func() bool { return b.value(flag) == 1 })
			b.note("still at %d", t.IRQL())
			t.KeLowerIrql(kernel.PassiveLevel)
		})
		b.thread(1, func(t *kernel.Thread) {
			b.note("other at %d", t.KeGetCurrentIrql())
		})
		b.run(kernel.Done)
		b.noted("dpc on 1 at 2 other at 0 still at 2")
	})
}

func TestIRQL2Values(t *testing.T) {
	scenario(t, kernel.Config{}, func(b *bench) {
		b.do(func(t *kernel.Thread) {
			for irql := range uint8(16) {
				b.is("the old level", t.KeRaiseIrql(irql), max(irql, 1)-1)
				b.is("the level", t.KeGetCurrentIrql(), irql)
			}
			t.KeLowerIrql(kernel.PassiveLevel)
		})
		for got, want := range map[int]int{kernel.PassiveLevel: 0, kernel.APCLevel: 1, kernel.DispatchLevel: 2, kernel.FirstDIRQL: 3,
			kernel.LastDIRQL: 11, kernel.SynchLevel: 12, kernel.ClockLevel: 13, kernel.HighLevel: 15} {
			b.is("a level", got, want)
		}
	})
}

// With interrupts disabled, a processor takes neither interrupts nor DPCs, whatever
// its level is, until they are enabled again.
func TestInterruptsDisabled(t *testing.T) {
	scenario(t, kernel.Config{}, func(b *bench) {
		b.message("isr", 0x51, func(*kernel.Thread) bool { b.note("isr"); return true })
		dpc := b.dpc("dpc", func(*kernel.Thread, uint64, uint64) { b.note("dpc") })
		b.do(func(t *kernel.Thread) {
			t.SetInterrupts(false)
			t.KeInsertQueueDpc(dpc, 0, 0)
			b.SendMessage(0x51)
			t.Step()
			t.KeLowerIrql(t.KeRaiseIrql(kernel.DispatchLevel))
			b.note("disabled %t", t.InterruptsDisabled())
			t.SetInterrupts(true)
			b.note("enabled")
		})
		b.noted("disabled true isr dpc enabled")
	})
}

// A processor with interrupts disabled for ever misses the clock.
func TestInterruptsDisabledForEver(t *testing.T) {
	scenario(t, kernel.Config{}, func(b *bench) {
		b.thread(0, func(t *kernel.Thread) {
			t.SetInterrupts(false)
			t.BusyWait("nothing", func() bool { return false })
		})
		b.run(kernel.Stopped)
		if f := b.Findings(); len(f) != 1 || !strings.Contains(f[0].Text, "interrupts disabled") {
			b.t.Errorf("%v", f)
		}
	})
}

// A vector is taken exactly where its class is above the IRQL, and no vector
// of class 2 or less, or above the device levels, can be connected.
func TestIRQL3VectorClass(t *testing.T) {
	scenario(t, kernel.Config{}, func(b *bench) {
		ran := 0
		for class := uint8(3); class <= 11; class++ {
			b.message(fmt.Sprintf("isr %d", class), class<<4|1, func(t *kernel.Thread) bool { ran++; return true })
		}
		b.do(func(t *kernel.Thread) {
			for class := uint8(3); class <= 11; class++ {
				for irql := range uint8(16) {
					ran = 0
					t.KeRaiseIrql(irql)
					b.SendMessage(class<<4 | 1)
					t.KeStallExecutionProcessor(1)
					b.is(fmt.Sprintf("calls of the ISR of class %d at IRQL %d", class, irql), ran, int(b2u(irql < class)))
					t.KeLowerIrql(kernel.PassiveLevel)
					b.is("calls after lowering", ran, 1)
				}
			}
		})
		for class := range uint8(16) {
			_, s := b.Connect(kernel.ConnectParams{Vector: class<<4 | 8, IRQL: class, SynchronizeIRQL: class, MessageSignaled: true,
				Latched: true, Affinity: 1})
			b.is(fmt.Sprintf("connecting class %d fails", class), s == kernel.StatusNotFound, class < 3 || class > 11)
		}
	})
}

func b2u(v bool) uint64 {
	if v {
		return 1
	}
	return 0
}

// At a level everything of that level and below is held, also the interrupts
// of other devices; what is above is taken at once.
func TestIRQL4Masking(t *testing.T) {
	scenario(t, kernel.Config{}, func(b *bench) {
		dpc := b.noteDPC("dpc")
		b.message("isr6", 0x61, func(t *kernel.Thread) bool { b.note("isr6"); return true })
		b.message("other", 0x52, func(t *kernel.Thread) bool { b.note("other"); return true })
		b.message("isr5", testVector, func(t *kernel.Thread) bool {
			b.note("isr5[")
			b.SendMessage(0x52)
			t.KeStallExecutionProcessor(1)
			b.SendMessage(0x61)
			t.KeStallExecutionProcessor(1)
			b.note("]")
			return true
		})
		b.do(func(t *kernel.Thread) {
			t.KeRaiseIrql(kernel.DispatchLevel)
			t.KeInsertQueueDpc(dpc, 0, 0)
			b.SendMessage(testVector)
			t.KeStallExecutionProcessor(1)
			b.note("low")
			t.KeLowerIrql(kernel.PassiveLevel)
			b.note("end")
		})
		b.noted("isr5[ isr6 ] other low dpc end")
	})
}

// What a level held back is taken highest first, before the next instruction.
func TestIRQL5TakenOnLowering(t *testing.T) {
	scenario(t, kernel.Config{}, func(b *bench) {
		dpc := b.noteDPC("dpc")
		event := b.event(kernel.SynchronizationEvent, false)
		for _, v := range []uint8{0x31, 0x32, 0x51, 0x81} {
			b.message(fmt.Sprintf("isr %x", v), v, func(t *kernel.Thread) bool {
				b.note("%X@%d", v, t.IRQL())
				return true
			})
		}
		b.threadWith(kernel.ThreadParams{Affinity: 1, Priority: 20}, func(t *kernel.Thread) {
			t.KeWaitForSingleObject(event, kernel.Forever)
			b.note("thread")
		})
		b.thread(0, func(t *kernel.Thread) {
			t.KeRaiseIrql(kernel.DispatchLevel)
			t.KeSetEvent(event)
			t.KeRaiseIrql(11)
			for _, v := range []uint8{0x31, 0x81, 0x51, 0x32} {
				b.SendMessage(v)
			}
			t.KeInsertQueueDpc(dpc, 0, 0)
			b.note("to5")
			t.KeLowerIrql(5)
			b.note("to2")
			t.KeLowerIrql(kernel.DispatchLevel)
			b.note("to0")
			t.KeLowerIrql(kernel.PassiveLevel)
			b.note("end")
		})
		b.run(kernel.Done)
		b.noted("to5 81@8 to2 51@5 32@3 31@3 to0 dpc thread end")
	})
}

func TestIRQL7EntryLevels(t *testing.T) {
	scenario(t, kernel.Config{}, func(b *bench) {
		see := func(what string) func(t *kernel.Thread, _, _ uint64) {
			return func(t *kernel.Thread, _, _ uint64) {
				b.note("%s@%d", what, t.IRQL())
			}
		}
		dpc, timerDPC := b.dpc("dpc", see("DPC")), b.dpc("timer dpc", see("timer"))
		timer := b.timer(false)
		b.connect("isr", testVector, kernel.ConnectParams{SynchronizeIRQL: 7, Latched: true, MessageSignaled: true},
			func(t *kernel.Thread) bool { see("ISR")(t, 0, 0); return true })
		item := b.fn("work", func(t *kernel.Thread, _ kernel.Args) uint64 { see("work item")(t, 0, 0); return 0 })
		b.do(func(t *kernel.Thread) {
			see("thread")(t, 0, 0)
			b.SendMessage(testVector)
			t.KeInsertQueueDpc(dpc, 0, 0)
			t.KeSetTimerEx(timer, kernel.After(1000), 0, timerDPC)
			b.QueueWork(0, "work item", item, kernel.Args{})
			t.KeDelayExecutionThread(kernel.After(1_000_000))
		})
		b.noted("thread@0 ISR@7 DPC@2 work item@0 timer@2")
	})
}

func TestIRQL9ZeroTimeoutWait(t *testing.T) {
	scenario(t, kernel.Config{}, func(b *bench) {
		set, clear := b.event(kernel.NotificationEvent, true), b.event(kernel.NotificationEvent, false)
		auto := b.event(kernel.SynchronizationEvent, true)
		b.do(func(t *kernel.Thread) {
			t.KeRaiseIrql(kernel.DispatchLevel)
			b.is("wait for a set event", t.KeWaitForSingleObject(set, kernel.NoWait), kernel.StatusSuccess)
			b.is("wait for a clear event", t.KeWaitForSingleObject(clear, kernel.NoWait), kernel.StatusTimeout)
			b.is("first wait for an auto-reset event", t.KeWaitForSingleObject(auto, kernel.NoWait), kernel.StatusSuccess)
			b.is("second wait for an auto-reset event", t.KeWaitForSingleObject(auto, kernel.NoWait), kernel.StatusTimeout)
			b.is("the level", t.KeGetCurrentIrql(), uint8(2))
			t.KeLowerIrql(kernel.PassiveLevel)
		})
	})
}

// At DISPATCH_LEVEL a thread of higher priority waits; at APC_LEVEL it does not.
func TestIRQL9NoThreadSwitch(t *testing.T) {
	for irql, want := range map[uint8]string{
		kernel.DispatchLevel: "set lower high end", kernel.APCLevel: "set high lower end",
	} {
		scenario(t, kernel.Config{}, func(b *bench) {
			event := b.event(kernel.SynchronizationEvent, false)
			b.threadWith(kernel.ThreadParams{Affinity: 1, Priority: 20}, func(t *kernel.Thread) {
				t.KeWaitForSingleObject(event, kernel.Forever)
				b.note("high")
			})
			b.thread(0, func(t *kernel.Thread) {
				old := t.KeRaiseIrql(irql)
				b.note("set")
				t.KeSetEvent(event)
				t.KeStallExecutionProcessor(20_000) // longer than a clock tick
				b.note("lower")
				t.KeLowerIrql(old)
				b.note("end")
			})
			b.run(kernel.Done)
			b.noted(want)
		})
	}
}

// The level of a thread below DISPATCH_LEVEL is its own: other threads do not
// inherit it, and it is there again when the thread goes on, anywhere.
func TestIRQL13LevelMovesWithThread(t *testing.T) {
	scenario(t, kernel.Config{Processors: 2}, func(b *bench) {
		event := b.event(kernel.SynchronizationEvent, false)
		waiter := b.threadWith(kernel.ThreadParams{}, func(t *kernel.Thread) {
			t.KeRaiseIrql(kernel.APCLevel)
			t.KeWaitForSingleObject(event, kernel.Forever)
			b.note("waiter@%d", t.KeGetCurrentIrql())
			t.KeLowerIrql(kernel.PassiveLevel)
		})
		b.thread(0, func(t *kernel.Thread) {
			t.KeDelayExecutionThread(kernel.After(1000))
			b.note("setter@%d", t.KeGetCurrentIrql())
			t.KeRaiseIrql(kernel.DispatchLevel) // the waiter has to go on elsewhere
			t.KeSetEvent(event)
			t.BusyWait("the waiter", func() bool { return b.ThreadEnded(waiter) })
			t.KeLowerIrql(kernel.PassiveLevel)
			b.note("setter@%d", t.KeGetCurrentIrql())
		})
		b.run(kernel.Done)
		b.noted("setter@0 waiter@1 setter@0")
	})
}

// A thread that may run anywhere is preempted on one processor and goes on with
// another, but not while it is at DISPATCH_LEVEL.
func TestIRQL13Migration(t *testing.T) {
	scenario(t, kernel.Config{Processors: 2}, func(b *bench) {
		event, done := b.event(kernel.SynchronizationEvent, false), b.cell()
		b.threadWith(kernel.ThreadParams{Affinity: 1, Priority: 20}, func(t *kernel.Thread) {
			t.KeWaitForSingleObject(event, kernel.Forever)
			b.note("high on %d", t.Processor())
			t.BusyWait("the other", func() bool { return b.value(done) == 1 })
		})
		b.threadWith(kernel.ThreadParams{}, func(t *kernel.Thread) {
			t.KeDelayExecutionThread(kernel.After(1000))
			b.note("on %d", t.Processor())
			old := t.KeRaiseIrql(kernel.DispatchLevel)
			t.KeSetEvent(event)
			b.note("on %d", t.Processor())
			t.KeLowerIrql(old)
			b.note("on %d", t.Processor())
			t.Store(done, 8, 1)
		})
		b.run(kernel.Done)
		b.noted("on 0 on 0 high on 0 on 1")
	})
}

// Raising is not a lock: two processors at the same raised level lose updates.
func TestIRQL14RaisingIsNoLock(t *testing.T) {
	for _, irql := range []uint8{kernel.DispatchLevel, 7, kernel.HighLevel} {
		b := newBench(t, kernel.Config{Processors: 2})
		x := b.cell()
		got := b.outcomes(func() {
			for cpu := range 2 {
				b.thread(cpu, func(t *kernel.Thread) {
					old := t.KeRaiseIrql(irql)
					t.Store(x, 8, t.Load(x, 8)+1)
					t.KeLowerIrql(old)
				})
			}
		}, func() string { return fmt.Sprint(b.value(x)) })
		reaches(t, got, "1", "2")
	}
}

// The same with a spin lock loses none; an interlocked operation neither.
func TestIRQL15SpinLockExcludes(t *testing.T) {
	b := newBench(t, kernel.Config{Processors: 2})
	x, lock := b.cell(), b.cell()
	reaches(t, b.outcomes(func() {
		for cpu := range 2 {
			b.thread(cpu, func(t *kernel.Thread) {
				old := t.KeAcquireSpinLock(lock)
				b.is("the level under the lock", t.IRQL(), uint8(2))
				t.Store(x, 8, t.Load(x, 8)+1)
				t.KeReleaseSpinLock(lock, old)
				b.is("the level after the release", t.IRQL(), uint8(0))
			})
		}
	}, func() string { return fmt.Sprint(b.value(x)) }), "2")
	reaches(t, b.outcomes(func() {
		for cpu := range 2 {
			b.thread(cpu, func(t *kernel.Thread) { t.Update(x, 8, func(old uint64) uint64 { return old + 1 }) })
		}
	}, func() string { return fmt.Sprint(b.value(x)) }), "2")
}

func TestIRQL15Levels(t *testing.T) {
	scenario(t, kernel.Config{}, func(b *bench) {
		lock := b.cell()
		b.do(func(t *kernel.Thread) {
			t.KeInitializeSpinLock(lock)
			for old := range uint8(3) {
				t.KeRaiseIrql(old)
				b.is("the old level", t.KeAcquireSpinLock(lock), old)
				b.is("the level under the lock", t.KeGetCurrentIrql(), uint8(2))
				b.is("another try", t.KeTryToAcquireSpinLockAtDpcLevel(lock), false)
				t.KeReleaseSpinLock(lock, old)
				b.is("the level after the release", t.KeGetCurrentIrql(), old)
			}
			t.KeAcquireSpinLockAtDpcLevel(lock)
			b.is("the level", t.KeGetCurrentIrql(), uint8(2))
			t.KeReleaseSpinLockFromDpcLevel(lock)
			b.is("a try", t.KeTryToAcquireSpinLockAtDpcLevel(lock), true)
			t.KeReleaseSpinLockFromDpcLevel(lock)
			t.KeLowerIrql(kernel.PassiveLevel)
		})
	})
}

// Every interleaving of the visible operations of two processors is reached:
// the judge of the scheduler itself.
func TestEveryInterleaving(t *testing.T) {
	b := newBench(t, kernel.Config{Processors: 2})
	x := b.cell()
	for _, n := range [][2]int{{1, 1}, {2, 1}, {3, 2}, {3, 3}, {4, 3}} {
		got := b.outcomes(func() {
			for cpu := range 2 {
				b.thread(cpu, func(t *kernel.Thread) {
					for range n[cpu] {
						t.Load(x, 8)
						b.note("%c", 'a'+cpu)
					}
				})
			}
		}, b.noteOutcome)
		if want := binomial(n[0]+n[1], n[0]); len(got) != want {
			t.Errorf("%d and %d operations: %d orders, want %d: %q", n[0], n[1], len(got), want, got)
		}
	}
}

func binomial(n, k int) int {
	r := 1
	for i := range k {
		r = r * (n - i) / (i + 1)
	}
	return r
}

// The same with a message that arrives at any time: on its processor the ISR
// comes between any two operations of the thread, undivided; against the other
// processor each of its operations is on its own.
func TestEveryInterleavingWithInterrupt(t *testing.T) {
	b := newBench(t, kernel.Config{Processors: 2})
	x := b.cell()
	b.message("isr", testVector, func(t *kernel.Thread) bool {
		for range 2 {
			t.Load(x, 8)
			b.note("i")
		}
		return true
	})
	b.arrive(arrival{testVector, 0})
	got := b.outcomes(func() {
		for cpu := range 2 {
			b.thread(cpu, func(t *kernel.Thread) {
				for range 2 {
					t.Load(x, 8)
					b.note("%c", 'a'+cpu)
				}
			})
		}
	}, b.noteOutcome)
	// On processor 0: ii aa, a ii a, aa ii; each merged with bb.
	if want := 3 * binomial(6, 2); len(got) != want {
		t.Errorf("%d orders, want %d: %q", len(got), want, got)
	}
}

// A thread that was preempted and got its processor back has not made its next
// step yet: the thread that it follows can go on elsewhere before that.
func TestIRQL13SwitchIsAStep(t *testing.T) {
	b := newBench(t, kernel.Config{Processors: 2, QuantumEnd: true})
	x := b.cell()
	got := b.outcomes(func() {
		for i, affinity := range []uint64{1, 3} {
			b.threadWith(kernel.ThreadParams{Affinity: affinity}, func(t *kernel.Thread) {
				for range 2 {
					t.Load(x, 8)
					b.note("%c%d", 'a'+i, t.Processor())
				}
			})
		}
	}, b.noteOutcome)
	for _, want := range []string{"a0 b0 b1 a0", "a0 a0 b0 b0", "b0 a0 b1 a0", "a0 b1 b1 a0", "b0 a0 b0 a0"} {
		if !slices.Contains(got, want) {
			t.Errorf("not reached: %s; reached:\n%s", want, strings.Join(got, "\n"))
		}
	}
}
