package kernel_test

import (
	"testing"

	"github.com/dirql/dirql/internal/kernel"
)

// params are good parameters of a line or message on a vector.
func (b *bench) params(name string, v uint8, isr func(t *kernel.Thread, object uint64) bool) kernel.ConnectParams {
	return kernel.ConnectParams{Name: name, Vector: v, IRQL: v >> 4, SynchronizeIRQL: v >> 4, Latched: true, Affinity: 1,
		ServiceRoutine: b.fn(name, func(t *kernel.Thread, a kernel.Args) uint64 {
			if isr(t, a[0]) {
				return 1
			}
			return 0
		})}
}

// A WDM driver connects, synchronizes with its ISR, turns it off and on, and
// disconnects (INT-1, INT-2, INT-20).
func TestINT1WDMConnect(t *testing.T) {
	scenario(t, kernel.Config{}, func(b *bench) {
		var object uint64
		p := b.params("isr", testVector, func(t *kernel.Thread, o uint64) bool {
			b.note("isr@%d same=%v", t.IRQL(), o == object)
			return true
		})
		p.SynchronizeIRQL = 7
		fire := func(t *kernel.Thread) {
			b.SendMessage(testVector)
			t.KeStallExecutionProcessor(1)
		}
		b.do(func(t *kernel.Thread) {
			var s kernel.NTSTATUS
			object, s = t.IoConnectInterruptEx(p)
			b.is("status", s, kernel.StatusSuccess)
			fire(t)
			routine := b.fn("synchronized", func(t *kernel.Thread, a kernel.Args) uint64 {
				fire(t)
				b.note("sync@%d(%d)", t.IRQL(), a[0])
				return 1
			})
			b.note("%v", t.KeSynchronizeExecution(object, routine, 9))
			old := t.KeAcquireInterruptSpinLock(object)
			fire(t)
			b.note("locked@%d", t.KeGetCurrentIrql())
			t.KeReleaseInterruptSpinLock(object, old)
			b.note("@%d", t.KeGetCurrentIrql())
			t.IoReportInterruptInactive(object)
			t.IoReportInterruptInactive(object)
			fire(t)
			b.note("inactive")
			t.IoReportInterruptActive(object)
			fire(t)
			t.IoDisconnectInterruptEx(object)
			fire(t)
			b.note("off")
		})
		b.noted("isr@7 same=true sync@7(9) isr@7 same=true true locked@7 isr@7 same=true @0 inactive isr@7 same=true off")
	})
}

// What does not fit is refused (INT-1, INT-12).
func TestINT12WDMConnectRefused(t *testing.T) {
	scenario(t, kernel.Config{}, func(b *bench) {
		isr := func(*kernel.Thread, uint64) bool { return false }
		for _, c := range []struct {
			name   string
			change func(first, second *kernel.ConnectParams)
			want   kernel.NTSTATUS
		}{
			{"both share", func(first, second *kernel.ConnectParams) {}, kernel.StatusSuccess},
			{"the first does not share", func(first, _ *kernel.ConnectParams) { first.Shared = false }, kernel.StatusInvalidParameter},
			{"the second does not share", func(_, second *kernel.ConnectParams) { second.Shared = false }, kernel.StatusInvalidParameter},
			{"another mode", func(_, second *kernel.ConnectParams) { second.Latched = false }, kernel.StatusInvalidParameter},
			{"a message", func(_, second *kernel.ConnectParams) { second.MessageSignaled = true }, kernel.StatusInvalidParameter},
			{"no processor", func(_, second *kernel.ConnectParams) { second.Affinity = 0 }, kernel.StatusInvalidParameter10},
			{"no device vector", func(_, second *kernel.ConnectParams) { second.Vector = 0x10 }, kernel.StatusNotFound},
		} {
			first, second := b.params("a", testVector, isr), b.params("b", testVector, isr)
			first.Shared, second.Shared = true, true
			c.change(&first, &second)
			b.do(func(t *kernel.Thread) {
				one, _ := t.IoConnectInterruptEx(first)
				two, s := t.IoConnectInterruptEx(second)
				b.is(c.name, s, c.want)
				b.is(c.name+": an object", two != 0, s == kernel.StatusSuccess)
				for _, object := range []uint64{one, two} {
					if object != 0 {
						t.IoDisconnectInterruptEx(object)
					}
				}
			})
		}
	})
}

// A line that is asserted when its ISR is connected interrupts at once, before
// the call has returned (INT-23).
func TestINT23InterruptDuringConnect(t *testing.T) {
	scenario(t, kernel.Config{}, func(b *bench) {
		line := b.AddLine("line", testVector, false)
		b.SetLine(line, 0, true)
		p := b.params("isr", testVector, func(t *kernel.Thread, _ uint64) bool {
			b.note("isr")
			b.SetLine(line, 0, false)
			return true
		})
		p.Latched = false
		b.do(func(t *kernel.Thread) {
			t.IoConnectInterruptEx(p)
			b.note("connected")
		})
		b.noted("isr connected")
	})
}

// Misuse of interrupt spin locks and interrupt objects.
func TestINT2InterruptLockBugChecks(t *testing.T) {
	connected := func(f func(b *bench, t *kernel.Thread, object uint64)) func(b *bench, t *kernel.Thread) {
		return func(b *bench, t *kernel.Thread) {
			object, _ := t.IoConnectInterruptEx(b.params("isr", testVector, func(*kernel.Thread, uint64) bool { return true }))
			f(b, t, object)
		}
	}
	for _, c := range []crash{
		{name: "IRQL-12 release at another level", body: connected(func(_ *bench, t *kernel.Thread, object uint64) {
			t.KeAcquireInterruptSpinLock(object)
			t.KeRaiseIrql(9)
			t.KeReleaseInterruptSpinLock(object, 0)
		}), code: 0xC4, params: with(0xE5, 9)},
		{name: "IRQL-15 release without acquire", profile: bare, body: connected(func(_ *bench, t *kernel.Thread, object uint64) {
			t.KeRaiseIrql(5)
			t.KeReleaseInterruptSpinLock(object, 0)
		}), code: 0x10, params: func(b *bench) [4]uint64 { return [4]uint64{b.KInterrupt(1) + 0x80} }},
		{name: "INT-25 disconnect of nothing", body: connected(func(_ *bench, t *kernel.Thread, _ uint64) { t.IoDisconnectInterruptEx(0) }),
			code: 0x7E},
		{name: "ILK-5 acquire twice", body: connected(func(_ *bench, t *kernel.Thread, object uint64) {
			t.KeAcquireInterruptSpinLock(object)
			t.KeAcquireInterruptSpinLock(object)
		}), rule: "self-deadlock"},
		{name: "IRQL-6 acquire above the level", body: connected(func(_ *bench, t *kernel.Thread, object uint64) {
			t.KeRaiseIrql(8)
			t.KeAcquireInterruptSpinLock(object)
		}), code: 0xC4, params: with(0x30, 8, 5)},
		{name: "SpinLock interrupt lock held at the end", body: connected(func(_ *bench, t *kernel.Thread, object uint64) {
			t.Invoke("callback", t.Machine().Function("callback", func(t *kernel.Thread, _ kernel.Args) uint64 {
				return uint64(t.KeAcquireInterruptSpinLock(object))
			}), kernel.Args{})
		}), code: 0xC4, params: func(b *bench) [4]uint64 { return [4]uint64{0x00040009, b.Function("callback", nil)} }},
		{name: "INT-1 no interrupt object", body: func(b *bench, t *kernel.Thread) { t.KeSynchronizeExecution(b.alloc(0x100), 0, 0) },
			rule: "interrupt object"},
		{name: "INT-1 disconnected", body: connected(func(_ *bench, t *kernel.Thread, object uint64) {
			t.IoDisconnectInterruptEx(object)
			t.IoDisconnectInterruptEx(object)
		}), code: 0xCC},
		{name: "IRQL-12 connect above PASSIVE_LEVEL", body: raised(1, connected(func(*bench, *kernel.Thread, uint64) {})), code: 0xC4,
			params: with(0xE5, 1)},
	} {
		c.ends = kernel.Stopped
		c.check(t)
	}
}
