package wdf_test

import (
	"strings"
	"testing"

	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/wdf"
)

// queueDPC calls WdfInterruptQueueDpcForIsr and notes the result.
func queueDPC(b *bench, s *wdf.Sys) {
	b.note("%v", s.WdfInterruptQueueDpcForIsr(b.interrupts[0]))
}

// atDispatch runs f at DISPATCH_LEVEL.
func atDispatch(s *wdf.Sys, f func()) {
	old := s.KeRaiseIrql(wdf.DispatchLevel)
	f()
	s.KeLowerIrql(old)
}

// The internal DPC: Medium importance, no target, the interrupt as
// SystemArgument1, NULL as SystemArgument2 (QD-1); the callback gets the
// interrupt (and the device: see harness_test.go) at DISPATCH_LEVEL (QD-11).
func TestQD1QD11InternalDPC(t *testing.T) {
	d := one(interrupt{dpc: func(b *bench, s *wdf.Sys, i wdf.WDFINTERRUPT) {
		kind, kdpc := s.Activation()
		field := func(offset uint64, size int) uint64 {
			v, _ := b.Mem.Load(kdpc+offset, size)
			return v
		}
		b.note("%v importance%d target%d %v %d %v irql%d", kind, field(1, 1), field(2, 2), wdf.Handle(field(40, 8)) == i, field(48, 8),
			i == b.interrupts[0], s.KeGetCurrentIrql())
	}})
	scenario(t, d, func(b *bench) {
		b.forget()
		b.do(func(s *wdf.Sys) { s.WdfInterruptQueueDpcForIsr(b.interrupts[0]) })
		b.want("dpc0 DPC importance1 target0 true 0 true irql2")
	})
}

// The second argument is the device also when the parent is a queue (QD-11),
// whose callback lock is the one that counts with queue scope (SER-1). The queue
// cannot be deleted any more (WDFI-15, OBJ-20).
func TestQD11QueueAsParent(t *testing.T) {
	d := driver{attributes: wdf.ObjectAttributes{SynchronizationScope: wdf.SynchronizationScopeQueue}}
	var queue wdf.WDFQUEUE
	d.add = func(b *bench, s *wdf.Sys) {
		c := wdf.IoQueueConfigInit(wdf.IoQueueDispatchManual)
		queue = must(s.WdfIoQueueCreate(b.device, &c, nil))
		b.d.interrupts = []interrupt{{
			config: func(b *bench, s *wdf.Sys, c *wdf.InterruptConfig) { c.AutomaticSerialization = true },
			dpc:    func(b *bench, s *wdf.Sys, i wdf.WDFINTERRUPT) { s.WdfObjectAcquireLock(queue) },
		}}
		b.interrupts = []wdf.WDFINTERRUPT{must(s.WdfInterruptCreate(b.device, b.config(s, 0), parent(queue)))}
	}
	b := newBench(t, d)
	b.do(func(s *wdf.Sys) { s.WdfObjectDelete(queue) })
	b.wantFindings("verifier break: STATUS_CANNOT_DELETE")
	b.forget()
	b.stop(func(s *wdf.Sys) { queueDPC(b, s) })
	b.want("dpc0")
	b.wantBugCheck("SER-6", 0x10D, 2)
}

// TRUE if newly queued; FALSE while queued, in spite of any number of calls
// (QD-2).
func TestQD2ReturnValue(t *testing.T) {
	scenario(t, one(interrupt{dpc: nothing}), func(b *bench) {
		b.forget()
		b.do(func(s *wdf.Sys) {
			atDispatch(s, func() {
				queueDPC(b, s)
				queueDPC(b, s)
				queueDPC(b, s)
			})
			queueDPC(b, s)
		})
		b.want("true false false dpc0 dpc0 true")
	})
}

// interruptTheDPC is a driver whose DPC lets the device interrupt in its first
// run; the ISR notes what the call returns. Runs are noted as [1 1] [2 2].
func interruptTheDPC(processors int, affinity uint64) driver {
	runs := 0
	d := driver{processors: processors, interrupts: []interrupt{{vector: 0x51, affinity: affinity}}}
	d.interrupts[0].isr = func(b *bench, s *wdf.Sys, i wdf.WDFINTERRUPT) bool {
		queueDPC(b, s)
		return true
	}
	d.interrupts[0].dpc = func(b *bench, s *wdf.Sys, i wdf.WDFINTERRUPT) {
		runs++
		n := runs
		b.note("[%d", n)
		if n == 1 {
			b.SendMessage(0x51)
		}
		s.KeStallExecutionProcessor(1)
		b.note("%d]", n)
	}
	d.add = func(b *bench, s *wdf.Sys) {
		runs = 0
		b.before = func() { runs = 0 }
	}
	return d
}

// The ISR interrupts the running DPC on the same processor and queues it again:
// TRUE, and the callback runs once more after the first run, with nothing below
// DISPATCH_LEVEL between them, whatever the schedule. Litmus L-01.
func TestQD3InterruptedDPC(t *testing.T) {
	b := newBench(t, interruptTheDPC(1, 0))
	b.startDevice()
	b.wantOutcomes(b.explore(body{0, func(s *wdf.Sys) {
		s.WdfInterruptQueueDpcForIsr(b.interrupts[0])
		b.note("below")
	}}), "dpc0 [1 isr0 true 1] dpc0 [2 2] below")
}

// A second call before the first run has returned gives FALSE (QD-3).
func TestQD3SecondCall(t *testing.T) {
	d := interruptTheDPC(1, 0)
	d.interrupts[0].isr = func(b *bench, s *wdf.Sys, i wdf.WDFINTERRUPT) bool {
		queueDPC(b, s)
		queueDPC(b, s)
		return true
	}
	scenario(t, d, func(b *bench) {
		b.startDevice()
		b.forget()
		b.do(func(s *wdf.Sys) { s.WdfInterruptQueueDpcForIsr(b.interrupts[0]) })
		b.want("dpc0 [1 isr0 true false 1] dpc0 [2 2]")
	})
}

// The same with the ISR on the other processor: TRUE, and the second run may
// follow, overlap, or end first. Litmus L-02.
func TestQD4OtherProcessor(t *testing.T) {
	b := newBench(t, interruptTheDPC(2, 0b10))
	b.startDevice()
	b.only = []string{"[1", "1]", "[2", "2]", "true", "false"}
	b.wantOutcomes(b.explore(body{0, func(s *wdf.Sys) { s.WdfInterruptQueueDpcForIsr(b.interrupts[0]) }}),
		"[1 true 1] [2 2]", // after
		"[1 1] true [2 2]",
		"[1 true [2 1] 2]", // overlap
		"[1 true [2 2] 1]", // inside
	)
}

// Any number of interrupts before the callback is dequeued give one callback
// (QD-5).
func TestQD5Coalescing(t *testing.T) {
	scenario(t, one(interrupt{dpc: nothing}), func(b *bench) {
		b.startDevice()
		b.forget()
		b.do(func(s *wdf.Sys) {
			atDispatch(s, func() {
				for range 3 {
					b.SendMessage(0x51)
					s.KeGetCurrentIrql()
					s.KeStallExecutionProcessor(1)
				}
			})
		})
		b.want("isr0 isr0 isr0 dpc0")
	})
}

// Any caller at IRQL <= DIRQL; nothing is reported (QD-6), also while the
// interrupt is not connected (QD-10). Above the device levels the rule KmdfIrql
// is broken.
func TestQD6QD10Callers(t *testing.T) {
	scenario(t, one(interrupt{dpc: nothing}), func(b *bench) {
		for _, irql := range []uint8{0, 1, 2, 5, 11} {
			b.forget()
			b.do(func(s *wdf.Sys) { // not connected
				old := s.KeRaiseIrql(irql)
				queueDPC(b, s)
				s.KeLowerIrql(old)
			})
			if got := b.noted(); got != "true dpc0" && got != "dpc0 true" {
				t.Errorf("at %d: %s", irql, got)
			}
			b.wantFindings()
		}
		b.do(func(s *wdf.Sys) {
			old := s.KeRaiseIrql(12)
			queueDPC(b, s)
			s.KeLowerIrql(old)
		})
		b.wantFindings("KmdfIrql")
	})
}

// A handle that is not one of an interrupt (QD-7).
func TestQD7Handle(t *testing.T) {
	for _, h := range []func(b *bench) wdf.Handle{
		func(*bench) wdf.Handle { return 0 },
		func(*bench) wdf.Handle { return 0x1234 },
		func(b *bench) wdf.Handle { return b.device },
	} {
		b := newBench(t, one(interrupt{dpc: nothing}))
		b.stop(func(s *wdf.Sys) {
			s.KeRaiseIrql(12)
			s.WdfInterruptQueueDpcForIsr(h(b))
		})
		b.wantBugCheck("OBJ-18", 0x10D, 5, uint64(h(b)), 0x1027)
	}
}

// No EvtInterruptDpc: the DPC is queued and calls NULL at DISPATCH_LEVEL. Litmus
// L-33 c.
func TestQD8NoCallback(t *testing.T) {
	b := newBench(t, one(interrupt{}))
	b.forget()
	b.spawn(0, func(s *wdf.Sys) { atDispatch(s, func() { queueDPC(b, s) }) })
	if r := b.Run(); r != kernel.Stopped {
		t.Fatalf("the run ended: %s", r)
	}
	b.want("true")
	b.wantFindings("WdfInterruptQueueDpcForIsr without EvtInterruptDpc", "bug check 0xD1 DRIVER_IRQL_NOT_LESS_OR_EQUAL (0x0, 0x2, 0x8, 0x0)")
}

// An EvtInterruptWorkItem instead: the work item runs. Litmus L-33 a.
func TestQD9WorkItemInstead(t *testing.T) {
	d := one(interrupt{work: nothing})
	d.interrupts[0].isr = func(b *bench, s *wdf.Sys, i wdf.WDFINTERRUPT) bool {
		queueDPC(b, s)
		return true
	}
	scenario(t, d, func(b *bench) {
		b.startDevice()
		b.forget()
		b.SendMessage(0x51)
		b.run()
		b.want("isr0 true work0")
		b.wantFindings("WdfInterruptQueueDpcForIsr with EvtInterruptWorkItem")
	})
}

// The callback runs on the processor that made the successful call (QD-12).
func TestQD12Processor(t *testing.T) {
	d := one(interrupt{dpc: func(b *bench, s *wdf.Sys, i wdf.WDFINTERRUPT) { b.note("on%d", s.Processor()) }})
	d.processors = 2
	b := newBench(t, d)
	var by int
	queue := func(s *wdf.Sys) {
		if s.WdfInterruptQueueDpcForIsr(b.interrupts[0]) {
			by = s.Processor()
			b.note("by%d", by)
		}
	}
	b.only = []string{"on0", "on1", "by0", "by1"}
	for _, o := range b.explore(body{0, queue}, body{1, queue}) {
		switch o {
		case "on0 by0", "by0 on0", "on1 by1", "by1 on1": // one of the calls came too late
		default:
			if strings.Count(o, "0") != 2 || strings.Count(o, "1") != 2 {
				t.Errorf("outcome %s", o)
			}
		}
	}
}

// queueWork calls WdfInterruptQueueWorkItemForIsr and notes the result.
func queueWork(b *bench, s *wdf.Sys) {
	b.note("%v", s.WdfInterruptQueueWorkItemForIsr(b.interrupts[0]))
}

// At IRQL <= DISPATCH_LEVEL the work item is enqueued directly: TRUE, FALSE
// while it is enqueued and not started (QW-1). The callback runs at
// PASSIVE_LEVEL in a worker thread without the interrupt lock (QW-5).
func TestQW1QW5Direct(t *testing.T) {
	d := one(interrupt{work: func(b *bench, s *wdf.Sys, i wdf.WDFINTERRUPT) {
		kind, _ := s.Activation()
		b.note("%v %s irql%d", kind, s.Name(), s.KeGetCurrentIrql())
	}})
	scenario(t, d, func(b *bench) {
		b.forget()
		b.do(func(s *wdf.Sys) {
			atDispatch(s, func() {
				queueWork(b, s)
				queueWork(b, s)
			})
		})
		b.want("true false work0 work item worker 0 irql0")
		b.do(func(s *wdf.Sys) {
			queueWork(b, s)
			s.KeStallExecutionProcessor(1)
			b.note("thread")
		})
		b.want("true work0 work item worker 0 irql0 thread") // a worker has the higher priority
	})
}

// Above DISPATCH_LEVEL the internal DPC is queued, and its result is returned;
// the DPC then tries to enqueue the work item, and that result is lost (QW-2).
// Litmus L-30 a to c.
func TestQW2ThroughTheDPC(t *testing.T) {
	raised := func(s *wdf.Sys, f func()) {
		old := s.KeRaiseIrql(5)
		f()
		s.KeLowerIrql(old)
	}
	scenario(t, one(interrupt{work: nothing}), func(b *bench) {
		b.forget()
		b.do(func(s *wdf.Sys) {
			raised(s, func() { queueWork(b, s) })
			raised(s, func() { queueWork(b, s) })
		})
		b.want("true work0 true work0") // b: the worker has started
		b.do(func(s *wdf.Sys) {
			raised(s, func() {
				queueWork(b, s)
				queueWork(b, s)
			})
		})
		b.want("true false work0") // c: the DPC is still queued
	})
	// a: the DPC has run and the worker has not started, because it must not run
	// here: a thread of higher priority than workers keeps the processor.
	scenario(t, one(interrupt{work: nothing}), func(b *bench) {
		b.forget()
		routine := b.threadRoutine("urgent", func(s *wdf.Sys) {
			raised(s, func() { queueWork(b, s) })
			raised(s, func() { queueWork(b, s) })
		})
		b.NewThread(kernel.ThreadParams{Name: "urgent", Routine: routine, Priority: kernel.HighestPriority, Foreground: true})
		b.run()
		b.want("true true work0") // TRUE promised nothing
	})
}

// The mark is cleared before the callback: a request during the callback is
// accepted, and the second run may follow or overlap the first (QW-3).
func TestQW3RequestDuringTheCallback(t *testing.T) {
	runs := 0
	d := one(interrupt{work: func(b *bench, s *wdf.Sys, i wdf.WDFINTERRUPT) {
		runs++
		n := runs
		b.note("[%d", n)
		if n == 1 {
			queueWork(b, s)
		}
		s.KeStallExecutionProcessor(1)
		b.note("%d]", n)
	}})
	d.processors = 2
	b := newBench(t, d)
	b.before = func() { runs = 0 }
	b.only = []string{"[1", "1]", "[2", "2]", "true", "false"}
	b.wantOutcomes(b.explore(body{0, func(s *wdf.Sys) { s.WdfInterruptQueueWorkItemForIsr(b.interrupts[0]) }}),
		"[1 true 1] [2 2]",                     // succession
		"[1 true [2 1] 2]", "[1 true [2 2] 1]", // overlap
	)
}

// No EvtInterruptWorkItem: reported at the call; above DISPATCH_LEVEL the
// EvtInterruptDpc runs (litmus L-33 b), below a NULL object is used (QW-4).
func TestQW4NoCallback(t *testing.T) {
	const rule = "WdfInterruptQueueWorkItemForIsr without EvtInterruptWorkItem"
	scenario(t, one(interrupt{dpc: nothing}), func(b *bench) {
		b.forget()
		b.do(func(s *wdf.Sys) {
			old := s.KeRaiseIrql(5)
			queueWork(b, s)
			s.KeLowerIrql(old)
		})
		b.want("true dpc0")
		b.wantFindings(rule)
	})
	b := newBench(t, one(interrupt{dpc: nothing}))
	b.stop(func(s *wdf.Sys) { queueWork(b, s) })
	b.wantFindings(rule, "bug check 0x7E SYSTEM_THREAD_EXCEPTION_NOT_HANDLED (0x0, 0x0, 0x0, 0x0)")
	b = newBench(t, one(interrupt{dpc: nothing}))
	b.stop(func(s *wdf.Sys) { atDispatch(s, func() { queueWork(b, s) }) })
	b.wantFindings(rule, "bug check 0xD1 DRIVER_IRQL_NOT_LESS_OR_EQUAL (0x0, 0x2, 0x0, 0x0)")
}

// A callback that returns at raised IRQL is bug check 0xE1 (QW-5).
func TestQW5ReturnsAtDispatch(t *testing.T) {
	b := newBench(t, one(interrupt{work: func(b *bench, s *wdf.Sys, i wdf.WDFINTERRUPT) { s.KeRaiseIrql(wdf.DispatchLevel) }}))
	b.stop(func(s *wdf.Sys) { queueWork(b, s) })
	b.wantBugCheck("IRQL-8", 0xE1)
}

// Data written before a FALSE result is seen by the run that has not started
// (QW-7).
func TestQW7Publication(t *testing.T) {
	var x uint64
	d := one(interrupt{work: func(b *bench, s *wdf.Sys, i wdf.WDFINTERRUPT) { b.note("saw%d", s.Load(x, 8)) }})
	d.processors = 2
	b := newBench(t, d)
	x = b.Mem.Alloc(8, 0, false, 0)
	publish := func(s *wdf.Sys) {
		s.Update(x, 8, func(v uint64) uint64 { return v + 1 })
		s.WdfInterruptQueueWorkItemForIsr(b.interrupts[0])
	}
	for _, o := range b.explore(body{0, publish}, body{1, publish}) {
		if !strings.HasSuffix(o, "saw2") {
			t.Errorf("the last run misses work: %s", o)
		}
	}
}

// While the interrupt is being deleted its work item is not queued any more
// (QW-6).
func TestQW6Deletion(t *testing.T) {
	d := driver{add: func(b *bench, s *wdf.Sys) {
		b.d.interrupts = []interrupt{{work: nothing}}
		a := &wdf.ObjectAttributes{EvtCleanupCallback: b.object("cleanup", func(s *wdf.Sys, _ wdf.Handle) { queueWork(b, s) })}
		b.interrupts = []wdf.WDFINTERRUPT{must(s.WdfInterruptCreate(b.device, b.config(s, 0), a))}
	}}
	scenario(t, d, func(b *bench) {
		b.d.interrupts = nil // no resource
		b.startDevice()
		b.forget()
		b.only = []string{"cleanup", "true", "false", "work0"}
		b.remove()
		b.want("cleanup false")
		b.wantFindings("verifier break: WdfInterruptQueueWorkItemForIsr on a deleted interrupt")
	})
}
