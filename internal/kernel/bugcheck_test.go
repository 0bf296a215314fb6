package kernel_test

import (
	"testing"

	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/mem"
)

// crash is a program that breaks a rule, and what has to be found.
type crash struct {
	name    string // clause, and what is done
	profile kernel.Profile
	procs   int
	tun     kernel.Tunables
	body    func(b *bench, t *kernel.Thread) // on processor 0, at PASSIVE_LEVEL
	code    uint32
	params  func(b *bench) [4]uint64 // nil: not compared
	rule    string
	ends    kernel.Reason // Done: the run goes on after the finding
	late    bool          // the finding comes when the body has returned
}

func (c *crash) check(t *testing.T) {
	t.Run(c.name, func(t *testing.T) {
		scenario(t, kernel.Config{Processors: c.procs, Profile: c.profile, Tunables: c.tun}, func(b *bench) {
			b.thread(0, func(t *kernel.Thread) {
				c.body(b, t)
				b.note("end")
			})
			b.run(c.ends)
			want := kernel.Finding{Code: c.code, Rule: c.rule}
			if c.params != nil {
				want.Params = c.params(b)
			}
			b.finds(want)
			if c.ends == kernel.Done || c.late {
				b.noted("end")
			} else {
				b.noted("")
			}
		})
	})
}

// with returns a constant list of parameters.
func with(p ...uint64) func(*bench) [4]uint64 {
	return func(*bench) (a [4]uint64) {
		copy(a[:], p)
		return a
	}
}

// at returns the address of the n-th block of the test that was not freed.
func (b *bench) at(n int) uint64 {
	var addr uint64
	b.Mem.Live(func(a *mem.Alloc) {
		if a.Tag == kernel.PoolTag("Test") {
			if n == 0 {
				addr = a.Addr
			}
			n--
		}
	})
	return addr
}

func raised(irql uint8, f func(b *bench, t *kernel.Thread)) func(b *bench, t *kernel.Thread) {
	return func(b *bench, t *kernel.Thread) {
		t.KeRaiseIrql(irql)
		f(b, t)
	}
}

// inDPC does something in a DPC.
func inDPC(f func(b *bench, t *kernel.Thread)) func(b *bench, t *kernel.Thread) {
	return func(b *bench, t *kernel.Thread) {
		dpc := b.alloc(kernel.DPCSize)
		t.KeInitializeDpc(dpc, b.dpcRoutine("dpc", func(t *kernel.Thread, _, _ uint64) { f(b, t) }), 0)
		t.KeInsertQueueDpc(dpc, 0, 0)
	}
}

// inISR does something in an ISR at DIRQL 5.
func inISR(f func(b *bench, t *kernel.Thread)) func(b *bench, t *kernel.Thread) {
	return func(b *bench, t *kernel.Thread) {
		b.message("isr", testVector, func(t *kernel.Thread) bool { f(b, t); return true })
		b.SendMessage(testVector)
		t.KeStallExecutionProcessor(1)
	}
}

func TestLevelBugChecks(t *testing.T) {
	raiseTo := func(irql uint8) func(*bench, *kernel.Thread) {
		return func(_ *bench, t *kernel.Thread) { t.KeRaiseIrql(irql) }
	}
	lowerTo := func(irql uint8) func(*bench, *kernel.Thread) {
		return func(_ *bench, t *kernel.Thread) { t.KeLowerIrql(irql) }
	}
	isr := func(b *bench) uint64 { return b.Function("isr", nil) }
	routine := func(b *bench) uint64 { return b.Function("dpc", nil) }
	for _, c := range []crash{
		{name: "IRQL-6 raise downwards", body: raised(5, raiseTo(2)), code: 0xC4, params: with(0x30, 5, 2, 0)},
		{name: "IRQL-6 raise downwards, bare", profile: bare, body: raised(5, raiseTo(2)), code: 0x9, params: with(5, 2)},
		{name: "IRQL-6 raise downwards in a DPC", body: inDPC(func(_ *bench, t *kernel.Thread) { t.KeRaiseIrql(1) }), code: 0xC4,
			params: with(0x30, 2, 1, 0)},
		{name: "IRQL-2 raise above HIGH_LEVEL", body: raiseTo(16), code: 0xC4, params: with(0x30, 0, 16, 0)},
		{name: "IRQL-6 lower upwards", body: raised(2, lowerTo(3)), code: 0xC4, params: with(0x31, 2, 3, 0)},
		{name: "IRQL-6 lower upwards, bare", profile: bare, body: raised(2, lowerTo(3)), code: 0xA, params: with(2, 3)},
		{name: "IRQL-6 lower upwards in a DPC", body: inDPC(func(_ *bench, t *kernel.Thread) { t.KeLowerIrql(5) }), code: 0xC4,
			params: with(0x31, 2, 5, 1)},
		{name: "IRQL-6 release a spin lock upwards", body: func(b *bench, t *kernel.Thread) {
			lock := b.cell()
			t.KeAcquireSpinLock(lock)
			t.KeReleaseSpinLock(lock, 7)
		}, code: 0xC4, params: with(0x31, 2, 7, 0)},
		{name: "IRQL-8 ISR returns lower", body: inISR(func(_ *bench, t *kernel.Thread) { t.KeLowerIrql(2) }), code: 0xC4,
			params: func(b *bench) [4]uint64 { return [4]uint64{0x111, isr(b), 5, 2} }},
		{name: "IRQL-8 ISR returns higher, bare", profile: bare, body: inISR(func(_ *bench, t *kernel.Thread) { t.KeRaiseIrql(6) }),
			code: 0xC8, params: func(b *bench) [4]uint64 { return [4]uint64{6<<16 | 5<<8 | 3, isr(b), b.KInterrupt(1)} }},
		{name: "IRQL-8 DPC returns higher", body: inDPC(func(_ *bench, t *kernel.Thread) { t.KeRaiseIrql(5) }), code: 0xC8,
			params: func(b *bench) [4]uint64 { return [4]uint64{5<<16 | 2<<8 | 0xD0, routine(b), b.at(0)} }},
		{name: "IRQL-8 DPC returns lower", body: inDPC(func(_ *bench, t *kernel.Thread) { t.KeLowerIrql(0) }), code: 0xC8,
			params: func(b *bench) [4]uint64 { return [4]uint64{2<<8 | 0xD0, routine(b), b.at(0)} }},
		{name: "IRQL-8 work item", body: func(b *bench, t *kernel.Thread) {
			b.QueueWork(7, "work item", b.fn("work", func(t *kernel.Thread, _ kernel.Args) uint64 { t.KeRaiseIrql(2); return 0 }), kernel.Args{8})
			t.KeDelayExecutionThread(kernel.After(1000))
		}, code: 0xE1, params: func(b *bench) [4]uint64 { return [4]uint64{b.Function("work", nil), 2, 8, 7} }},
		{name: "DPC-22 flush above PASSIVE_LEVEL", body: raised(1, func(_ *bench, t *kernel.Thread) { t.KeFlushQueuedDpcs() }), code: 0xC4,
			params: with(0xE5, 1)},
		{name: "DPC-22 flush in a DPC", body: inDPC(func(_ *bench, t *kernel.Thread) { t.KeFlushQueuedDpcs() }), code: 0xC4, params: with(0xE5, 2)},
		{name: "IRQL-12 KeAcquireSpinLock in an ISR", body: inISR(func(b *bench, t *kernel.Thread) { t.KeAcquireSpinLock(b.cell()) }), code: 0xC4,
			params: func(b *bench) [4]uint64 { return [4]uint64{0x42, 5, b.at(0)} }, rule: "IrqlKeDispatchLte"},
		{name: "IRQL-12 KeSetTimerEx in an ISR", body: inISR(func(b *bench, t *kernel.Thread) { t.KeSetTimerEx(b.cell(), kernel.After(1), 0, 0) }),
			code: 0xC4, params: with(0x00020011, 5), rule: "IrqlKeDispatchLte"},
		{name: "IRQL-12 KeReleaseSemaphore in an ISR", body: inISR(func(b *bench, t *kernel.Thread) { t.KeReleaseSemaphore(b.cell(), 1) }),
			code: 0xC4, params: with(0xE5, 5)},
		{name: "IRQL-12 KeSetEvent in an ISR", body: inISR(func(b *bench, t *kernel.Thread) { t.KeSetEvent(b.at(0)) }),
			code: 0xC4, params: func(b *bench) [4]uint64 { return [4]uint64{0x80, 5, b.at(0)} }},
		{name: "IRQL-12 PsCreateSystemThread at DISPATCH_LEVEL", body: raised(2, func(_ *bench, t *kernel.Thread) { t.PsCreateSystemThread(0, 0) }),
			code: 0xC4, params: with(0x0002001C, 2), rule: "IrqlPsPassive"},
		{name: "IRQL-12 bare: a finding, and the run goes on", profile: bare, ends: kernel.Done, rule: "IrqlKeDispatchLte",
			body: raised(5, func(b *bench, t *kernel.Thread) {
				t.KeReadStateEvent(b.cell())
				t.KeLowerIrql(0)
			})},
		{name: "critical region left twice", body: func(_ *bench, t *kernel.Thread) {
			t.KeEnterCriticalRegion()
			t.KeLeaveCriticalRegion()
			t.KeLeaveCriticalRegion()
		}, code: 0xC4, params: with(0x3E)},
		{name: "DPC-27 APC state", body: inDPC(func(_ *bench, t *kernel.Thread) { t.EnterRegion() }), code: 0xC7,
			params: func(b *bench) [4]uint64 { return [4]uint64{4, routine(b), 0, 1} }},
		{name: "DPC-27 APC state, timer", body: func(b *bench, t *kernel.Thread) {
			dpc, timer := b.alloc(kernel.DPCSize), b.alloc(kernel.TimerSize)
			t.KeInitializeDpc(dpc, b.dpcRoutine("dpc", func(t *kernel.Thread, _, _ uint64) { t.EnterRegion() }), 0)
			t.KeInitializeTimerEx(timer, false)
			t.KeSetTimerEx(timer, kernel.After(100), 0, dpc)
			t.KeStallExecutionProcessor(5)
			t.KeStallExecutionProcessor(5)
		}, code: 0xC7, params: func(b *bench) [4]uint64 { return [4]uint64{5, routine(b), 0, 1} }},
	} {
		if c.ends == kernel.Done && c.code != 0 {
			c.ends = kernel.Stopped
		}
		c.check(t)
	}
}

// A thread that ends at a raised level or inside a critical region.
func TestIRQL8ThreadEnds(t *testing.T) {
	scenario(t, kernel.Config{}, func(b *bench) {
		b.thread(0, func(t *kernel.Thread) { t.KeRaiseIrql(2) })
		b.run(kernel.Stopped)
		b.finds(kernel.Finding{Code: 0xC8, Params: [4]uint64{2<<16 | 0xFE, 0}, Clause: "IRQL-8"})
	})
	scenario(t, kernel.Config{Profile: bare}, func(b *bench) {
		b.thread(0, func(t *kernel.Thread) { t.KeEnterCriticalRegion() })
		b.run(kernel.Stopped)
		b.finds(kernel.Finding{Code: 0x20, Params: [4]uint64{0, 1, 0}})
	})
}

// Waits at raised levels (IRQL-9), with each profile, in each context.
func TestIRQL9BugChecks(t *testing.T) {
	forever := func(b *bench, t *kernel.Thread) { t.KeWaitForSingleObject(b.at(0), kernel.Forever) }
	limited := func(b *bench, t *kernel.Thread) { t.KeWaitForSingleObject(b.at(0), kernel.After(100)) }
	zero := func(b *bench, t *kernel.Thread) { t.KeWaitForSingleObject(b.at(0), kernel.NoWait) }
	delay := func(b *bench, t *kernel.Thread) { t.KeDelayExecutionThread(kernel.After(100)) }
	wait := func(sub uint64, irql uint64) func(b *bench) [4]uint64 {
		return func(b *bench) [4]uint64 { return [4]uint64{sub, irql, b.at(0)} }
	}
	for _, c := range []crash{
		{name: "IRQL-9 no timeout at DISPATCH_LEVEL", body: raised(2, forever), code: 0xC4, params: wait(0x121, 2)},
		{name: "IRQL-9 timeout at DISPATCH_LEVEL", body: raised(2, limited), code: 0xC4, params: wait(0x122, 2)},
		{name: "IRQL-9 no timeout in a DPC", body: inDPC(forever), code: 0xC4, params: wait(0x121, 2)},
		{name: "IRQL-9 timeout in a DPC", body: inDPC(limited), code: 0xC4, params: wait(0x122, 2)},
		{name: "IRQL-9 zero timeout in an ISR", body: inISR(zero), code: 0xC4, params: wait(0x120, 5)},
		{name: "IRQL-9 zero timeout above DISPATCH_LEVEL", body: raised(3, zero), code: 0xC4, params: wait(0x120, 3)},
		{name: "IRQL-9 delay at DISPATCH_LEVEL", body: raised(2, delay), code: 0xC4, params: with(0x122, 2, 0)},
		{name: "IRQL-9 no timeout in a DPC, bare", profile: bare, body: inDPC(forever), code: 0xB8},
		{name: "IRQL-9 timeout in a DPC, bare", profile: bare, body: inDPC(limited), code: 0xB8},
		{name: "IRQL-9 delay in a DPC, bare", profile: bare, body: inDPC(delay), code: 0xB8},
		{name: "IRQL-9 no timeout at DISPATCH_LEVEL, bare", profile: bare, body: raised(2, forever), code: 0xA,
			params: func(b *bench) [4]uint64 { return [4]uint64{b.at(0), 2} }},
		{name: "IRQL-9 no timeout in an ISR, bare", profile: bare, body: inISR(forever), code: 0xA},
		{name: "IRQL-9 signalled object in a DPC, bare", profile: bare, body: inDPC(func(b *bench, t *kernel.Thread) {
			t.KeSetEvent(b.at(0))
			t.KeWaitForSingleObject(b.at(0), kernel.Forever)
		}), code: 0xB8},
	} {
		body := c.body
		c.body = func(b *bench, t *kernel.Thread) {
			event := b.alloc(kernel.EventSize)
			t.KeInitializeEvent(event, kernel.SynchronizationEvent, false)
			body(b, t)
		}
		c.ends = kernel.Stopped
		c.check(t)
	}
}

// Touches of memory that must not be touched (IRQL-10, VER-7).
func TestMemoryBugChecks(t *testing.T) {
	tag := kernel.PoolTag("Test")
	paged := func(access func(t *kernel.Thread, p uint64)) func(b *bench, t *kernel.Thread) {
		return func(b *bench, t *kernel.Thread) {
			p := t.ExAllocatePool2(kernel.PoolFlagPaged, 4096+8, tag)
			t.KeRaiseIrql(1)
			access(t, p+4092) // both pages, allowed here
			inDPC(func(_ *bench, t *kernel.Thread) { access(t, p) })(b, t)
			t.KeRaiseIrql(2)
			access(t, p)
		}
	}
	block := func(access uint64) func(b *bench) [4]uint64 {
		return func(b *bench) [4]uint64 { return [4]uint64{b.at(0), 2, access} }
	}
	freed := func(touch func(b *bench, t *kernel.Thread, p uint64)) func(b *bench, t *kernel.Thread) {
		return func(b *bench, t *kernel.Thread) {
			p := t.ExAllocatePool2(kernel.PoolFlagNonPaged, 32, tag)
			b.set(p, 7)
			t.ExFreePoolWithTag(p, tag)
			touch(b, t, p)
		}
	}
	freeInISR := func(b *bench, t *kernel.Thread) {
		p := t.ExAllocatePool2(kernel.PoolFlagNonPaged, 16, tag)
		inISR(func(b *bench, t *kernel.Thread) { t.ExFreePoolWithTag(p, tag) })(b, t)
	}
	const small = 0xFFFFE000_00000FE0 // where the first block of 32 bytes lies
	for _, c := range []crash{
		{name: "IRQL-10 load", body: paged(func(t *kernel.Thread, p uint64) { t.Load(p, 8) }), code: 0xD1, params: block(0)},
		{name: "IRQL-10 store", body: paged(func(t *kernel.Thread, p uint64) { t.Store(p, 8, 1) }), code: 0xD1, params: block(1)},
		{name: "IRQL-10 interlocked", body: paged(func(t *kernel.Thread, p uint64) { t.Update(p, 8, func(v uint64) uint64 { return v }) }),
			code: 0xD1, params: block(1)},
		{name: "IRQL-10 read", body: paged(func(t *kernel.Thread, p uint64) { t.ReadBytes(p, make([]byte, 8)) }), code: 0xD1, params: block(0)},
		{name: "IRQL-10 write", body: paged(func(t *kernel.Thread, p uint64) { t.WriteBytes(p, make([]byte, 8)) }), code: 0xD1, params: block(1)},
		{name: "IRQL-10 bare", profile: bare, body: paged(func(t *kernel.Thread, p uint64) { t.Load(p, 8) }), code: 0xD1, params: block(0)},
		{name: "IRQL-10 second page", body: raised(2, func(b *bench, t *kernel.Thread) {
			p := b.Mem.Map(mem.Images, 1, mem.Read|mem.Write)
			q := b.Mem.Map(mem.Images, 1, mem.Read|mem.Write|mem.Pageable)
			b.is("the next page", q, p+4096)
			t.Load(p+4088, 8)
			t.Load(p+4092, 8)
		}), code: 0xD1, params: with(0xFFFFF800_00001000, 2, 0)},
		{name: "IRQL-10 kernel routine", body: func(b *bench, t *kernel.Thread) {
			p := t.ExAllocatePool2(kernel.PoolFlagPaged, 64, tag)
			t.KeInitializeEvent(p, 0, false)
			t.KeRaiseIrql(2)
			t.KeSetEvent(p)
		}, code: 0xA, params: func(b *bench) [4]uint64 { return [4]uint64{b.at(0) + 4, 2, 0} }},
		{name: "IRQL-10 nothing there, raised", body: raised(3, func(_ *bench, t *kernel.Thread) { t.Store(0x1000, 4, 0) }), code: 0xD1,
			params: with(0x1000, 3, 1)},
		{name: "IRQL-10 nothing there, PASSIVE_LEVEL", body: func(_ *bench, t *kernel.Thread) { t.Store(0xFFFFF000_00000000, 4, 0) }, code: 0x50,
			params: with(0xFFFFF000_00000000, 2, 0, 2)},
		{name: "IRQL-10 not canonical", body: func(_ *bench, t *kernel.Thread) { t.Load(0x8000_00000000_0000, 4) }, code: 0x50, params: with(0x8000_00000000_0000, 0, 0, 4)},
		{name: "IRQL-10 last address", body: raised(2, func(_ *bench, t *kernel.Thread) { t.Load(^uint64(0), 8) }), code: 0xD1},
		{name: "read-only page", body: func(b *bench, t *kernel.Thread) { t.Store(b.Mem.Map(mem.Images, 1, mem.Read), 4, 0) }, code: 0xBE,
			params: with(0xFFFFF800_00000000)},
		{name: "VER-7 use after free, load", body: freed(func(_ *bench, t *kernel.Thread, p uint64) { t.Load(p, 8) }), code: 0xD5,
			params: with(small, 0), rule: "use after free"},
		{name: "VER-7 use after free, store", body: freed(func(_ *bench, t *kernel.Thread, p uint64) { t.Store(p+8, 8, 1) }), code: 0xD5,
			params: with(small+8, 1), rule: "use after free"},
		{name: "VER-7 use after free at DISPATCH_LEVEL", body: freed(func(_ *bench, t *kernel.Thread, p uint64) {
			t.KeRaiseIrql(2)
			t.Load(p, 8)
		}), code: 0xD5, rule: "use after free"},
		{name: "VER-7 use after free by the kernel", body: freed(func(_ *bench, t *kernel.Thread, p uint64) { t.KeSetEvent(p) }), code: 0xCC,
			params: with(small+4, 0), rule: "use after free"},
		{name: "VER-7 use after free, bare", profile: bare, body: freed(func(b *bench, t *kernel.Thread, p uint64) {
			b.is("what was there", t.Load(p, 8), uint64(7))
		}), rule: "use after free", ends: kernel.Done},
		{name: "VER-7 overrun, load", body: func(_ *bench, t *kernel.Thread) {
			t.Load(t.ExAllocatePool2(kernel.PoolFlagNonPaged, 32, tag)+32, 1)
		}, code: 0xD6, params: with(small+32, 0), rule: "pool overrun"},
		{name: "VER-7 overrun, store across the end", body: func(_ *bench, t *kernel.Thread) {
			t.Store(t.ExAllocatePool2(kernel.PoolFlagNonPaged, 32, tag)+28, 8, 1)
		}, code: 0xD6, params: with(small+32, 1), rule: "pool overrun"},
		{name: "VER-7 overrun by the kernel", body: func(_ *bench, t *kernel.Thread) {
			t.KeInitializeEvent(t.ExAllocatePool2(kernel.PoolFlagNonPaged, 16, tag), 0, false)
		}, code: 0xCD, params: with(small+32, 1), rule: "pool overrun"},
		{name: "VER-7 overrun, bare", profile: bare, body: func(b *bench, t *kernel.Thread) {
			p := t.ExAllocatePool2(kernel.PoolFlagNonPaged, 32, tag)
			t.Store(p+32, 8, 5)
		}, rule: "pool overrun", ends: kernel.Done},
		{name: "IRQL-11 paged pool at DISPATCH_LEVEL", body: raised(2, func(_ *bench, t *kernel.Thread) {
			t.ExAllocatePool2(kernel.PoolFlagPaged, 10, tag)
		}), code: 0xC4, params: with(0x01, 2, 1, 10)},
		{name: "IRQL-11 paged pool at DISPATCH_LEVEL, bare", profile: bare, body: raised(2, func(_ *bench, t *kernel.Thread) {
			t.ExAllocatePoolWithTag(1, 10, tag)
		}), code: 0xC2, params: with(0x08, 2, 1, 10)},
		{name: "IRQL-11 pool in an ISR", body: inISR(func(_ *bench, t *kernel.Thread) {
			t.ExAllocatePool2(kernel.PoolFlagNonPaged, 10, tag)
		}), code: 0xC4, params: with(0x02, 5, 0, 10)},
		{name: "IRQL-11 pool in an ISR, bare", profile: bare, body: inISR(func(_ *bench, t *kernel.Thread) {
			t.ExAllocatePoolWithTag(0, 10, tag)
		}), code: 0xC2, params: with(0x08, 5, 0, 10)},
		{name: "IRQL-11 free of paged pool at DISPATCH_LEVEL", body: func(_ *bench, t *kernel.Thread) {
			p := t.ExAllocatePool2(kernel.PoolFlagPaged, 10, tag)
			t.KeRaiseIrql(2)
			t.ExFreePoolWithTag(p, tag)
		}, code: 0xC4, params: func(b *bench) [4]uint64 { return [4]uint64{0x11, 2, 1, b.at(0)} }},
		{name: "IRQL-11 free in an ISR", body: freeInISR,
			code: 0xC4, params: func(b *bench) [4]uint64 { return [4]uint64{0x12, 5, 0, b.at(0)} }},
		{name: "IRQL-11 free in an ISR, bare", profile: bare, body: freeInISR,
			code: 0xC2, params: func(b *bench) [4]uint64 { return [4]uint64{0x09, 5, 0, b.at(0)} }},
		{name: "double free", body: freed(func(_ *bench, t *kernel.Thread, p uint64) { t.ExFreePoolWithTag(p, tag) }), code: 0xC4,
			params: with(0x13, 0, small)},
		{name: "double free, bare", profile: bare, body: freed(func(_ *bench, t *kernel.Thread, p uint64) { t.ExFreePoolWithTag(p, tag) }),
			code: 0xC2, params: with(7, 0, 0, small)},
		{name: "free in the middle of a block", body: func(_ *bench, t *kernel.Thread) {
			t.ExFreePoolWithTag(t.ExAllocatePool2(kernel.PoolFlagNonPaged, 32, tag)+16, tag)
		}, code: 0xC4, params: with(0x10, small+16)},
		{name: "free of NULL", body: func(_ *bench, t *kernel.Thread) { t.ExFreePoolWithTag(0, tag) }, code: 0xC4, params: with(0x10)},
	} {
		if c.code != 0 {
			c.ends = kernel.Stopped
		}
		c.check(t)
	}
}

// Misuse of DPC objects and timers (DPC-1, DPC-26, QD-8).
func TestObjectBugChecks(t *testing.T) {
	tag := kernel.PoolTag("Test")
	queued := func(b *bench, t *kernel.Thread) (dpc uint64) {
		dpc = t.ExAllocatePool2(kernel.PoolFlagNonPaged, 2*kernel.DPCSize, tag) + kernel.DPCSize
		t.KeInitializeDpc(dpc, b.dpcRoutine("dpc", func(*kernel.Thread, uint64, uint64) {}), 0)
		t.KeRaiseIrql(2)
		t.KeInsertQueueDpc(dpc, 0, 0)
		return dpc
	}
	timerSet := func(expired bool) func(b *bench, t *kernel.Thread) {
		return func(b *bench, t *kernel.Thread) {
			timer := t.ExAllocatePool2(kernel.PoolFlagNonPaged, kernel.TimerSize, tag)
			t.KeInitializeTimerEx(timer, false)
			t.KeRaiseIrql(2)
			t.KeSetTimerEx(timer, kernel.After(1000), 0, 0)
			if expired {
				t.KeStallExecutionProcessor(5)
				b.is("the timer is in the queue", b.TimerSet(timer), true)
			}
			t.ExFreePoolWithTag(timer, tag)
		}
	}
	block := func(b *bench) (from, to uint64) {
		a := b.Mem.Find(b.at(0))
		return a.Addr, a.Addr + a.Size
	}
	null := func(irql uint8) func(b *bench, t *kernel.Thread) {
		return func(b *bench, t *kernel.Thread) {
			t.KeRaiseIrql(irql)
			t.Invoke("callback", 0, kernel.Args{})
		}
	}
	for _, c := range []crash{
		{name: "DPC-26 free of a queued DPC", body: func(b *bench, t *kernel.Thread) {
			t.ExFreePoolWithTag(queued(b, t)-kernel.DPCSize, tag)
		}, code: 0xC7, params: func(b *bench) [4]uint64 {
			from, to := block(b)
			return [4]uint64{1, from + kernel.DPCSize, from, to}
		}},
		{name: "DPC-26 free of a set timer", body: timerSet(false), code: 0xC4, params: func(b *bench) [4]uint64 {
			return [4]uint64{0x15, b.at(0), 0, b.at(0)}
		}},
		{name: "DPC-26 free of a set timer, bare", profile: bare, body: timerSet(false), code: 0xC7, params: func(b *bench) [4]uint64 {
			from, to := block(b)
			return [4]uint64{0, from, from, to}
		}},
		{name: "DPC-26 free of a timer that is due", body: timerSet(true), code: 0xC4, params: func(b *bench) [4]uint64 {
			return [4]uint64{0x15, b.at(0), 0, b.at(0)}
		}},
		{name: "DPC-26 queued DPC is initialized again", body: func(b *bench, t *kernel.Thread) {
			t.KeInitializeDpc(queued(b, t), 0, 0)
			t.KeLowerIrql(0)
		}, code: 0x139, params: func(b *bench) [4]uint64 { return [4]uint64{3, b.at(0) + kernel.DPCSize} }},
		{name: "DPC-26 queued DPC is overwritten", body: func(b *bench, t *kernel.Thread) {
			dpc := queued(b, t)
			for i := range uint64(8) {
				t.Store(dpc+8*i, 8, 0x4141414141414141)
			}
			t.KeLowerIrql(0)
		}, code: 0x139, params: func(b *bench) [4]uint64 { return [4]uint64{3, b.at(0) + kernel.DPCSize} }},
		{name: "DPC-26 queued DPC is initialized and queued again", body: func(b *bench, t *kernel.Thread) {
			dpc := queued(b, t)
			t.KeInitializeDpc(dpc, b.dpcRoutine("dpc", func(*kernel.Thread, uint64, uint64) {}), 0)
			t.KeInsertQueueDpc(dpc, 0, 0)
			t.KeLowerIrql(0)
			b.is("runs without a finding", 1, 0)
		}, code: 0x139},
		{name: "DPC-1 not initialized", body: func(_ *bench, t *kernel.Thread) {
			t.KeInsertQueueDpc(t.ExAllocatePool2(kernel.PoolFlagNonPaged, kernel.DPCSize, tag), 0, 0)
		}, code: 0x139, params: func(b *bench) [4]uint64 { return [4]uint64{5, b.at(0)} }},
		{name: "DPC-1 pageable, in the insert", body: func(b *bench, t *kernel.Thread) {
			dpc := t.ExAllocatePool2(kernel.PoolFlagPaged, kernel.DPCSize, tag)
			t.KeInitializeDpc(dpc, b.dpcRoutine("dpc", func(*kernel.Thread, uint64, uint64) {}), 0)
			t.KeRaiseIrql(2)
			t.KeInsertQueueDpc(dpc, 0, 0)
		}, code: 0xA, params: func(b *bench) [4]uint64 { return [4]uint64{b.at(0) + 56, 2, 0} }},
		{name: "DPC-1 pageable, in the drain", body: func(b *bench, t *kernel.Thread) {
			dpc := t.ExAllocatePool2(kernel.PoolFlagPaged, kernel.DPCSize, tag)
			t.KeInitializeDpc(dpc, b.dpcRoutine("dpc", func(*kernel.Thread, uint64, uint64) {}), 0)
			t.KeInsertQueueDpc(dpc, 0, 0)
		}, code: 0xA},
		{name: "QD-8 jump to NULL in a DPC", body: func(b *bench, t *kernel.Thread) {
			dpc := b.alloc(kernel.DPCSize)
			t.KeInitializeDpc(dpc, 0, 0)
			t.KeInsertQueueDpc(dpc, 0, 0)
		}, code: 0xD1, params: with(0, 2, 8, 0)},
		{name: "QD-8 jump to NULL in an ISR", body: inISR(func(b *bench, t *kernel.Thread) { null(5)(b, t) }), code: 0xD1, params: with(0, 5, 8, 0)},
		{name: "QD-8 jump to NULL at PASSIVE_LEVEL", body: null(0), code: 0x7E, params: with(0xC0000005, 0)},
	} {
		c.ends = kernel.Stopped
		c.check(t)
	}
}

// A verifier break is a finding, and the run goes on; a profile can make it what
// the breakpoint is on a system without a debugger (VER-6).
func TestVER6StopAtBreaks(t *testing.T) {
	breakHere := func(_ *bench, t *kernel.Thread) { t.Report(kernel.Finding{Rule: "rule", Clause: "VER-3", Break: true}) }
	stop := kernel.Deviations{StopAtBreaks: true}.Profile()
	inApplication := func(b *bench, t *kernel.Thread) {
		b.threadWith(kernel.ThreadParams{Affinity: 1, User: true}, func(t *kernel.Thread) { breakHere(b, t) })
		t.KeDelayExecutionThread(kernel.After(10_000))
	}
	inSystem := func(b *bench, t *kernel.Thread) {
		t.PsCreateSystemThread(b.fn("start", func(t *kernel.Thread, _ kernel.Args) uint64 { breakHere(b, t); return 0 }), 0)
		t.KeDelayExecutionThread(kernel.After(10_000))
	}
	inWork := func(b *bench, t *kernel.Thread) {
		b.QueueWork(7, "work item", b.fn("work", func(t *kernel.Thread, _ kernel.Args) uint64 { breakHere(b, t); return 0 }), kernel.Args{})
		t.KeDelayExecutionThread(kernel.After(10_000))
	}
	at := func(name string) func(b *bench) [4]uint64 {
		return func(b *bench) [4]uint64 { return [4]uint64{0x80000003, b.Function(name, nil)} }
	}
	for _, c := range []crash{
		{name: "VER-6 default", body: breakHere, rule: "rule", ends: kernel.Done},
		{name: "VER-6 in a thread of an application", profile: stop, body: inApplication, code: 0x1E, params: at("thread 2"), rule: "rule"},
		{name: "VER-6 in a system thread", profile: stop, body: inSystem, code: 0x7E, params: at("start")},
		{name: "VER-6 in a work item", profile: stop, body: inWork, code: 0x7E, params: at("work")},
		{name: "VER-6 in a DPC", profile: stop, body: inDPC(breakHere), code: 0x1E, params: at("dpc")},
		{name: "VER-6 in a system thread at APC_LEVEL", profile: stop, body: func(b *bench, t *kernel.Thread) {
			t.PsCreateSystemThread(b.fn("start", func(t *kernel.Thread, _ kernel.Args) uint64 { raised(1, breakHere)(b, t); return 0 }), 0)
			t.KeDelayExecutionThread(kernel.After(10_000))
		}, code: 0x1E, params: at("start")},
	} {
		if c.code != 0 {
			c.ends = kernel.Stopped
		}
		c.check(t)
	}
}

// Profiles are named by what differs (VER-6).
func TestVER6Profiles(t *testing.T) {
	for _, c := range []struct {
		text string
		want kernel.Profile
	}{
		{"", kernel.DefaultProfile},
		{"framework-verifier-off", kernel.Profile{DriverVerifier: true}},
		{"driver-verifier-off, threaded-dpcs-off", kernel.Profile{FrameworkVerifier: true, NoThreadedDPCs: true}},
		{"stop-at-breaks", kernel.Profile{FrameworkVerifier: true, DriverVerifier: true, StopAtBreaks: true}},
	} {
		d, err := kernel.ParseDeviations(c.text)
		if err != nil || d.Profile() != c.want || d.String() != c.text {
			t.Errorf("%q: %+v %q %v", c.text, d.Profile(), d.String(), err)
		}
	}
	if _, err := kernel.ParseDeviations("verifier off"); err == nil {
		t.Error("no error")
	}
}
