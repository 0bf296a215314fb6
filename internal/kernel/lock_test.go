package kernel_test

import (
	"fmt"
	"testing"

	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/mem"
)

// Misuse of spin locks (IRQL-15, ILK-5).
func TestLockBugChecks(t *testing.T) {
	lockParam := func(sub ...uint64) func(b *bench) [4]uint64 {
		return func(b *bench) (p [4]uint64) { copy(p[:], append(sub, b.at(0))); return p }
	}
	twice := func(b *bench, t *kernel.Thread) {
		old := t.KeAcquireSpinLock(b.at(0))
		t.KeReleaseSpinLock(b.at(0), old)
		t.KeReleaseSpinLock(b.at(0), old)
	}
	free := func(b *bench, t *kernel.Thread) {
		t.KeRaiseIrql(2)
		t.KeReleaseSpinLock(b.at(0), 0)
	}
	other := func(b *bench, t *kernel.Thread) {
		b.thread(1, func(t *kernel.Thread) {
			t.KeAcquireSpinLock(b.at(0))
			t.BusyWait("for ever", func() bool { return false })
		})
		t.BusyWait("the other", func() bool { return b.value(b.at(0)) != 0 })
		t.KeRaiseIrql(2)
		t.KeReleaseSpinLockFromDpcLevel(b.at(0))
	}
	self := func(b *bench, t *kernel.Thread) {
		t.KeAcquireSpinLock(b.at(0))
		t.KeAcquireSpinLock(b.at(0))
	}
	below := func(b *bench, t *kernel.Thread) {
		t.KeRaiseIrql(2)
		t.KeAcquireSpinLockAtDpcLevel(b.at(0))
		b.message("isr", testVector, func(t *kernel.Thread) bool {
			t.KeAcquireSpinLockAtDpcLevel(b.at(0))
			return true
		})
		b.SendMessage(testVector)
		t.KeStallExecutionProcessor(1)
	}
	garbage := func(b *bench, t *kernel.Thread) {
		b.set(b.at(0), 1)
		t.KeAcquireSpinLock(b.at(0))
	}
	badOld := func(b *bench, t *kernel.Thread) {
		t.KeRaiseIrql(1)
		t.KeAcquireSpinLock(b.at(0))
		t.KeReleaseSpinLock(b.at(0), 0)
	}
	for _, c := range []crash{
		{name: "IRQL-15 release of a free lock", body: free, code: 0xC4, params: lockParam(0x1007)},
		{name: "IRQL-15 release of a free lock, bare", profile: bare, body: free, code: 0x10, params: lockParam()},
		{name: "IRQL-15 release twice", body: twice, code: 0xC4, params: lockParam(0x32, 0)},
		{name: "IRQL-15 release twice, bare", profile: bare, body: twice, code: 0x10, params: lockParam()},
		{name: "IRQL-15 release at another level", body: func(b *bench, t *kernel.Thread) {
			t.KeAcquireSpinLock(b.at(0))
			t.KeRaiseIrql(5)
			t.KeReleaseSpinLock(b.at(0), 0)
		}, code: 0xC4, params: lockParam(0x32, 5)},
		{name: "IRQL-15 FromDpcLevel below DISPATCH_LEVEL", body: func(b *bench, t *kernel.Thread) {
			t.KeAcquireSpinLock(b.at(0))
			t.KeLowerIrql(0)
			t.KeReleaseSpinLockFromDpcLevel(b.at(0))
		}, code: 0xC4, params: lockParam(0x41, 0)},
		{name: "IRQL-15 release of a lock of another processor", procs: 2, body: other, code: 0xC4,
			params: func(b *bench) [4]uint64 { return [4]uint64{0x1004, b.at(0), 3, 2} }},
		{name: "IRQL-15 release of a lock of another processor, bare", profile: bare, procs: 2, body: other, code: 0x10, params: lockParam()},
		{name: "IRQL-15 IrqlKeReleaseSpinLock", body: badOld, code: 0xC4, params: lockParam(0x00020015), rule: "IrqlKeReleaseSpinLock"},
		{name: "IRQL-15 IrqlKeReleaseSpinLock, bare", profile: bare, body: badOld, ends: kernel.Done, rule: "IrqlKeReleaseSpinLock"},
		{name: "IRQL-15 AtDpcLevel below DISPATCH_LEVEL", body: func(b *bench, t *kernel.Thread) { t.KeAcquireSpinLockAtDpcLevel(b.at(0)) },
			code: 0xC4, params: lockParam(0x40, 0)},
		{name: "IRQL-15 CON-14 try AtDpcLevel below DISPATCH_LEVEL", body: func(b *bench, t *kernel.Thread) { t.KeTryToAcquireSpinLockAtDpcLevel(b.at(0)) },
			code: 0xC4, params: lockParam(0x40, 0)},
		{name: "IRQL-15 AtDpcLevel below DISPATCH_LEVEL, bare", profile: bare, body: func(b *bench, t *kernel.Thread) {
			t.KeAcquireSpinLockAtDpcLevel(b.at(0))
			t.KeReleaseSpinLockFromDpcLevel(b.at(0))
		}, rule: "IRQL", ends: kernel.Done},
		{name: "IRQL-15 self-deadlock", body: self, code: 0xC4, params: lockParam(0x1000), rule: "self-deadlock"},
		{name: "IRQL-15 self-deadlock, bare", profile: bare, body: self, rule: "self-deadlock"},
		{name: "ILK-5 self-deadlock with the code below the ISR", body: below, code: 0xC4, params: lockParam(0x1000)},
		{name: "ILK-5 self-deadlock with the code below the ISR, bare", profile: bare, body: below, rule: "self-deadlock"},
		{name: "IRQL-15 never initialized", body: garbage, code: 0xC4, params: lockParam(0x1002)},
		{name: "IRQL-15 a lock that is never released, bare", profile: bare, procs: 2, tun: kernel.Tunables{TotalWatchdogTicks: 5}, body: garbage,
			code: 0x133, params: with(1, 5)},
		{name: "IRQL-15 initialized while it is held", body: func(b *bench, t *kernel.Thread) {
			t.KeAcquireSpinLock(b.at(0))
			t.KeInitializeSpinLock(b.at(0))
		}, code: 0xC4, params: lockParam(0x1005)},
		{name: "SpinLock held at the end", body: func(b *bench, t *kernel.Thread) {
			t.Invoke("callback", b.fn("callback", func(t *kernel.Thread, _ kernel.Args) uint64 {
				t.KeAcquireSpinLock(b.at(0))
				return 0
			}), kernel.Args{})
		}, code: 0xC4, params: func(b *bench) [4]uint64 { return [4]uint64{0x00040009, b.Function("callback", nil)} }, rule: "SpinLock"},
		{name: "SpinLock held at the end, bare", profile: bare, body: func(b *bench, t *kernel.Thread) {
			t.Invoke("callback", b.fn("callback", func(t *kernel.Thread, _ kernel.Args) uint64 {
				t.KeAcquireSpinLock(b.at(0))
				return 0
			}), kernel.Args{})
			t.KeReleaseSpinLock(b.at(0), 0)
		}, rule: "SpinLock", ends: kernel.Done},
		{name: "SpinLock held in a DPC", body: inDPC(func(b *bench, t *kernel.Thread) { t.KeAcquireSpinLockAtDpcLevel(b.at(0)) }), code: 0xC4,
			params: func(b *bench) [4]uint64 { return [4]uint64{0x00040009, b.Function("dpc", nil)} }},
		{name: "QueuedSpinLock held in a DPC", body: inDPC(func(b *bench, t *kernel.Thread) {
			t.KeAcquireInStackQueuedSpinLockAtDpcLevel(b.at(0), b.alloc(kernel.LockHandleSize))
		}), code: 0xC4, params: func(b *bench) [4]uint64 { return [4]uint64{0x00040006, b.Function("dpc", nil)} }, rule: "QueuedSpinLock"},
	} {
		body := c.body
		c.body = func(b *bench, t *kernel.Thread) {
			t.KeInitializeSpinLock(b.cell())
			body(b, t)
		}
		if c.ends != kernel.Done || c.code != 0 || c.rule == "self-deadlock" {
			c.ends = kernel.Stopped
		}
		c.check(t)
	}
}

// Two locks (IRQL-15): order of the acquires, of the releases, type of routine,
// memory.
func TestIRQL15TwoLocks(t *testing.T) {
	both := func(t *kernel.Thread, first, second uint64) {
		old := t.KeAcquireSpinLock(first)
		t.KeAcquireSpinLockAtDpcLevel(second)
		t.KeReleaseSpinLockFromDpcLevel(second)
		t.KeReleaseSpinLock(first, old)
	}
	handle := func(b *bench) uint64 { return b.alloc(kernel.LockHandleSize) }
	lock := func(code uint64, n int) func(b *bench) [4]uint64 {
		return func(b *bench) [4]uint64 { return [4]uint64{code, b.at(n)} }
	}
	for _, c := range []crash{
		{name: "IRQL-15 the same order again", body: func(b *bench, t *kernel.Thread) {
			both(t, b.at(0), b.at(1))
			both(t, b.at(0), b.at(1))
			both(t, b.at(1), b.at(2))
		}},
		{name: "IRQL-15 the other order", body: func(b *bench, t *kernel.Thread) {
			both(t, b.at(0), b.at(1))
			both(t, b.at(1), b.at(0))
		}, code: 0xC4, params: lock(0x1001, 0), rule: "lock order"},
		{name: "IRQL-15 the other order, bare", profile: bare, body: func(b *bench, t *kernel.Thread) {
			both(t, b.at(0), b.at(1))
			both(t, b.at(1), b.at(0))
		}},
		{name: "IRQL-15 a circle of three", body: func(b *bench, t *kernel.Thread) {
			both(t, b.at(0), b.at(1))
			both(t, b.at(1), b.at(2))
			both(t, b.at(2), b.at(0))
		}, code: 0xC4, params: lock(0x1001, 0), rule: "lock order"},
		{name: "IRQL-15 a try closes no circle", body: func(b *bench, t *kernel.Thread) {
			both(t, b.at(0), b.at(1))
			old := t.KeAcquireSpinLock(b.at(1))
			if t.KeTryToAcquireSpinLockAtDpcLevel(b.at(0)) {
				t.KeReleaseSpinLockFromDpcLevel(b.at(0))
			}
			t.KeReleaseSpinLock(b.at(1), old)
		}},
		{name: "IRQL-15 a DPC on top is not inside", body: func(b *bench, t *kernel.Thread) {
			both(t, b.at(0), b.at(1))
			inDPC(func(b *bench, t *kernel.Thread) {
				t.KeAcquireSpinLockAtDpcLevel(b.at(1))
				b.message("isr", testVector, func(t *kernel.Thread) bool {
					t.KeAcquireSpinLockAtDpcLevel(b.at(0))
					t.KeReleaseSpinLockFromDpcLevel(b.at(0))
					return true
				})
				b.SendMessage(testVector)
				t.KeReleaseSpinLockFromDpcLevel(b.at(1))
			})(b, t)
		}},
		{name: "IRQL-15 released in another order", body: func(b *bench, t *kernel.Thread) {
			t.KeAcquireSpinLock(b.at(0))
			t.KeAcquireSpinLockAtDpcLevel(b.at(1))
			t.KeReleaseSpinLockFromDpcLevel(b.at(0))
		}, code: 0xC4, params: func(b *bench) [4]uint64 { return [4]uint64{0x1003, b.at(0), b.at(1)} }, rule: "release order"},
		{name: "IRQL-15 queued lock taken as a plain one", body: func(b *bench, t *kernel.Thread) {
			h := handle(b)
			t.KeAcquireInStackQueuedSpinLock(b.at(0), h)
			t.KeReleaseInStackQueuedSpinLock(h)
			t.KeAcquireSpinLock(b.at(0))
		}, code: 0xC4, params: lock(0x1008, 0), rule: "lock type"},
		{name: "IRQL-15 queued lock released as a plain one", body: func(b *bench, t *kernel.Thread) {
			t.KeAcquireInStackQueuedSpinLock(b.at(0), handle(b))
			t.KeReleaseSpinLock(b.at(0), 0)
		}, code: 0xC4, params: lock(0x1009, 0), rule: "lock type"},
		{name: "IRQL-15 queued lock released at another level", body: func(b *bench, t *kernel.Thread) {
			h := handle(b)
			t.KeAcquireInStackQueuedSpinLock(b.at(0), h)
			t.KeLowerIrql(0)
			t.KeReleaseInStackQueuedSpinLock(h)
		}, code: 0xC4, params: func(b *bench) [4]uint64 { return [4]uint64{0x36, 0, b.at(0), 0} }},
		{name: "IRQL-15 freed while it is held", body: func(b *bench, t *kernel.Thread) {
			block := t.ExAllocatePool2(kernel.PoolFlagNonPaged, 16, kernel.PoolTag("Lock"))
			t.KeAcquireSpinLock(block)
			t.ExFreePoolWithTag(block, 0)
		}, code: 0xC4, rule: "lock freed"},
		{name: "IRQL-15 locks on the stack", body: func(b *bench, t *kernel.Thread) {
			stack := b.Mem.Map(mem.Stacks, 1, mem.Read|mem.Write|mem.Private)
			both(t, stack, b.at(0))
			both(t, b.at(0), stack) // another lock, in a routine that was called later
			h := handle(b)
			t.KeAcquireInStackQueuedSpinLock(stack, h)
			t.KeReleaseInStackQueuedSpinLock(h)
		}},
		{name: "IRQL-15 a new lock in memory of an old one", body: func(b *bench, t *kernel.Thread) {
			for range 2 {
				block := t.ExAllocatePool2(kernel.PoolFlagNonPaged, 16, kernel.PoolTag("Lock"))
				both(t, block, b.at(0))
				t.ExFreePoolWithTag(block, 0)
			}
		}},
	} {
		body := c.body
		c.body = func(b *bench, t *kernel.Thread) {
			for range 3 {
				t.KeInitializeSpinLock(b.cell())
			}
			body(b, t)
		}
		if c.code != 0 {
			c.ends = kernel.Stopped
			c.check(t)
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			scenario(t, kernel.Config{Profile: c.profile}, func(b *bench) {
				b.do(func(t *kernel.Thread) { c.body(b, t) })
				b.is("findings", len(b.Findings()), 0)
			})
		})
	}
}

// Two processors that take two locks in opposite order can deadlock, and the
// search finds exactly that; Driver Verifier sees it in every schedule (IRQL-15).
func TestIRQL15LockCycle(t *testing.T) {
	for _, c := range []struct {
		profile kernel.Profile
		want    []string
	}{
		{bare, []string{"done", "deadlock"}},
		{kernel.DefaultProfile, []string{"lock order"}},
	} {
		b := newBench(t, kernel.Config{Processors: 3, Profile: c.profile})
		locks := [2]uint64{b.cell(), b.cell()}
		b.checked = false // the runs end in two ways
		got := b.outcomes(func() {
			for cpu := range 2 {
				b.thread(cpu, func(t *kernel.Thread) {
					old := t.KeAcquireSpinLock(locks[cpu])
					t.KeAcquireSpinLockAtDpcLevel(locks[1-cpu])
					t.KeReleaseSpinLockFromDpcLevel(locks[1-cpu])
					t.KeReleaseSpinLock(locks[cpu], old)
				})
			}
		}, func() string {
			if all := b.Findings(); len(all) > 0 {
				return all[0].Rule
			}
			return "done"
		})
		reaches(t, got, c.want...)
	}
}

// A queued spin lock excludes, restores the level, and goes to the processor that
// asked first (IRQL-15).
func TestIRQL15QueuedSpinLock(t *testing.T) {
	scenario(t, kernel.Config{}, func(b *bench) {
		lock, handle := b.cell(), b.alloc(kernel.LockHandleSize)
		b.do(func(t *kernel.Thread) {
			t.KeRaiseIrql(1)
			t.KeAcquireInStackQueuedSpinLock(lock, handle)
			b.is("the level", t.KeGetCurrentIrql(), uint8(2))
			b.is("the lock in the handle", t.Load(handle+8, 8), lock)
			b.is("the old level in the handle", t.Load(handle+16, 1), uint64(1))
			b.is("the lock is free", t.KeTestSpinLock(lock), false)
			t.KeReleaseInStackQueuedSpinLock(handle)
			b.is("the level after the release", t.KeGetCurrentIrql(), uint8(1))
			b.is("the lock is free", t.KeTestSpinLock(lock), true)
			t.KeLowerIrql(0)
		})
	})
	b := newBench(t, kernel.Config{Processors: 3})
	lock := b.cell()
	handles := []uint64{b.alloc(kernel.LockHandleSize), b.alloc(kernel.LockHandleSize), b.alloc(kernel.LockHandleSize)}
	reaches(t, b.outcomes(func() {
		for cpu := range 3 {
			b.thread(cpu, func(t *kernel.Thread) {
				if cpu > 0 {
					t.BusyWait("the first", func() bool { return len(b.history) > 0 })
				}
				t.KeAcquireInStackQueuedSpinLock(lock, handles[cpu])
				b.note("%d", cpu)
				if cpu == 0 {
					t.BusyWait("the others", func() bool { return len(b.LockQueue(lock)) == 2 })
					b.note("queue=%s", b.LockQueue(lock))
				}
				t.KeReleaseInStackQueuedSpinLock(handles[cpu])
			})
		}
	}, b.noteOutcome), "0 queue=12 1 2", "0 queue=21 2 1")
}

// Two processors with a queued lock never are inside together.
func TestIRQL15QueuedSpinLockExcludes(t *testing.T) {
	b := newBench(t, kernel.Config{Processors: 2})
	lock, x := b.cell(), b.cell()
	handles := []uint64{b.alloc(kernel.LockHandleSize), b.alloc(kernel.LockHandleSize)}
	reaches(t, b.outcomes(func() {
		for cpu := range 2 {
			b.thread(cpu, func(t *kernel.Thread) {
				t.KeAcquireInStackQueuedSpinLock(lock, handles[cpu])
				t.Store(x, 8, t.Load(x, 8)+1)
				t.KeReleaseInStackQueuedSpinLock(handles[cpu])
			})
		}
	}, func() string { return fmt.Sprint(b.value(x)) }), "2")
}

// A spin lock that is held below DISPATCH_LEVEL does not keep the holder on its
// processor: it can be preempted, go on elsewhere, and release the lock there; the
// one that spins gets it then (IRQL-13, IRQL-15). Alone on a processor it never does.
func TestIRQL15HeldBelowDispatch(t *testing.T) {
	for _, c := range []struct {
		affinity uint64
		want     []string
	}{
		{3, []string{"released on 1, taken"}},
		{1, []string{"self-deadlock"}},
	} {
		b := newBench(t, kernel.Config{Processors: 2, Profile: bare})
		b.checked = false
		lock := b.cell()
		got := b.outcomes(func() {
			b.threadWith(kernel.ThreadParams{Affinity: c.affinity}, func(t *kernel.Thread) {
				t.KeAcquireSpinLockAtDpcLevel(lock) // wrong: at PASSIVE_LEVEL
				b.threadWith(kernel.ThreadParams{Affinity: 1, Priority: 9}, func(t *kernel.Thread) {
					old := t.KeAcquireSpinLock(lock)
					b.note("taken")
					t.KeReleaseSpinLock(lock, old)
				})
				t.Step()
				b.note("released on %d,", t.Processor())
				t.KeReleaseSpinLockFromDpcLevel(lock)
			})
		}, func() string {
			for _, f := range b.Findings() {
				if f.Rule != "IRQL" {
					return f.Rule
				}
			}
			return b.noteOutcome()
		})
		reaches(t, got, c.want...)
	}
}

// The cancel spin lock is one queued spin lock for all drivers (IRQL-15).
func TestIRQL15CancelSpinLock(t *testing.T) {
	b := newBench(t, kernel.Config{Processors: 2})
	x := b.cell()
	reaches(t, b.outcomes(func() {
		for i := range 2 {
			b.thread(i, func(t *kernel.Thread) {
				old := t.IoAcquireCancelSpinLock()
				b.is("the level", t.IRQL(), uint8(2))
				t.Store(x, 8, t.Load(x, 8)+1)
				t.IoReleaseCancelSpinLock(old)
				b.is("the level after it", t.IRQL(), uint8(0))
			})
		}
	}, func() string { return fmt.Sprint(b.value(x)) }), "2")
	held := func(b *bench, t *kernel.Thread) {
		t.Invoke("callback", b.fn("callback", func(t *kernel.Thread, _ kernel.Args) uint64 {
			t.IoAcquireCancelSpinLock()
			return 0
		}), kernel.Args{})
		t.IoReleaseCancelSpinLock(0)
	}
	twice := func(_ *bench, t *kernel.Thread) {
		t.IoAcquireCancelSpinLock()
		t.IoAcquireCancelSpinLock()
	}
	order := func(b *bench, t *kernel.Thread) {
		lock := b.cell()
		t.KeInitializeSpinLock(lock)
		old := t.IoAcquireCancelSpinLock()
		t.KeAcquireSpinLockAtDpcLevel(lock)
		t.KeReleaseSpinLockFromDpcLevel(lock)
		t.IoReleaseCancelSpinLock(old)
		t.KeAcquireSpinLock(lock)
		t.IoAcquireCancelSpinLock()
	}
	for _, c := range []crash{
		{name: "CancelSpinLock held at the end", body: held, rule: "CancelSpinLock", ends: kernel.Done},
		{name: "CancelSpinLock held at the end, bare", profile: bare, body: held, rule: "CancelSpinLock", ends: kernel.Done},
		{name: "IRQL-15 cancel spin lock twice", body: twice, code: 0xC4, rule: "self-deadlock", ends: kernel.Stopped},
		{name: "IRQL-15 cancel spin lock twice, bare", profile: bare, body: twice, rule: "self-deadlock", ends: kernel.Stopped},
		{name: "IRQL-15 cancel spin lock in another order", body: order, code: 0xC4, rule: "lock order", ends: kernel.Stopped},
		{name: "IRQL-15 cancel spin lock released by a thread without it", body: raised(2, func(_ *bench, t *kernel.Thread) { t.IoReleaseCancelSpinLock(0) }),
			code: 0xC4, ends: kernel.Stopped},
		{name: "IRQL-15 cancel spin lock released at PASSIVE_LEVEL", body: func(_ *bench, t *kernel.Thread) {
			t.IoAcquireCancelSpinLock()
			t.KeLowerIrql(0)
			t.IoReleaseCancelSpinLock(0)
		}, code: 0xC4, params: with(0x36, 0, 7, 0), ends: kernel.Stopped},
		{name: "IRQL-12 cancel spin lock above DISPATCH_LEVEL", body: raised(5, func(_ *bench, t *kernel.Thread) { t.IoAcquireCancelSpinLock() }),
			code: 0xC4, params: with(0xE5, 5), ends: kernel.Stopped},
	} {
		c.check(t)
	}
}
