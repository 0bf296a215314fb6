package wdf_test

import (
	"slices"
	"testing"

	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/wdf"
)

// passive makes an interrupt one that is handled at PASSIVE_LEVEL, on a line of
// its own at vector 0x51.
func passive(i interrupt) interrupt {
	config := i.config
	if i.line = true; i.vector == 0 {
		i.vector = 0x51
	}
	i.config = func(b *bench, s *wdf.Sys, c *wdf.InterruptConfig) {
		c.PassiveHandling = true
		if config != nil {
			config(b, s, c)
		}
	}
	return i
}

// passiveBench is a started device with passive interrupts that share a line.
func passiveBench(t *testing.T, d driver) (b *bench, line int) {
	b = newBench(t, d)
	line = b.AddLine("pin", 0x51, d.interrupts[0].latched)
	b.startDevice()
	b.forget()
	return b, line
}

// pulse lets the device of a latched line interrupt once.
func (b *bench) pulse(line int) {
	b.SetLine(line, 0, true)
	b.SetLine(line, 0, false)
}

// All callbacks of a passive-level interrupt run at PASSIVE_LEVEL under both
// locks; the IRQL that WdfInterruptGetInfo tells is PASSIVE_LEVEL (PLI-1, PLI-3).
func TestPLI1PLI3Callbacks(t *testing.T) {
	look := func(b *bench, s *wdf.Sys, i wdf.WDFINTERRUPT) wdf.NTSTATUS {
		info := wdf.InterruptInfoInit()
		s.WdfInterruptGetInfo(i, &info)
		b.note("irql%d info%d try%v", s.KeGetCurrentIrql(), info.Irql, s.WdfInterruptTryToAcquireLock(i))
		return wdf.StatusSuccess
	}
	i := passive(interrupt{latched: true, enable: look, disable: look,
		isr: func(b *bench, s *wdf.Sys, i wdf.WDFINTERRUPT) bool { look(b, s, i); return true }})
	b := newBench(t, driver{interrupts: []interrupt{i}})
	line := b.AddLine("pin", 0x51, true)
	b.only = []string{"isr0", "enable0", "disable0", "sync", "irql0 info0 tryfalse"}
	b.startDevice()
	b.pulse(line)
	b.run()
	sync := b.object("sync", func(s *wdf.Sys, h wdf.Handle) { look(b, s, h) })
	b.do(func(s *wdf.Sys) { s.WdfInterruptSynchronize(b.interrupts[0], sync, 0) })
	b.remove()
	const at = "irql0 info0 tryfalse "
	b.want("enable0 " + at + "isr0 " + at + "sync " + at + "disable0 irql0 info0 tryfalse")
	b.wantFindings()
}

// A message cannot be handled at PASSIVE_LEVEL: the connection, and with it the
// start, fails (PLI-10).
func TestPLI10NoMessages(t *testing.T) {
	i := passive(interrupt{})
	i.line = false
	scenario(t, driver{interrupts: []interrupt{i}}, func(b *bench) {
		b.do(func(s *wdf.Sys) { b.status("StartDevice", b.startIn(s), wdf.StatusInvalidParameter) })
	})
}

// A level-triggered line is masked until the passive ISR has returned; meanwhile
// other threads run and the line does not storm. If the device still asserts, a
// new call follows: litmus L-39 (PLI-2, PLI-11).
func TestPLI2LevelLine(t *testing.T) {
	for name, c := range map[string]struct {
		calls int
		want  string
	}{
		"PLI-2 acknowledged":      {1, "isr0 irql0 thread end"},
		"PLI-2 at the second try": {2, "isr0 irql0 thread end isr0 irql0 thread end"},
	} {
		t.Run(name, func(t *testing.T) {
			var line, calls int
			var event uint64
			i := passive(interrupt{isr: func(b *bench, s *wdf.Sys, i wdf.WDFINTERRUPT) bool {
				calls++
				b.note("irql%d", s.KeGetCurrentIrql())
				s.KeWaitForSingleObject(event, kernel.Forever) // bus I/O
				if calls == c.calls {
					b.SetLine(line, 0, false)
				}
				b.note("end")
				return true
			}})
			b, l := passiveBench(t, driver{interrupts: []interrupt{i}})
			line = l
			b.do(func(s *wdf.Sys) {
				event = s.AllocatePool(false, kernel.EventSize, 1)
				s.KeInitializeEvent(event, kernel.SynchronizationEvent, false)
				b.SetLine(line, 0, true)
				for range c.calls {
					s.KeStallExecutionProcessor(1)
					b.note("thread")
					s.KeSetEvent(event)
				}
			})
			b.want(c.want)
			b.wantFindings()
		})
	}
}

// An edge during the passive ISR gives one more call after it (PLI-2, INT-6); two
// calls never overlap (PLI-11).
func TestPLI2PLI11Edges(t *testing.T) {
	var line int
	calls := 0
	i := passive(interrupt{latched: true, isr: func(b *bench, s *wdf.Sys, i wdf.WDFINTERRUPT) bool {
		if calls++; calls == 1 {
			for range 3 {
				b.pulse(line)
				s.KeStallExecutionProcessor(1)
			}
		}
		b.note("end")
		return true
	}})
	b, l := passiveBench(t, driver{processors: 2, interrupts: []interrupt{i}})
	line = l
	b.pulse(line)
	b.run()
	b.want("isr0 end isr0 end")
	b.wantFindings()
}

// A device that nobody acknowledges: the passive ISR is called for ever, which is
// reported as a storm, without a watchdog.
func TestPLI2Storm(t *testing.T) {
	b, line := passiveBench(t, driver{interrupts: []interrupt{passive(interrupt{})}, tunables: kernel.Tunables{StormLimit: 20}})
	b.SetLine(line, 0, true)
	b.Run()
	b.wantFindings("interrupt storm")
}

// WDFI-10, PLI-11: a wait lock of the driver's, shared by two interrupts, excludes
// their ISRs from each other; without it they overlap.
func TestPLI11SharedWaitLock(t *testing.T) {
	for _, c := range []struct {
		clause string
		shared bool
		want   []string
	}{
		{"PLI-11 one wait lock", true, []string{"( ) ( )"}},
		{"PLI-11 two wait locks", false, []string{"( ( ) )", "( ) ( )"}},
	} {
		t.Run(c.clause, func(t *testing.T) {
			var x uint64
			var lock wdf.WDFWAITLOCK
			isr := func(b *bench, s *wdf.Sys, i wdf.WDFINTERRUPT) bool {
				b.note("(")
				s.Load(x, 8)
				b.note(")")
				return true
			}
			config := func(b *bench, s *wdf.Sys, config *wdf.InterruptConfig) {
				if c.shared && lock == 0 {
					lock, _ = s.WdfWaitLockCreate(nil)
				}
				config.WaitLock = lock
			}
			first := passive(interrupt{latched: true, isr: isr, config: config})
			second := first
			second.vector = 0x61
			b, line := passiveBench(t, driver{processors: 2, interrupts: []interrupt{first, second}})
			x = b.Mem.Alloc(8, 0, false, 0)
			other := b.AddLine("other", 0x61, true)
			b.only = []string{"(", ")"}
			b.wantOutcomes(b.explore(body{0, func(*wdf.Sys) { b.pulse(line); b.pulse(other) }}), c.want...)
		})
	}
}

// A DPC that is queued by a passive ISR runs on the same processor before the call
// returns; one that is queued elsewhere makes the call FALSE: litmus L-38 (QD-6,
// PLI-4).
func TestQD6PLI4DPCOfPassiveISR(t *testing.T) {
	i := passive(interrupt{latched: true, affinity: 0b01,
		isr: func(b *bench, s *wdf.Sys, i wdf.WDFINTERRUPT) bool {
			b.note("%v", s.WdfInterruptQueueDpcForIsr(i))
			return true
		},
		dpc: func(b *bench, s *wdf.Sys, i wdf.WDFINTERRUPT) {
			b.note("irql%d@%d", s.KeGetCurrentIrql(), s.Processor())
		},
	})
	b, line := passiveBench(t, driver{processors: 2, interrupts: []interrupt{i}})
	b.pulse(line)
	b.run()
	b.want("isr0 dpc0 irql2@0 true")

	b.spawn(1, func(s *wdf.Sys) {
		old := s.KeRaiseIrql(wdf.DispatchLevel)
		s.WdfInterruptQueueDpcForIsr(b.interrupts[0])
		b.pulse(line)
		s.BusyWait("the ISR", func() bool { return slices.Contains(b.history, "false") })
		s.KeLowerIrql(old)
	})
	b.run()
	b.want("isr0 false dpc0 irql2@1")
	b.wantFindings()
}

// The wait lock of a passive interrupt at DISPATCH_LEVEL: litmus L-34. With the
// verifier nothing happens; without it a free lock is taken, a held one is bug
// check 0xB8 (PLI-5).
func TestPLI5LockInADPC(t *testing.T) {
	locked := func(b *bench, s *wdf.Sys, i wdf.WDFINTERRUPT) {
		s.WdfInterruptAcquireLock(i)
		b.note("irql%d", s.KeGetCurrentIrql())
		s.WdfInterruptReleaseLock(i)
		b.note("%v", s.WdfInterruptSynchronize(i, b.object("sync", nil), 0))
	}
	d := driver{interrupts: []interrupt{passive(interrupt{latched: true, dpc: locked})}}
	b, _ := passiveBench(t, d)
	b.do(func(s *wdf.Sys) {
		s.WdfInterruptAcquireLock(b.interrupts[0]) // the DPC does not wait for it
		s.WdfInterruptQueueDpcForIsr(b.interrupts[0])
		s.WdfInterruptReleaseLock(b.interrupts[0])
	})
	b.want("dpc0 irql2 false")
	b.wantFindings("verifier break: KmdfIrql", "verifier break: KmdfIrql", "verifier break: KmdfIrql")

	d.profile = &kernel.Profile{DriverVerifier: true}
	d.interrupts[0].dpc = func(b *bench, s *wdf.Sys, i wdf.WDFINTERRUPT) {
		s.WdfInterruptAcquireLock(i)
		b.note("irql%d", s.KeGetCurrentIrql())
		s.WdfInterruptReleaseLock(i)
	}
	b, _ = passiveBench(t, d)
	b.do(func(s *wdf.Sys) { s.WdfInterruptQueueDpcForIsr(b.interrupts[0]) })
	b.want("dpc0 irql2")
	b.wantFindings("KmdfIrql", "KmdfIrql")
	b.stop(func(s *wdf.Sys) {
		s.WdfInterruptAcquireLock(b.interrupts[0])
		s.WdfInterruptQueueDpcForIsr(b.interrupts[0])
	})
	all := titles(b.take())
	if len(all) != 2 || all[0] != "KmdfIrql" || b.Findings()[len(b.Findings())-1].Code != 0xB8 {
		t.Errorf("a held lock: %q", all)
	}
}

// WdfInterruptTryToAcquireLock: never blocks, disables normal kernel APCs, and is
// for passive-level interrupts at PASSIVE_LEVEL only (PLI-6).
func TestPLI6TryToAcquireLock(t *testing.T) {
	d := driver{interrupts: []interrupt{passive(interrupt{}), {vector: 0x71}}}
	use := func(b *bench) {
		b.do(func(s *wdf.Sys) {
			try := func() { b.note("%v", s.WdfInterruptTryToAcquireLock(b.interrupts[0])) }
			try()
			try()
			s.WdfInterruptReleaseLock(b.interrupts[0])
			b.note("%v", s.WdfInterruptTryToAcquireLock(b.interrupts[1])) // DIRQL
			atDispatch(s, try)
			if !b.Profile().FrameworkVerifier {
				s.WdfInterruptReleaseLock(b.interrupts[0])
			}
		})
	}
	b, _ := passiveBench(t, d)
	use(b)
	b.want("true false false false")
	b.wantFindings("verifier break: WdfInterruptTryToAcquireLock at DIRQL", "verifier break: KmdfIrql")

	d.profile = &kernel.Profile{}
	b, _ = passiveBench(t, d)
	use(b)
	b.want("true false false true")
	b.wantFindings("KmdfIrql")

	// With the lock held the thread is inside a critical region.
	b, _ = passiveBench(t, driver{interrupts: []interrupt{passive(interrupt{})}})
	b.stop(func(s *wdf.Sys) { s.WdfInterruptTryToAcquireLock(b.interrupts[0]) })
	b.wantBugCheck("IRQL-9", 0x20, 0, 1)
}

// The wait lock taken again by its holder: litmus L-35 (PLI-7).
func TestPLI7NotRecursive(t *testing.T) {
	acquire := func(b *bench, s *wdf.Sys) { s.WdfInterruptAcquireLock(b.interrupts[0]) }
	synchronize := func(b *bench, s *wdf.Sys, f func(s *wdf.Sys, h wdf.Handle)) {
		s.WdfInterruptSynchronize(b.interrupts[0], b.object("sync", f), 0)
	}
	for name, f := range map[string]func(b *bench, s *wdf.Sys, line int){
		"in EvtInterruptIsr":           func(b *bench, s *wdf.Sys, line int) { b.pulse(line) },
		"twice":                        func(b *bench, s *wdf.Sys, _ int) { acquire(b, s); acquire(b, s) },
		"Synchronize while holding it": func(b *bench, s *wdf.Sys, _ int) { acquire(b, s); synchronize(b, s, nil) },
		"in EvtInterruptSynchronize": func(b *bench, s *wdf.Sys, _ int) {
			synchronize(b, s, func(s *wdf.Sys, _ wdf.Handle) { acquire(b, s) })
		},
		"Synchronize in itself": func(b *bench, s *wdf.Sys, _ int) {
			synchronize(b, s, func(s *wdf.Sys, _ wdf.Handle) { s.WdfInterruptSynchronize(b.interrupts[0], b.object("inner", nil), 0) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			b, line := passiveBench(t, driver{interrupts: []interrupt{passive(interrupt{latched: true,
				isr: func(b *bench, s *wdf.Sys, i wdf.WDFINTERRUPT) bool { acquire(b, s); return true }})}})
			b.stop(func(s *wdf.Sys) { f(b, s, line) })
			b.wantFindings("self-deadlock")
		})
	}
}

// Two threads, two passive interrupts: each holds the wait lock of one and
// synchronizes with the other one, so that in some schedules they wait for each
// other (PLI-8).
func TestPLI8LockOrderInversion(t *testing.T) {
	other := passive(interrupt{latched: true})
	other.vector = 0x61
	b, _ := passiveBench(t, driver{processors: 2, interrupts: []interrupt{passive(interrupt{latched: true}), other}})
	b.only = []string{"stopped"}
	sync := b.object("sync", nil)
	cross := func(first, second int) func(s *wdf.Sys) {
		return func(s *wdf.Sys) {
			s.WdfInterruptAcquireLock(b.interrupts[first])
			s.WdfInterruptSynchronize(b.interrupts[second], sync, 0)
			s.WdfInterruptReleaseLock(b.interrupts[first])
		}
	}
	b.wantOutcomes(b.explore(body{0, cross(0, 1)}, body{1, cross(1, 0)}), "", "stopped deadlock")
}

// PLI-8 by the ISR: it holds the kernel's lock and waits for the wait lock, whose
// holder calls Synchronize.
func TestPLI8AgainstTheISR(t *testing.T) {
	b, line := passiveBench(t, driver{processors: 2, interrupts: []interrupt{passive(interrupt{latched: true,
		isr: func(b *bench, s *wdf.Sys, i wdf.WDFINTERRUPT) bool { return true }})}})
	b.stop(func(s *wdf.Sys) {
		s.WdfInterruptAcquireLock(b.interrupts[0])
		b.pulse(line)
		s.KeDelayExecutionThread(kernel.After(1_000_000)) // the ISR's thread comes
		s.WdfInterruptSynchronize(b.interrupts[0], b.object("sync", nil), 0)
	})
	b.wantFindings("deadlock")
}

// The ISR sends a request and another thread's handler wants the lock: in the
// ISR's own thread that is a self-deadlock; with WdfInterruptTryToAcquireLock it is
// not: the core of litmus L-36 (PLI-9).
func TestPLI9ArbitraryThread(t *testing.T) {
	handler := func(b *bench, s *wdf.Sys, try bool) {
		if !try {
			s.WdfInterruptAcquireLock(b.interrupts[0])
			s.WdfInterruptReleaseLock(b.interrupts[0])
			return
		}
		if !s.WdfInterruptTryToAcquireLock(b.interrupts[0]) {
			b.note("deferred")
			s.WdfInterruptQueueWorkItemForIsr(b.interrupts[0])
		}
	}
	for _, try := range []bool{false, true} {
		b, line := passiveBench(t, driver{interrupts: []interrupt{passive(interrupt{latched: true,
			isr: func(b *bench, s *wdf.Sys, i wdf.WDFINTERRUPT) bool {
				handler(b, s, try) // the bus completes another request here, whose sender sends this one
				return true
			},
			work: func(b *bench, s *wdf.Sys, i wdf.WDFINTERRUPT) {
				s.WdfInterruptAcquireLock(i)
				b.note("locked")
				s.WdfInterruptReleaseLock(i)
			}})}})
		b.pulse(line)
		b.Run()
		if !try {
			b.wantFindings("self-deadlock")
			continue
		}
		b.want("isr0 deferred work0 locked")
		b.wantFindings()
	}
}

// The kernel's interrupt spin lock routines on a passive interrupt are a bug check
// (PLI-12); a spin lock at the connection is refused (PLI-1): internal/kernel.

// WDFI-10: the framework's own wait lock goes with the interrupt.
func TestPLI3DefaultWaitLockIsFreed(t *testing.T) {
	scenario(t, driver{interrupts: []interrupt{passive(interrupt{})}}, func(b *bench) {
		b.startDevice()
		b.remove()
		b.do(func(s *wdf.Sys) {
			s.Unload()
			s.CheckLeaks("driver")
		})
	})
}
