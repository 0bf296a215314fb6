package kernel_test

import (
	"strings"
	"testing"

	"github.com/dirql/dirql/internal/kernel"
)

// A passive-level connection has no spin lock and no messages (PLI-1, PLI-10); the
// spin lock routines are a bug check on it (PLI-12).
func TestPLI1PLI10PLI12PassiveConnection(t *testing.T) {
	good := kernel.ConnectParams{Vector: 0x51, Latched: true, Affinity: 1}
	for _, c := range []struct {
		name   string
		change func(*kernel.ConnectParams)
		want   kernel.NTSTATUS
	}{
		{"PLI-1 as it should be", func(*kernel.ConnectParams) {}, kernel.StatusSuccess},
		{"PLI-1 SynchronizeIrql not PASSIVE_LEVEL", func(p *kernel.ConnectParams) { p.SynchronizeIRQL = 5 }, kernel.StatusInvalidParameter},
		{"PLI-1 a spin lock", func(p *kernel.ConnectParams) { p.SpinLock = 0x1000 }, kernel.StatusInvalidParameter},
		{"PLI-10 a message", func(p *kernel.ConnectParams) { p.MessageSignaled = true }, kernel.StatusInvalidParameter},
	} {
		b := newBench(t, kernel.Config{Processors: 1})
		p := good
		c.change(&p)
		if _, s := b.Connect(p); s != c.want {
			t.Errorf("%s: status 0x%X, want 0x%X", c.name, uint32(s), uint32(c.want))
		}
	}
	for name, f := range map[string]func(t *kernel.Thread, id kernel.InterruptID){
		"acquire": func(t *kernel.Thread, id kernel.InterruptID) { t.AcquireInterruptLock(id) },
		"release": func(t *kernel.Thread, id kernel.InterruptID) { t.ReleaseInterruptLock(id, 0) },
	} {
		b := newBench(t, kernel.Config{Processors: 1})
		id, _ := b.Connect(good)
		b.thread(0, func(t *kernel.Thread) { f(t, id) })
		b.run(kernel.Stopped)
		if f := b.Findings()[0]; f.Code != 0xA || f.Clause != "PLI-12" {
			t.Errorf("PLI-12 %s: %s", name, f.Title())
		}
	}
}

// On a shared level-triggered line the ISRs at DIRQL come first; those at
// PASSIVE_LEVEL are called if none of them claimed the interrupt (PLI-2, INT-9).
// A latched chain calls them always (INT-10).
func TestPLI2SharedWithDIRQL(t *testing.T) {
	for _, c := range []struct {
		name    string
		latched bool
		claims  bool
		want    string
	}{
		{"PLI-2 level, claimed at DIRQL", false, true, "dirql@5"},
		{"PLI-2 level, not claimed at DIRQL", false, false, "dirql@5 passive@0"},
		{"PLI-2 latched, claimed at DIRQL", true, true, "dirql@5 dirql@5 passive@0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, kernel.Config{Processors: 1})
			line := b.AddLine("pin", 0x51, c.latched)
			calls := 0
			isr := func(name string, claim func() bool) func(t *kernel.Thread) bool {
				return func(t *kernel.Thread) bool {
					b.note("%s@%d", name, t.KeGetCurrentIrql())
					if claim() {
						b.SetLine(line, 0, false)
						return true
					}
					return false
				}
			}
			b.connect("dirql", 0x51, kernel.ConnectParams{SynchronizeIRQL: 5, Latched: c.latched, Shared: true}, isr("dirql", func() bool {
				calls++
				return c.claims && calls == 1
			}))
			claimed := isr("passive", func() bool { return !c.claims })
			b.Connect(kernel.ConnectParams{Name: "passive", Vector: 0x51, Latched: c.latched, Shared: true, Affinity: 1,
				ServiceRoutine: b.fn("passive", func(t *kernel.Thread, _ kernel.Args) uint64 {
					claimed(t)
					return 0
				})})
			b.SetLine(line, 0, true)
			b.run(kernel.Done)
			b.noted(c.want)
		})
	}
}

// Synchronize on a passive-level interrupt takes its event, at PASSIVE_LEVEL: it
// excludes the ISR (ILK-10, PLI-1).
func TestILK10PLI1Synchronize(t *testing.T) {
	b := newBench(t, kernel.Config{Processors: 2})
	x := b.cell()
	enter := func(t *kernel.Thread) {
		b.note("(%d", t.KeGetCurrentIrql())
		t.Load(x, 8)
		b.note(")")
	}
	id, _ := b.Connect(kernel.ConnectParams{Name: "passive", Vector: 0x51, Latched: true, Affinity: 2,
		ServiceRoutine: b.fn("isr", func(t *kernel.Thread, _ kernel.Args) uint64 {
			enter(t)
			return 1
		})})
	sync := b.fn("sync", func(t *kernel.Thread, a kernel.Args) uint64 {
		enter(t)
		return a[0]
	})
	got := b.outcomes(func() {
		b.thread(0, func(t *kernel.Thread) {
			b.DeliverTo(0x51, 1)
			if r := t.Synchronize(id, "KSYNCHRONIZE_ROUTINE", sync, kernel.Args{7}); r != 7 {
				b.note("returned %d", r)
			}
		})
	}, b.noteOutcome)
	for _, o := range got {
		if !strings.HasSuffix(o, "(0 ) (0 )") || strings.Contains(o, "returned") {
			t.Errorf("the ISR and the routine overlap: %s", o)
		}
	}
}
