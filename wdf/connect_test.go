package wdf_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/trace"
	"github.com/dirql/dirql/wdf"
)

// EvtInterruptEnable and EvtInterruptDisable run at SynchronizeIrql with the
// interrupt lock held (WDFI-23, WDFI-25), so that they never overlap the ISR.
// The ISR can come before EvtInterruptEnable (INT-23).
func TestWDFI23WDFI25INT23LevelAndLock(t *testing.T) {
	var x uint64
	hold := func(b *bench, s *wdf.Sys, i wdf.WDFINTERRUPT) wdf.NTSTATUS {
		b.note("(%d", s.IRQL())
		s.Load(x, 8)
		b.note(")")
		return wdf.StatusSuccess
	}
	d := driver{processors: 2, interrupts: []interrupt{{vector: 0x51, affinity: 0b10, enable: hold, disable: hold,
		isr: func(b *bench, s *wdf.Sys, i wdf.WDFINTERRUPT) bool {
			hold(b, s, i)
			return true
		}}}}
	b := newBench(t, d)
	x = b.Mem.Alloc(8, 0, false, 0)
	b.only = []string{"enable0", "disable0", "isr0", "(5", ")"}
	b.sendFree(0x51)
	b.wantOutcomes(b.explore(body{0, func(s *wdf.Sys) { b.startIn(s) }}),
		"enable0 (5 )", // lost or dropped
		"isr0 (5 ) enable0 (5 )",
		"enable0 (5 ) isr0 (5 )",
	)
	b.startDevice()
	b.sendFree(0x51)
	b.wantOutcomes(b.explore(body{0, func(s *wdf.Sys) { s.SetPower(b.device, wdf.PowerDeviceD3) }}),
		"disable0 (5 )",
		"isr0 (5 ) disable0 (5 )",
		"disable0 (5 ) isr0 (5 )", // INT-13
	)
}

// When a message comes during connect and disconnect, the framework drops it
// while it has not stored the interrupt pointer: litmus L-50 (INT-21). For a
// latched line it calls EvtInterruptIsr as soon as the vector is live, and the
// ISR knows the interrupt; once it disconnects it drops those too (INT-22).
func TestINT21INT22EarlyAndLateInterrupts(t *testing.T) {
	const dropped = "the framework drops an interrupt during connect or disconnect"
	for _, line := range []bool{false, true} {
		d := driver{interrupts: []interrupt{{vector: 0x51, line: line, latched: true,
			isr: func(b *bench, s *wdf.Sys, i wdf.WDFINTERRUPT) bool {
				if s.WdfInterruptWdmGetInterrupt(i) == 0 {
					b.note("unknown")
				}
				return true
			}}}}
		b := newBench(t, d)
		b.only = []string{"isr0", "unknown"}
		b.after = func() {
			for _, e := range b.log.Events {
				switch {
				case e.Text == dropped:
					b.history = append(b.history, "dropped")
				case e.Kind == trace.Framework && strings.HasPrefix(e.Text, "IoConnect"):
					b.history = append(b.history, "connected")
				case e.Kind == trace.Start && e.Name == "isr0":
					b.history = append(b.history, "called")
				case e.Kind == trace.Note && strings.Contains(e.Text, "is lost"):
					b.history = append(b.history, "lost")
				}
			}
		}
		b.sendFree(0x51)
		want := []string{"lost connected", "connected dropped", "isr0 connected called"}
		if line {
			want = []string{"lost connected", "isr0 connected called"}
		}
		b.wantOutcomes(b.explore(body{0, func(s *wdf.Sys) { b.startIn(s) }}), want...)

		b.startDevice()
		b.sendFree(0x51)
		b.wantOutcomes(b.explore(body{0, func(s *wdf.Sys) { s.SetPower(b.device, wdf.PowerDeviceD3) }}),
			"lost", "dropped", "isr0 called")
	}
}

// A latched line works again after a power cycle, and in Dx if it stayed
// connected: the mark of the disconnect is gone (INT-22).
func TestINT22LatchedLineAfterPowerCycle(t *testing.T) {
	for _, pageless := range []bool{false, true} {
		d := driver{pageless: pageless, interrupts: []interrupt{{vector: 0x51, line: true, latched: true}}}
		scenario(t, d, func(b *bench) {
			line := b.AddLine("INTA", 0x51, true)
			pulse := func() {
				b.forget()
				b.SetLine(line, 0, true)
				b.SetLine(line, 0, false)
				b.run()
			}
			b.startDevice()
			pulse()
			b.want("isr0")
			b.power(wdf.PowerDeviceD3)
			pulse()
			if pageless {
				b.want("isr0")
			} else {
				b.want("")
			}
			b.power(wdf.PowerDeviceD0)
			pulse()
			b.want("isr0")
		})
	}
}

// Interrupts of one device that share a spin lock run at the highest level among
// them; starting another device changes nothing (INT-16). Without sharing each
// has its own.
func TestINT16CommonSynchronizeIrql(t *testing.T) {
	for _, shared := range []bool{false, true} {
		var lock wdf.WDFSPINLOCK
		d := driver{}
		for _, v := range []uint8{0x51, 0x81} {
			d.interrupts = append(d.interrupts, interrupt{vector: v,
				config: func(b *bench, s *wdf.Sys, c *wdf.InterruptConfig) {
					if shared && lock == 0 {
						lock, _ = s.WdfSpinLockCreate(nil)
					}
					c.SpinLock = lock
				},
				isr: func(b *bench, s *wdf.Sys, i wdf.WDFINTERRUPT) bool {
					b.note("%d", s.KeGetCurrentIrql())
					return true
				}})
		}
		want := "isr0 5 isr1 8"
		if shared {
			want = "isr0 8 isr1 8"
		}
		scenario(t, d, func(b *bench) {
			b.startDevice()
			first := b.device
			b.d.interrupts, b.d.add = nil, nil
			b.do(func(s *wdf.Sys) {
				second, st := s.AddDevice(1)
				b.status("AddDevice", st, wdf.StatusSuccess)
				b.status("StartDevice", s.StartDevice(second, nil, nil), wdf.StatusSuccess)
			})
			b.device = first
			b.do(func(s *wdf.Sys) { s.SetPower(first, wdf.PowerDeviceD3); s.SetPower(first, wdf.PowerDeviceD0) })
			b.forget()
			b.SendMessage(0x51)
			b.run()
			b.SendMessage(0x81)
			b.run()
			b.want(want)
			lock = 0
		})
	}
}

// A level-triggered line that is asserted when the vector becomes live, or when
// its interrupt is disconnected, interrupts until the framework has stored the
// pointer, or has disconnected: nothing is lost, and nothing storms (INT-21, INT-23).
func TestINT21LevelTriggeredLine(t *testing.T) {
	for _, processors := range []int{1, 2} {
		var line int
		d := driver{processors: processors, tunables: kernel.Tunables{StormLimit: 3}, interrupts: []interrupt{{vector: 0x51, line: true,
			affinity: 1 << (processors - 1),
			isr: func(b *bench, s *wdf.Sys, i wdf.WDFINTERRUPT) bool {
				b.SetLine(line, 0, false)
				return true
			}}}}
		b := newBench(t, d)
		line = b.AddLine("INTA", 0x51, false)
		b.SetLine(line, 0, true)
		b.only = []string{"isr0", "enable0", "disable0", "D0Exit"}
		early := b.explore(body{0, func(s *wdf.Sys) { b.startIn(s) }})
		if processors == 1 {
			b.wantOutcomes(early, "isr0 enable0")
		} else {
			b.wantOutcomes(early, "isr0 enable0", "enable0 isr0")
		}
		b.SetLine(line, 0, false)
		b.startDevice()
		b.freely(func() { b.SetLine(line, 0, true) })
		b.wantOutcomes(b.explore(body{0, func(s *wdf.Sys) { s.SetPower(b.device, wdf.PowerDeviceD3) }}),
			"isr0 disable0 D0Exit", "disable0 isr0 D0Exit", "disable0 D0Exit")
	}
}

// WdfInterruptDisable disables, flushes and disconnects, and later power-ups
// leave the interrupt so, until WdfInterruptEnable: litmus L-48 (WDFI-29).
func TestWDFI29DisableAndEnable(t *testing.T) {
	scenario(t, twoInterrupts(), func(b *bench) {
		b.startDevice()
		b.forget()
		b.do(func(s *wdf.Sys) { s.WdfInterruptDisable(b.interrupts[0]) })
		b.wantSteps("disable0 flush0 disconnect0")
		b.power(wdf.PowerDeviceD3)
		b.wantSteps("SelfManagedIoSuspend D0ExitPreInterruptsDisabled disable1 flush1 disconnect1 D0Exit")
		b.power(wdf.PowerDeviceD0)
		b.wantSteps("D0Entry connect1 enable1 D0EntryPostInterruptsEnabled SelfManagedIoRestart")
		b.do(func(s *wdf.Sys) { s.WdfInterruptEnable(b.interrupts[0]) })
		b.wantSteps("connect0 enable0")
		b.do(func(s *wdf.Sys) { s.WdfInterruptEnable(b.interrupts[0]) })
		b.wantSteps("")
		b.wantFindings("WdfInterruptEnable on a connected interrupt")
		b.do(func(s *wdf.Sys) { // VER-3
			old := s.KeRaiseIrql(wdf.APCLevel)
			s.WdfInterruptDisable(b.interrupts[0])
			s.WdfInterruptEnable(b.interrupts[0])
			s.KeLowerIrql(old)
		})
		b.wantSteps("")
		b.wantFindings("verifier break: KmdfIrql", "verifier break: KmdfIrql")
	})
}

// For a device that is not power-pageable only the callbacks are called. A
// failing EvtInterruptEnable is traced only (WDFI-29).
func TestWDFI29NotPowerPageable(t *testing.T) {
	fail := wdf.StatusSuccess
	d := one(interrupt{enable: func(*bench, *wdf.Sys, wdf.WDFINTERRUPT) wdf.NTSTATUS { return fail }})
	d.pageless = true
	scenario(t, d, func(b *bench) {
		fail = wdf.StatusSuccess
		b.startDevice()
		b.forget()
		b.do(func(s *wdf.Sys) { s.WdfInterruptDisable(b.interrupts[0]) })
		b.wantSteps("disable0 flush0")
		b.do(func(s *wdf.Sys) { s.WdfInterruptEnable(b.interrupts[0]) })
		b.wantSteps("enable0")
		fail = wdf.StatusUnsuccessful
		b.do(func(s *wdf.Sys) { s.WdfInterruptDisable(b.interrupts[0]); s.WdfInterruptEnable(b.interrupts[0]) })
		b.wantSteps("disable0 flush0 enable0")
	})
}

// WdfInterruptEnable in Dx connects there and then, which the next power-up does
// again (WDFI-29).
func TestWDFI29EnableInDx(t *testing.T) {
	scenario(t, one(interrupt{}), func(b *bench) {
		b.startDevice()
		b.do(func(s *wdf.Sys) { s.WdfInterruptDisable(b.interrupts[0]) })
		b.power(wdf.PowerDeviceD3)
		b.forget()
		b.do(func(s *wdf.Sys) { s.WdfInterruptEnable(b.interrupts[0]) })
		b.wantSteps("connect0 enable0")
		b.power(wdf.PowerDeviceD0)
		b.wantFindings("interrupt connected twice")
	})
}

// WdfInterruptDisable in the interrupt's own work item waits for itself: litmus
// L-32; in a DPC the verifier refuses, and without it the flush is a bug check
// (WDFI-29).
func TestWDFI29DisableFromOwnCallbacks(t *testing.T) {
	disable := func(b *bench, s *wdf.Sys, i wdf.WDFINTERRUPT) { s.WdfInterruptDisable(i) }
	b := newBench(t, one(interrupt{work: disable}))
	b.startDevice()
	b.SendMessage(0x51)
	b.Run()
	b.wantFindings("deadlock")

	scenario(t, one(interrupt{dpc: disable}), func(b *bench) {
		b.startDevice()
		b.SendMessage(0x51)
		b.run()
		b.wantFindings("verifier break: KmdfIrql")
	})

	off := one(interrupt{dpc: disable})
	off.profile = &kernel.Profile{DriverVerifier: true}
	b = newBench(t, off)
	b.startDevice()
	b.SendMessage(0x51)
	b.Run()
	b.wantFindings("KmdfIrql", "bug check 0xA IRQL_NOT_LESS_OR_EQUAL (0x0, 0x2, 0x0, 0x0)")
}

// WdfInterruptAcquireLock raises to SynchronizeIrql, Release restores the level
// (ILK-1).
func TestILK1Levels(t *testing.T) {
	scenario(t, one(interrupt{}), func(b *bench) {
		b.startDevice()
		for _, irql := range []uint8{wdf.PassiveLevel, wdf.APCLevel, wdf.DispatchLevel, 4, 5} {
			b.do(func(s *wdf.Sys) {
				old := s.KeRaiseIrql(irql)
				s.WdfInterruptAcquireLock(b.interrupts[0])
				b.note("%d", s.KeGetCurrentIrql())
				s.WdfInterruptReleaseLock(b.interrupts[0])
				b.note("%d", s.KeGetCurrentIrql())
				s.KeLowerIrql(old)
			})
		}
		b.history = b.history[len(b.history)-10:]
		b.want("5 0 5 1 5 2 5 4 5 5")
	})
}

// The lock of an interrupt that is not connected is not taken, and the level
// stays: litmus L-24; a Release after it was connected frees what is not held
// (ILK-3).
func TestILK3NotConnected(t *testing.T) {
	use := func(b *bench) {
		b.do(func(s *wdf.Sys) {
			s.WdfInterruptAcquireLock(b.interrupts[0])
			if irql := s.KeGetCurrentIrql(); irql != wdf.PassiveLevel {
				t.Errorf("raised to %d", irql)
			}
			s.WdfInterruptReleaseLock(b.interrupts[0])
		})
	}
	scenario(t, one(interrupt{}), func(b *bench) {
		use(b)
		b.wantFindings("verifier break: WdfInterruptAcquireLock while not connected", "verifier break: WdfInterruptReleaseLock while not connected")
		b.startDevice()
		b.power(wdf.PowerDeviceD3)
		use(b)
		b.wantFindings("verifier break: WdfInterruptAcquireLock while not connected", "verifier break: WdfInterruptReleaseLock while not connected")
	})
	off := one(interrupt{})
	off.profile = &kernel.Profile{}
	scenario(t, off, use) // a trace only

	b := newBench(t, one(interrupt{}))
	b.do(func(s *wdf.Sys) { s.WdfInterruptAcquireLock(b.interrupts[0]) })
	b.take()
	b.startDevice()
	b.stop(func(s *wdf.Sys) { s.WdfInterruptReleaseLock(b.interrupts[0]) })
	b.wantBugCheck("ILK-3", 0x10)
}

// Taking the lock twice, in the ISR, or in a synchronize callback: litmus L-28
// (ILK-5).
func TestILK5NotRecursive(t *testing.T) {
	acquire := func(b *bench, s *wdf.Sys) { s.WdfInterruptAcquireLock(b.interrupts[0]) }
	synchronize := func(b *bench, s *wdf.Sys) { s.WdfInterruptSynchronize(b.interrupts[0], b.object("sync", nil), 0) }
	for name, f := range map[string]func(b *bench, s *wdf.Sys){
		"twice":                        func(b *bench, s *wdf.Sys) { acquire(b, s); acquire(b, s) },
		"Synchronize while holding it": func(b *bench, s *wdf.Sys) { acquire(b, s); synchronize(b, s) },
		"in EvtInterruptSynchronize": func(b *bench, s *wdf.Sys) {
			s.WdfInterruptSynchronize(b.interrupts[0], b.object("sync", func(s *wdf.Sys, _ wdf.Handle) { acquire(b, s) }), 0)
		},
		"in the ISR": func(b *bench, s *wdf.Sys) {
			b.SendMessage(0x51)
			s.KeStallExecutionProcessor(1)
		},
	} {
		b := newBench(t, one(interrupt{isr: func(b *bench, s *wdf.Sys, i wdf.WDFINTERRUPT) bool {
			acquire(b, s)
			return true
		}}))
		b.startDevice()
		b.stop(func(s *wdf.Sys) { f(b, s) })
		if got := titles(b.take()); !slices.Contains(got, "self-deadlock") {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// WdfInterruptSynchronize: the callback runs at SynchronizeIrql with the lock,
// with handle and context; its BOOLEAN is returned (ILK-6).
func TestILK6Synchronize(t *testing.T) {
	scenario(t, one(interrupt{}), func(b *bench) {
		b.startDevice()
		result := uint64(0)
		sync := b.fn("sync", func(s *wdf.Sys, a kernel.Args) uint64 {
			b.note("%v %d irql%d", wdf.Handle(a[0]) == b.interrupts[0], a[1], s.KeGetCurrentIrql())
			return result
		})
		b.forget()
		b.do(func(s *wdf.Sys) {
			for result = range 3 { // a BOOLEAN is a byte that is not zero
				b.note("%v", s.WdfInterruptSynchronize(b.interrupts[0], sync, 7+result))
			}
			b.note("irql%d", s.KeGetCurrentIrql())
		})
		b.want("true 7 irql5 false true 8 irql5 true true 9 irql5 true irql0")
		b.do(func(s *wdf.Sys) {
			old := s.KeRaiseIrql(5)
			s.WdfInterruptSynchronize(b.interrupts[0], sync, 0)
			s.KeLowerIrql(old)
		})
		b.wantFindings("KmdfIrql") // IRQL <= DISPATCH_LEVEL
	})

	b := newBench(t, one(interrupt{}))
	b.stop(func(s *wdf.Sys) { s.WdfInterruptSynchronize(b.interrupts[0], 0, 0) })
	b.wantBugCheck("OBJ-19", 0x10D, 4)
	b = newBench(t, one(interrupt{}))
	b.stop(func(s *wdf.Sys) { s.WdfInterruptSynchronize(b.interrupts[0], b.object("sync", nil), 0) })
	b.wantBugCheck("ILK-6", 0x7E)
	b = newBench(t, one(interrupt{}))
	b.stop(func(s *wdf.Sys) {
		s.KeRaiseIrql(wdf.DispatchLevel)
		s.WdfInterruptSynchronize(b.interrupts[0], b.object("sync", nil), 0)
	})
	b.wantBugCheck("ILK-6", 0xD1)
}

// Holders of the lock exclude the ISR, synchronize callbacks and those of other
// interrupts with the same spin lock, but not DPCs (ILK-7).
func TestILK7ExclusionSet(t *testing.T) {
	var x uint64
	var lock wdf.WDFSPINLOCK
	touch := func(b *bench, s *wdf.Sys) {
		b.note("(")
		s.Load(x, 8)
		b.note(")")
	}
	config := func(b *bench, s *wdf.Sys, c *wdf.InterruptConfig) {
		if lock == 0 {
			lock, _ = s.WdfSpinLockCreate(nil)
		}
		c.SpinLock = lock
	}
	isr := func(b *bench, s *wdf.Sys, i wdf.WDFINTERRUPT) bool {
		touch(b, s)
		return true
	}
	dpc := func(b *bench, s *wdf.Sys, i wdf.WDFINTERRUPT) {
		b.note("dpc")
		s.Load(x, 8)
		b.note("end")
	}
	b := newBench(t, driver{processors: 2, interrupts: []interrupt{
		{vector: 0x51, affinity: 0b10, config: config, isr: isr, dpc: dpc}, {vector: 0x81, affinity: 0b10, config: config, isr: isr}}})
	x = b.Mem.Alloc(8, 0, false, 0)
	b.startDevice()
	b.only = []string{"(", ")", "dpc", "end"}
	holder := body{0, func(s *wdf.Sys) {
		s.WdfInterruptAcquireLock(b.interrupts[0])
		touch(b, s)
		s.WdfInterruptReleaseLock(b.interrupts[0])
	}}
	sync := b.object("sync", func(s *wdf.Sys, _ wdf.Handle) { touch(b, s) })
	for name, other := range map[string]func(s *wdf.Sys){
		"ISR":                    func(s *wdf.Sys) { b.SendMessage(0x51) },
		"ISR of the other":       func(s *wdf.Sys) { b.SendMessage(0x81) },
		"synchronize":            func(s *wdf.Sys) { s.WdfInterruptSynchronize(b.interrupts[0], sync, 0) },
		"synchronize, the other": func(s *wdf.Sys) { s.WdfInterruptSynchronize(b.interrupts[1], sync, 0) },
	} {
		if got := b.explore(holder, body{1, other}); !slices.Equal(got, []string{"( ) ( )"}) {
			t.Errorf("%s: %q", name, got)
		}
	}
	got := b.explore(holder, body{1, func(s *wdf.Sys) { s.WdfInterruptQueueDpcForIsr(b.interrupts[0]) }})
	if !slices.Contains(got, "( dpc end )") {
		t.Errorf("no DPC while the lock is held: %q", got)
	}
}
