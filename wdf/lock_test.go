package wdf_test

import (
	"slices"
	"testing"

	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/wdf"
)

// A spin lock is taken at <= DISPATCH_LEVEL, raises to it, and restores the
// level (OBJ-15).
func TestOBJ15SpinLock(t *testing.T) {
	scenario(t, driver{}, func(b *bench) {
		b.forget()
		b.do(func(s *wdf.Sys) {
			lock := must(s.WdfSpinLockCreate(nil))
			for _, irql := range []uint8{wdf.PassiveLevel, wdf.APCLevel, wdf.DispatchLevel} {
				old := s.KeRaiseIrql(irql)
				s.WdfSpinLockAcquire(lock)
				b.note("%d", s.KeGetCurrentIrql())
				s.WdfSpinLockRelease(lock)
				b.note("%d", s.KeGetCurrentIrql())
				s.KeLowerIrql(old)
			}
		})
		b.want("2 0 2 1 2 2")
	})
}

// Release by another thread is 0x10D/0xB/1 with the verifier; without it nothing
// looks, and the kernel finds a lock that this processor does not hold (OBJ-15).
func TestOBJ15ReleaseByAnother(t *testing.T) {
	for _, verifier := range []bool{true, false} {
		d := driver{processors: 2, profile: &kernel.Profile{FrameworkVerifier: verifier, DriverVerifier: true}}
		b := newBench(t, d)
		var lock wdf.WDFSPINLOCK
		taken, released := false, false
		b.do(func(s *wdf.Sys) { lock = must(s.WdfSpinLockCreate(nil)) })
		b.spawn(1, func(s *wdf.Sys) {
			s.WdfSpinLockAcquire(lock)
			taken = true
			s.BusyWait("the release", func() bool { return released })
		})
		b.stop(func(s *wdf.Sys) {
			s.BusyWait("the acquire", func() bool { return taken })
			s.KeRaiseIrql(wdf.DispatchLevel)
			s.WdfSpinLockRelease(lock)
		})
		if verifier {
			b.wantBugCheck("OBJ-15", 0x10D, 0xB, uint64(lock), 1)
		} else {
			b.wantBugCheck("IRQL-15", 0x10)
		}
	}
}

// A second release is one by a thread that does not own the lock.
func TestOBJ15ReleaseTwice(t *testing.T) {
	b := newBench(t, driver{})
	var lock wdf.WDFSPINLOCK
	b.stop(func(s *wdf.Sys) {
		lock = must(s.WdfSpinLockCreate(nil))
		s.WdfSpinLockAcquire(lock)
		s.WdfSpinLockRelease(lock)
		s.KeRaiseIrql(wdf.DispatchLevel)
		s.WdfSpinLockRelease(lock)
	})
	b.wantBugCheck("OBJ-15", 0x10D, 0xB, uint64(lock), 1)
}

// A spin lock excludes code on the other processor.
func TestOBJ15Exclusion(t *testing.T) {
	b := newBench(t, driver{processors: 2})
	x := b.Mem.Alloc(8, 0, false, 0)
	var lock wdf.WDFSPINLOCK
	b.do(func(s *wdf.Sys) { lock = must(s.WdfSpinLockCreate(nil)) })
	add := func(s *wdf.Sys) {
		s.WdfSpinLockAcquire(lock)
		s.Store(x, 8, s.Load(x, 8)+1)
		s.WdfSpinLockRelease(lock)
	}
	b.after = func() {
		v, _ := b.Mem.Load(x, 8)
		b.note("%d", v)
	}
	b.wantOutcomes(b.explore(body{0, add}, body{1, add}), "2")
}

// The spin lock of an interrupt neither locks nor raises: litmus L-25 (OBJ-16).
func TestOBJ16InterruptSpinLock(t *testing.T) {
	var lock wdf.WDFSPINLOCK
	d := one(interrupt{config: func(b *bench, s *wdf.Sys, c *wdf.InterruptConfig) {
		lock = must(s.WdfSpinLockCreate(nil))
		c.SpinLock = lock
	}})
	use := func(b *bench) {
		b.forget()
		b.do(func(s *wdf.Sys) {
			s.WdfSpinLockAcquire(lock)
			b.note("%d", s.KeGetCurrentIrql())
			s.WdfSpinLockAcquire(lock) // it is not taken
			atDispatch(s, func() { s.WdfSpinLockRelease(lock) })
			b.note("%d", s.KeGetCurrentIrql())
		})
		b.want("0 0")
	}
	scenario(t, d, func(b *bench) {
		use(b)
		b.wantFindings("verifier break: spin lock of an interrupt", "verifier break: spin lock of an interrupt",
			"verifier break: spin lock of an interrupt")
	})
	d.profile = &kernel.Profile{DriverVerifier: true}
	scenario(t, d, use)
}

// A wait lock enters a critical region and leaves the level alone; STATUS_TIMEOUT
// is a success code (OBJ-17).
func TestOBJ17WaitLock(t *testing.T) {
	scenario(t, driver{}, func(b *bench) {
		lock := wdf.WDFWAITLOCK(0)
		b.do(func(s *wdf.Sys) { lock = must(s.WdfWaitLockCreate(nil)) })
		b.forget()
		b.do(func(s *wdf.Sys) {
			b.status("free", s.WdfWaitLockAcquire(lock, nil), wdf.StatusSuccess)
			b.note("irql%d", s.KeGetCurrentIrql())
			b.spawn(0, func(s *wdf.Sys) {
				b.status("held, no wait", s.WdfWaitLockAcquire(lock, new(int64)), wdf.StatusTimeout)
				b.status("held, 1 ms", s.WdfWaitLockAcquire(lock, new(milliseconds(1))), wdf.StatusTimeout)
				b.note("%dms", b.Now()/1_000_000)
				b.status("held, 10 ms", s.WdfWaitLockAcquire(lock, new(milliseconds(10))), wdf.StatusSuccess)
				b.note("second")
				s.WdfWaitLockRelease(lock)
			})
			s.KeDelayExecutionThread(kernel.After(5_000_000))
			b.note("release")
			s.WdfWaitLockRelease(lock)
			b.status("again", s.WdfWaitLockAcquire(lock, nil), wdf.StatusSuccess)
			b.note("again")
			s.WdfWaitLockRelease(lock)
		})
		b.want("irql0 1ms release second again")
		if wdf.StatusTimeout.Failed() {
			t.Error("STATUS_TIMEOUT is not a success code")
		}
	})
}

// The critical region: a thread that ends with the lock is 0x20, one whose
// acquire timed out is not in a region.
func TestOBJ17CriticalRegion(t *testing.T) {
	b := newBench(t, driver{})
	b.stop(func(s *wdf.Sys) { s.WdfWaitLockAcquire(must(s.WdfWaitLockCreate(nil)), nil) })
	b.wantBugCheck("IRQL-9", 0x20)
}

// At DISPATCH_LEVEL a timeout of zero is good; anything else is refused by the
// verifier, and without it waits, which in a DPC is 0xB8 (OBJ-17, VER-3, IRQL-9).
func TestOBJ17Level(t *testing.T) {
	for _, c := range []struct {
		verifier, held bool
		timeout        *int64
		noted          string
		findings       []string
	}{
		{true, false, new(int64), "0x0", nil},
		{true, true, new(int64), "0x102", nil},
		{true, false, nil, "0xc0000010", []string{"verifier break: KmdfIrql"}},
		{true, false, new(int64(-1)), "0xc0000010", []string{"verifier break: KmdfIrql"}},
		{true, false, new(int64(1)), "0xc0000010", []string{"verifier break: KmdfIrql"}},
		{false, false, nil, "0x0", []string{"KmdfIrql"}},
		{false, true, nil, "", []string{"KmdfIrql", "bug check 0xB8 ATTEMPTED_SWITCH_FROM_DPC (0x2, 0x0, 0x0, 0x0)"}},
	} {
		var dpc wdf.WDFDPC
		var lock wdf.WDFWAITLOCK
		d := withDPC(driver{}, "D", &dpc, func(b *bench, s *wdf.Sys) {
			st := s.WdfWaitLockAcquire(lock, c.timeout)
			b.note("%#x", uint32(st))
			if st == wdf.StatusSuccess {
				s.WdfWaitLockRelease(lock)
			}
		})
		d.profile = &kernel.Profile{FrameworkVerifier: c.verifier, DriverVerifier: true}
		b := newBench(t, d)
		b.forget()
		b.only = []string{"0x0", "0x102", "0xc0000010"}
		b.spawn(0, func(s *wdf.Sys) {
			lock = must(s.WdfWaitLockCreate(nil))
			if c.held {
				s.WdfWaitLockAcquire(lock, nil)
			}
			s.WdfDpcEnqueue(dpc)
			if c.held {
				s.WdfWaitLockRelease(lock)
			}
		})
		b.Run()
		b.want(c.noted)
		b.wantFindings(c.findings...)
	}
}

// A thread that waits for its own lock is a deadlock, unless the wait ends
// (OBJ-17).
func TestOBJ17NotRecursive(t *testing.T) {
	scenario(t, driver{}, func(b *bench) {
		b.do(func(s *wdf.Sys) {
			lock := must(s.WdfWaitLockCreate(nil))
			s.WdfWaitLockAcquire(lock, nil)
			b.status("own, 1 ms", s.WdfWaitLockAcquire(lock, new(milliseconds(1))), wdf.StatusTimeout)
			s.WdfWaitLockRelease(lock)
		})
	})
	b := newBench(t, driver{})
	b.stop(func(s *wdf.Sys) {
		lock := must(s.WdfWaitLockCreate(nil))
		s.WdfWaitLockAcquire(lock, nil)
		s.WdfWaitLockAcquire(lock, nil)
	})
	b.wantFindings("self-deadlock")
}

// Release by a thread that does not own the lock is only asserted: reported, and
// the lock is free (OBJ-17).
func TestOBJ17ReleaseByAnother(t *testing.T) {
	scenario(t, driver{}, func(b *bench) {
		b.do(func(s *wdf.Sys) {
			lock := must(s.WdfWaitLockCreate(nil))
			s.EnterRegion() // what the release will leave
			s.WdfWaitLockRelease(lock)
		})
		b.wantFindings("WdfWaitlock")
	})
}

// Wait locks exclude threads.
func TestOBJ17Exclusion(t *testing.T) {
	b := newBench(t, driver{processors: 2})
	x := b.Mem.Alloc(8, 0, false, 0)
	var lock wdf.WDFWAITLOCK
	b.do(func(s *wdf.Sys) { lock = must(s.WdfWaitLockCreate(nil)) })
	add := func(s *wdf.Sys) {
		s.WdfWaitLockAcquire(lock, nil)
		s.Store(x, 8, s.Load(x, 8)+1)
		s.WdfWaitLockRelease(lock)
	}
	b.after = func() {
		v, _ := b.Mem.Load(x, 8)
		b.note("%d", v)
	}
	b.wantOutcomes(b.explore(body{0, add}, body{1, add}), "2")
}

// serialized is a driver with an interrupt whose DPC is serialized, and which
// loads a word while it runs: dpc0 ... end.
func serialized(x *uint64, scope wdf.SynchronizationScope) driver {
	d := one(interrupt{
		config: func(b *bench, s *wdf.Sys, c *wdf.InterruptConfig) { c.AutomaticSerialization = true },
		isr: func(b *bench, s *wdf.Sys, i wdf.WDFINTERRUPT) bool {
			s.Load(*x, 8)
			b.note("isrEnd")
			return false
		},
		dpc: func(b *bench, s *wdf.Sys, i wdf.WDFINTERRUPT) {
			s.Load(*x, 8)
			b.note("end")
		},
	})
	d.processors, d.attributes.SynchronizationScope = 2, scope
	return d
}

// The callback lock of the parent is held around EvtInterruptDpc: it excludes
// holders of the lock; the ISR overlaps them all the same (SER-1). Without a
// scope there is no lock and no error (SER-2).
func TestSER1SER2CallbackLock(t *testing.T) {
	for _, scope := range []wdf.SynchronizationScope{wdf.SynchronizationScopeDevice, wdf.SynchronizationScopeQueue,
		wdf.SynchronizationScopeNone, wdf.SynchronizationScopeInherit} {
		var x uint64
		b := newBench(t, serialized(&x, scope))
		x = b.Mem.Alloc(8, 0, false, 0)
		b.startDevice()
		b.only = []string{"dpc0", "end", "(", ")", "isr0", "isrEnd"}
		hold := body{0, func(s *wdf.Sys) {
			s.WdfObjectAcquireLock(b.device)
			b.note("(")
			s.Load(x, 8)
			b.note(")")
			s.WdfObjectReleaseLock(b.device)
		}}
		want := []string{"( ) dpc0 end", "dpc0 end ( )"}
		if scope == wdf.SynchronizationScopeNone || scope == wdf.SynchronizationScopeInherit {
			want = append(want, "( dpc0 ) end", "( dpc0 end )", "dpc0 ( ) end", "dpc0 ( end )")
		}
		b.wantOutcomes(b.explore(hold, body{1, func(s *wdf.Sys) { s.WdfInterruptQueueDpcForIsr(b.interrupts[0]) }}), want...)
		if got := b.explore(hold, body{1, func(s *wdf.Sys) { b.SendMessage(0x51) }}); !slices.Contains(got, "( isr0 isrEnd )") {
			t.Errorf("the ISR does not overlap the callback lock: %q", got)
		}
	}
}

// Two runs of a serialized DPC on two processors do not overlap (SER-5).
func TestSER5TwoProcessors(t *testing.T) {
	var x uint64
	b := newBench(t, serialized(&x, wdf.SynchronizationScopeDevice))
	x = b.Mem.Alloc(8, 0, false, 0)
	b.only = []string{"dpc0", "end"}
	queue := func(s *wdf.Sys) { s.WdfInterruptQueueDpcForIsr(b.interrupts[0]) }
	b.wantOutcomes(b.explore(body{0, queue}, body{1, queue}), "dpc0 end", "dpc0 end dpc0 end")
}

// Level mismatch of automatic serialization (SER-3): the verifier breaks, and the
// call fails; without a scope, or without serialization, all is well.
func TestSER3LevelMismatch(t *testing.T) {
	mismatch := wdf.StatusWdfIncompatibleExecutionLevel
	for _, c := range []struct {
		level wdf.ExecutionLevel
		scope wdf.SynchronizationScope
		dpc   wdf.NTSTATUS // of DPC, dispatch timer, interrupt with DPC or neither
		work  wdf.NTSTATUS // of work item, passive timer, interrupt with work item
	}{
		{wdf.ExecutionLevelPassive, wdf.SynchronizationScopeDevice, mismatch, wdf.StatusSuccess},
		{wdf.ExecutionLevelPassive, wdf.SynchronizationScopeQueue, mismatch, wdf.StatusSuccess},
		{wdf.ExecutionLevelPassive, wdf.SynchronizationScopeNone, wdf.StatusSuccess, wdf.StatusSuccess},
		{wdf.ExecutionLevelDispatch, wdf.SynchronizationScopeDevice, wdf.StatusSuccess, mismatch},
		{wdf.ExecutionLevelInherit, wdf.SynchronizationScopeDevice, wdf.StatusSuccess, mismatch},
		{wdf.ExecutionLevelInherit, wdf.SynchronizationScopeInherit, wdf.StatusSuccess, wdf.StatusSuccess},
	} {
		for _, serialize := range []bool{true, false} {
			d := driver{attributes: wdf.ObjectAttributes{ExecutionLevel: c.level, SynchronizationScope: c.scope}}
			d.add = func(b *bench, s *wdf.Sys) {
				check := func(what string, st, want wdf.NTSTATUS) {
					if !serialize {
						want = wdf.StatusSuccess
					}
					b.status(what, st, want)
					if want == mismatch {
						b.wantFindings("verifier break: STATUS_WDF_INCOMPATIBLE_EXECUTION_LEVEL")
					}
				}
				_, st := s.WdfDpcCreate(&wdf.DPCConfig{Size: 24, AutomaticSerialization: serialize}, parent(b.device))
				check("WdfDpcCreate", st, c.dpc)
				_, st = s.WdfTimerCreate(&wdf.TimerConfig{Size: 40, AutomaticSerialization: serialize}, parent(b.device))
				check("WdfTimerCreate", st, c.dpc)
				_, st = s.WdfTimerCreate(&wdf.TimerConfig{Size: 40, AutomaticSerialization: serialize},
					&wdf.ObjectAttributes{ParentObject: b.device, ExecutionLevel: wdf.ExecutionLevelPassive})
				check("WdfTimerCreate, passive", st, c.work)
				_, st = s.WdfWorkItemCreate(&wdf.WorkItemConfig{Size: 24, AutomaticSerialization: serialize, EvtWorkItemFunc: 1}, parent(b.device))
				check("WdfWorkItemCreate", st, c.work)
				config := isrOnly(b)
				config.AutomaticSerialization = serialize
				_, st = s.WdfInterruptCreate(b.device, &config, nil)
				check("WdfInterruptCreate", st, c.dpc)
				config.EvtInterruptDpc = 1
				_, st = s.WdfInterruptCreate(b.device, &config, nil)
				check("WdfInterruptCreate, DPC", st, c.dpc)
				config.EvtInterruptDpc, config.EvtInterruptWorkItem = 0, 1
				_, st = s.WdfInterruptCreate(b.device, &config, nil)
				check("WdfInterruptCreate, work item", st, c.work)
			}
			scenario(t, d, func(b *bench) {})
		}
	}
}

// A passive parent has a mutex: the level stays, in a critical region; any other
// a spin lock: DISPATCH_LEVEL (SER-4). Serialized callbacks run under it.
func TestSER4LockType(t *testing.T) {
	for level, irql := range map[wdf.ExecutionLevel]uint8{wdf.ExecutionLevelPassive: 0, wdf.ExecutionLevelDispatch: 2, wdf.ExecutionLevelInherit: 2} {
		d := driver{attributes: wdf.ObjectAttributes{ExecutionLevel: level, SynchronizationScope: wdf.SynchronizationScopeDevice}}
		scenario(t, d, func(b *bench) {
			b.do(func(s *wdf.Sys) {
				s.WdfObjectAcquireLock(b.device)
				if got := s.KeGetCurrentIrql(); got != irql {
					t.Errorf("level %d: %d under the lock", level, got)
				}
				s.WdfObjectReleaseLock(b.device)
				if got := s.KeGetCurrentIrql(); got != wdf.PassiveLevel {
					t.Errorf("level %d: %d after the lock", level, got)
				}
			})
		})
	}
	// A serialized work item under a passive parent excludes holders of the mutex.
	var work wdf.WDFWORKITEM
	var x uint64
	d := driver{processors: 2, attributes: wdf.ObjectAttributes{
		ExecutionLevel: wdf.ExecutionLevelPassive, SynchronizationScope: wdf.SynchronizationScopeDevice},
		add: func(b *bench, s *wdf.Sys) {
			c := wdf.WorkItemConfigInit(b.fn("work item", func(s *wdf.Sys, a kernel.Args) uint64 {
				b.note("[")
				s.Load(x, 8)
				b.note("]")
				return 0
			}))
			work = must(s.WdfWorkItemCreate(&c, parent(b.device)))
		}}
	b := newBench(t, d)
	x = b.Mem.Alloc(8, 0, false, 0)
	b.wantOutcomes(b.explore(body{0, func(s *wdf.Sys) {
		s.WdfWorkItemEnqueue(work)
		s.WdfObjectAcquireLock(b.device)
		b.note("(")
		s.Load(x, 8)
		b.note(")")
		s.WdfObjectReleaseLock(b.device)
	}}), "( ) [ ]", "[ ] ( )")
}

// Taking a callback lock again is 0x10D/2, also without the verifier (SER-6).
func TestSER6Recursion(t *testing.T) {
	for _, c := range []struct {
		level   wdf.ExecutionLevel
		profile kernel.Profile
	}{{wdf.ExecutionLevelDispatch, kernel.DefaultProfile}, {wdf.ExecutionLevelPassive, kernel.DefaultProfile}, {wdf.ExecutionLevelDispatch, kernel.Profile{}}} {
		d := driver{profile: &c.profile, attributes: wdf.ObjectAttributes{ExecutionLevel: c.level}}
		b := newBench(t, d)
		b.stop(func(s *wdf.Sys) {
			s.WdfObjectAcquireLock(b.device)
			s.WdfObjectAcquireLock(b.device)
		})
		b.wantBugCheck("SER-6", 0x10D, 2)
	}
	var x uint64
	d := serialized(&x, wdf.SynchronizationScopeDevice) // in a serialized DPC
	d.interrupts[0].dpc = func(b *bench, s *wdf.Sys, i wdf.WDFINTERRUPT) { s.WdfObjectAcquireLock(b.device) }
	b := newBench(t, d)
	b.stop(func(s *wdf.Sys) { s.WdfInterruptQueueDpcForIsr(b.interrupts[0]) })
	b.wantBugCheck("SER-6", 0x10D, 2)
}

// An object without a callback lock is 0x10D/0xB (SER-7).
func TestSER7NoLock(t *testing.T) {
	for _, call := range []func(s *wdf.Sys, h wdf.Handle){(*wdf.Sys).WdfObjectAcquireLock, (*wdf.Sys).WdfObjectReleaseLock} {
		var o objects
		b := newBench(t, objectDriver(&o))
		restore := b.snapshot()
		for _, h := range []wdf.Handle{o.driver, o.interrupt, o.dpc, o.spin} {
			restore()
			b.stop(func(s *wdf.Sys) { call(s, h) })
			b.wantBugCheck("SER-7", 0x10D, 0xB, uint64(h), 0)
		}
	}
}

// VER-4: the verifier yields before it takes a callback lock at PASSIVE_LEVEL and after
// it has released it: a search on one processor lets another thread of the same priority go
// on there, and nowhere else. Without the verifier threads follow one another.
func TestVER4YieldsAroundLocks(t *testing.T) {
	for _, c := range []struct {
		verifier bool
		want     []string
	}{
		{false, []string{"a1 a2 a3 b1 b2 b3"}},
		{true, []string{"a1 a2 a3 b1 b2 b3", "a1 a2 b1 a3 b2 b3", "a1 a2 b1 b2 a3 b3", "a1 a2 b1 b2 b3 a3",
			"a1 b1 a2 a3 b2 b3", "a1 b1 a2 b2 a3 b3", "a1 b1 a2 b2 b3 a3", "a1 b1 b2 a2 a3 b3", "a1 b1 b2 a2 b3 a3", "a1 b1 b2 b3 a2 a3"}},
	} {
		b := newBench(t, driver{profile: &kernel.Profile{FrameworkVerifier: c.verifier},
			attributes: wdf.ObjectAttributes{SynchronizationScope: wdf.SynchronizationScopeDevice}})
		locked := func(name string) body {
			return body{cpu: 0, run: func(s *wdf.Sys) {
				s.Step()
				b.note("%s1", name)
				s.WdfObjectAcquireLock(b.device)
				b.note("%s2", name)
				s.WdfObjectReleaseLock(b.device)
				b.note("%s3", name)
			}}
		}
		b.wantOutcomes(b.explore(locked("a"), locked("b")), c.want...)
	}
}
