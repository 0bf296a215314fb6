package kernel_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/trace"
)

func TestINT1ConnectParameters(t *testing.T) {
	good := kernel.ConnectParams{Vector: 0x51, IRQL: 5, SynchronizeIRQL: 5, Latched: true, MessageSignaled: true, Affinity: 1}
	for _, c := range []struct {
		name   string
		change func(*kernel.ConnectParams)
		want   kernel.NTSTATUS
	}{
		{"as it should be", func(*kernel.ConnectParams) {}, kernel.StatusSuccess},
		{"SynchronizeIrql above Irql", func(p *kernel.ConnectParams) { p.SynchronizeIRQL = 12 }, kernel.StatusSuccess},
		{"SynchronizeIrql below Irql", func(p *kernel.ConnectParams) { p.SynchronizeIRQL = 4 }, kernel.StatusInvalidParameter},
		{"SynchronizeIrql above SYNCH_LEVEL", func(p *kernel.ConnectParams) { p.SynchronizeIRQL = 13 }, kernel.StatusInvalidParameter},
		{"Irql of another vector", func(p *kernel.ConnectParams) { p.IRQL, p.SynchronizeIRQL = 6, 6 }, kernel.StatusInvalidParameter},
		{"no processor", func(p *kernel.ConnectParams) { p.Affinity = 0 }, kernel.StatusInvalidParameter10},
		{"no processor of this machine", func(p *kernel.ConnectParams) { p.Affinity = 4 }, kernel.StatusInvalidParameter10},
		{"not a device vector", func(p *kernel.ConnectParams) { p.Vector, p.IRQL = 0x21, 2 }, kernel.StatusNotFound},
	} {
		b := newBench(t, kernel.Config{Processors: 2})
		p := good
		c.change(&p)
		if _, s := b.Connect(p); s != c.want {
			t.Errorf("%s: status 0x%X, want 0x%X", c.name, uint32(s), uint32(c.want))
		}
	}
}

// The steps of an interrupt: level, lock, ISR, end of interrupt, old level.
func TestINT2Sequence(t *testing.T) {
	scenario(t, kernel.Config{Processors: 2}, func(b *bench) {
		lock := b.cell()
		b.connect("isr", testVector, kernel.ConnectParams{SynchronizeIRQL: 8, Latched: true, MessageSignaled: true, SpinLock: lock},
			func(t *kernel.Thread) bool {
				b.note("isr@%d locked=%d", t.KeGetCurrentIrql(), b.value(lock))
				b.is("a try for the lock", t.KeTryToAcquireSpinLockAtDpcLevel(lock), false)
				return true
			})
		b.thread(0, func(t *kernel.Thread) {
			t.KeRaiseIrql(1)
			b.DeliverTo(testVector, 0)
			t.KeStallExecutionProcessor(1)
			b.note("back@%d locked=%d", t.KeGetCurrentIrql(), b.value(lock))
			t.KeLowerIrql(0)
		})
		b.run(kernel.Done)
		b.noted("isr@8 locked=1 back@1 locked=0")
		var kinds []string
		for _, e := range b.Trace.Events {
			switch e.Kind {
			case trace.Accept, trace.EOI, trace.IRQL:
				kinds = append(kinds, fmt.Sprintf("%s@%d", e.Kind, e.IRQL))
			case trace.Start, trace.End:
				if e.Name == "isr" {
					kinds = append(kinds, fmt.Sprintf("%s@%d", e.Kind, e.IRQL))
				}
			}
		}
		b.is("the order in the trace", strings.Join(kinds, " "),
			"irql@1 irql@5 accept@5 irql@8 start@8 end@8 irql@5 eoi@5 irql@1 irql@0")
	})
}

// overlap notes the beginning and the end of ISRs and whether they overlap.
type overlap struct {
	active int
	most   int
	runs   int
}

func (o *overlap) isr(x uint64) func(t *kernel.Thread) bool {
	return func(t *kernel.Thread) bool {
		o.active++
		o.most = max(o.most, o.active)
		o.runs++
		t.Load(x, 8)
		o.active--
		return true
	}
}

// Two processors, one or two interrupts, one or two locks: how many ISRs run at
// the same time at most (INT-3, INT-14).
func TestINT3OneISRPerLock(t *testing.T) {
	for _, c := range []struct {
		name    string
		shared  bool // the lock
		vectors [2]uint8
		want    []string
	}{
		{"INT-3 one interrupt on two processors", false, [2]uint8{0x51, 0x51}, []string{"2 runs, 1 at once"}},
		{"INT-3 two interrupts, one lock", true, [2]uint8{0x51, 0x52}, []string{"2 runs, 1 at once"}},
		{"INT-14 two messages, two locks", false, [2]uint8{0x51, 0x52}, []string{"2 runs, 1 at once", "2 runs, 2 at once"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, kernel.Config{Processors: 2})
			x, lock := b.cell(), b.cell()
			var o overlap
			for i, v := range c.vectors {
				p := kernel.ConnectParams{Latched: true, MessageSignaled: true}
				if c.shared {
					p.SpinLock = lock
				}
				if i == 0 || v != c.vectors[0] {
					b.connect(fmt.Sprintf("isr%d", i), v, p, o.isr(x))
				}
			}
			got := b.outcomes(func() {
				o = overlap{}
				for cpu, v := range c.vectors {
					b.thread(cpu, func(t *kernel.Thread) {
						t.Load(x, 8)
						b.DeliverTo(v, cpu)
						t.Load(x, 8)
					})
				}
			}, func() string { return fmt.Sprintf("%d runs, %d at once", o.runs, o.most) })
			reaches(t, got, c.want...)
		})
	}
}

// An ISR is interrupted on its processor by a strictly higher level only, last
// in, first out; also if it lowers the IRQL below its own level.
func TestINT4Nesting(t *testing.T) {
	scenario(t, kernel.Config{}, func(b *bench) {
		isr := func(name string, send ...uint8) func(t *kernel.Thread) bool {
			return func(t *kernel.Thread) bool {
				b.note("%s[", name)
				for _, v := range send {
					b.SendMessage(v)
					t.KeStallExecutionProcessor(1)
				}
				b.note("]")
				return true
			}
		}
		b.message("5", 0x51, isr("5", 0x71))
		b.message("7", 0x71, isr("7", 0x53, 0x72, 0x91))
		b.message("9", 0x91, isr("9"))
		b.message("7b", 0x72, isr("7b"))
		b.message("5b", 0x53, isr("5b"))
		b.do(func(t *kernel.Thread) {
			b.SendMessage(0x51)
			t.KeStallExecutionProcessor(1)
		})
		b.noted("5[ 7[ 9[ ] ] 7b[ ] ] 5b[ ]")
	})
	scenario(t, kernel.Config{}, func(b *bench) {
		dpc := b.noteDPC("dpc")
		runs := 0
		b.message("isr", 0x51, func(t *kernel.Thread) bool {
			b.note("isr[")
			if runs++; runs == 1 {
				b.SendMessage(0x51)
				b.SendMessage(0x31)
				t.KeInsertQueueDpc(dpc, 0, 0)
				t.KeLowerIrql(0) // wrong, but what its level holds stays held until the end of the interrupt
				t.KeStallExecutionProcessor(1)
				t.KeRaiseIrql(5)
			}
			b.note("]")
			return true
		})
		b.message("low", 0x31, func(t *kernel.Thread) bool { b.note("low"); return true })
		b.do(func(t *kernel.Thread) {
			b.SendMessage(0x51)
			t.KeStallExecutionProcessor(1)
			b.note("thread")
		})
		b.noted("isr[ ] isr[ ] low dpc thread")
	})
}

// The ISR comes on top of its DPC or beside it (INT-5), and a DPC for another
// processor can overlap the ISR that queued it (INT-19); on one processor the
// DPC never comes before the end of the ISR (INT-18).
func TestINT5AndINT19Overlaps(t *testing.T) {
	for _, c := range []struct {
		name     string
		isr, dpc int // processors
		want     []string
	}{
		{"INT-18", 0, 0, []string{"isr[ isr] dpc[ dpc]"}},
		{"INT-19", 0, 1, []string{"isr[ isr] dpc[ dpc]", "isr[ dpc[ isr] dpc]", "isr[ dpc[ dpc] isr]"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, kernel.Config{Processors: 2})
			x := b.cell()
			routine := func(name string) func(t *kernel.Thread, _, _ uint64) {
				return func(t *kernel.Thread, _, _ uint64) {
					b.note("%s[", name)
					t.Load(x, 8)
					b.note("%s]", name)
				}
			}
			dpc := b.dpc("dpc", routine("dpc"))
			b.do(func(t *kernel.Thread) {
				t.KeSetImportanceDpc(dpc, kernel.HighImportance)
				t.KeSetTargetProcessorDpc(dpc, int8(c.dpc))
			})
			b.message("isr", testVector, func(t *kernel.Thread) bool {
				b.note("isr[")
				t.KeInsertQueueDpc(dpc, 0, 0)
				t.Load(x, 8)
				b.note("isr]")
				return true
			})
			reaches(t, b.outcomes(func() {
				b.thread(0, func(t *kernel.Thread) {
					b.DeliverTo(testVector, c.isr)
					t.KeStallExecutionProcessor(1)
				})
			}, b.noteOutcome), c.want...)
		})
	}
	// The same interrupt while the DPC runs.
	for cpu, want := range map[int][]string{
		0: {"dpc[ isr dpc]", "dpc[ dpc] isr", "isr dpc[ dpc]"},
		1: {"dpc[ isr dpc]", "dpc[ dpc] isr", "isr dpc[ dpc]"},
	} {
		b := newBench(t, kernel.Config{Processors: 2})
		x := b.cell()
		dpc := b.dpc("dpc", func(t *kernel.Thread, _, _ uint64) {
			b.note("dpc[")
			t.Load(x, 8)
			b.note("dpc]")
		})
		b.message("isr", testVector, func(t *kernel.Thread) bool { t.Load(x, 8); b.note("isr"); return true })
		b.arrive(arrival{testVector, cpu})
		reaches(t, b.outcomes(func() {
			b.thread(0, func(t *kernel.Thread) { t.KeInsertQueueDpc(dpc, 0, 0) })
		}, b.noteOutcome), want...)
	}
}

// One pending mark per vector and processor; an edge after acceptance counts.
func TestINT6Latched(t *testing.T) {
	for k := 1; k <= 4; k++ {
		scenario(t, kernel.Config{Processors: 2}, func(b *bench) {
			b.message("isr", testVector, func(t *kernel.Thread) bool { b.note("isr%d", t.Processor()); return true })
			b.thread(0, func(t *kernel.Thread) {
				t.KeRaiseIrql(5)
				for range k {
					b.DeliverTo(testVector, 0)
				}
				b.note("masked")
				t.KeLowerIrql(0)
				b.note("done")
			})
			b.run(kernel.Done)
			b.noted("masked isr0 done")
			b.thread(0, func(t *kernel.Thread) { // the marks of two processors are two
				for range k {
					b.DeliverTo(testVector, 0)
					b.DeliverTo(testVector, 1)
				}
				t.KeStallExecutionProcessor(1)
			})
			b.run(kernel.Done)
			b.noted("masked isr0 done isr0 isr1")
		})
	}
	scenario(t, kernel.Config{}, func(b *bench) {
		runs := 0
		b.message("isr", testVector, func(t *kernel.Thread) bool {
			b.note("[")
			if runs++; runs == 1 {
				for range 3 {
					b.SendMessage(testVector) // accepted already: one more call
					t.KeStallExecutionProcessor(1)
				}
			}
			b.note("]")
			return true
		})
		b.do(func(t *kernel.Thread) {
			b.SendMessage(testVector)
			t.KeStallExecutionProcessor(1)
		})
		b.noted("[ ] [ ]")
	})
	scenario(t, kernel.Config{}, func(b *bench) { // a line: it interrupts when it becomes asserted
		line := b.AddLine("line", testVector, true)
		b.connect("isr", testVector, kernel.ConnectParams{Latched: true}, func(t *kernel.Thread) bool { b.note("isr"); return true })
		b.do(func(t *kernel.Thread) {
			for _, step := range []struct {
				source int
				on     bool
			}{{0, true}, {0, true}, {1, true}, {0, false}, {1, false}, {1, true}} {
				b.SetLine(line, step.source, step.on)
				t.KeStallExecutionProcessor(1)
				b.note("%d%v", step.source, step.on)
			}
		})
		b.noted("isr 0true 0true 1true 0false 1false isr 1true")
	})
}

// levelDevice is a device on a level-triggered line that wants n services.
func levelDevice(b *bench, line, source, n int) (service func() bool) {
	b.SetLine(line, source, true)
	return func() bool {
		if n == 0 {
			return false
		}
		if n--; n == 0 {
			b.SetLine(line, source, false)
		}
		return true
	}
}

// A line that is still asserted after the end of the interrupt interrupts again
// at once: no lower code in between, but a higher ISR (INT-7).
func TestINT7LevelTriggered(t *testing.T) {
	scenario(t, kernel.Config{}, func(b *bench) {
		dpc := b.noteDPC("dpc")
		line := b.AddLine("line", testVector, false)
		var service func() bool
		first := true
		b.connect("isr", testVector, kernel.ConnectParams{}, func(t *kernel.Thread) bool {
			b.note("isr")
			r := service()
			if first {
				b.SendMessage(0x71)
				t.KeInsertQueueDpc(dpc, 0, 0)
			}
			first = false
			t.KeStallExecutionProcessor(1)
			return r
		})
		b.message("high", 0x71, func(t *kernel.Thread) bool { b.note("high"); return true })
		b.do(func(t *kernel.Thread) {
			service = levelDevice(b, line, 0, 3)
			t.KeStallExecutionProcessor(1)
			b.note("thread")
		})
		b.noted("isr high isr isr dpc thread")
	})
	scenario(t, kernel.Config{}, func(b *bench) { // asserted before it is connected
		line := b.AddLine("line", testVector, false)
		service := levelDevice(b, line, 0, 1)
		b.do(func(t *kernel.Thread) {
			t.KeStallExecutionProcessor(1)
			b.connect("isr", testVector, kernel.ConnectParams{}, func(t *kernel.Thread) bool { b.note("isr"); return service() })
			b.note("connected")
			t.KeStallExecutionProcessor(1)
		})
		b.noted("connected isr")
	})
}

// A level-triggered interrupt that nobody acknowledges is a storm after
// StormLimit accepts; an acknowledge of any device starts the count again.
func TestINT7Storm(t *testing.T) {
	for _, c := range []struct {
		name     string
		services int // until the device is content
		limit    int
		want     kernel.Reason
	}{
		{"INT-7 never acknowledged", 1000, 10, kernel.Stopped},
		{"INT-7 at the limit", 10, 10, kernel.Done},
		{"INT-8 one more", 11, 10, kernel.Stopped},
	} {
		t.Run(c.name, func(t *testing.T) {
			scenario(t, kernel.Config{Tunables: kernel.Tunables{StormLimit: c.limit}}, func(b *bench) {
				line := b.AddLine("line", testVector, false)
				b.SetLine(line, 1, true) // another device, always asserted, acknowledged below
				service := levelDevice(b, line, 0, c.services)
				b.SetLine(line, 1, false)
				runs := 0
				b.connect("isr", testVector, kernel.ConnectParams{}, func(t *kernel.Thread) bool { runs++; return service() })
				b.run(c.want)
				b.is("calls", runs, c.limit)
				if c.want == kernel.Stopped {
					b.finds(kernel.Finding{Rule: "interrupt storm", Clause: "INT-7"})
				}
			})
		})
	}
	scenario(t, kernel.Config{Tunables: kernel.Tunables{StormLimit: 10}}, func(b *bench) {
		line := b.AddLine("line", testVector, false)
		runs := 0
		b.connect("isr", testVector, kernel.ConnectParams{}, func(t *kernel.Thread) bool {
			// Two devices in turn: the line never drops, but each time one is acknowledged.
			if runs++; runs <= 50 {
				b.SetLine(line, runs%2, true)
			}
			b.SetLine(line, 1-runs%2, false)
			return true
		})
		b.do(func(t *kernel.Thread) {
			b.SetLine(line, 0, true)
			t.KeStallExecutionProcessor(1)
		})
		b.is("calls", runs, 51)
		b.is("findings", len(b.Findings()), 0)
	})
	// Windows' own end of it, wherever the ticks come.
	for _, isr := range []func(t *kernel.Thread, x uint64){
		func(t *kernel.Thread, _ uint64) { t.KeStallExecutionProcessor(1) },
		func(t *kernel.Thread, x uint64) { t.Load(x, 8) },
	} {
		tun := kernel.Tunables{StormLimit: 1 << 30, TickTime: 1000, OperationTime: 900, TotalWatchdogTicks: 20}
		scenario(t, kernel.Config{Tunables: tun}, func(b *bench) {
			line, x := b.AddLine("line", testVector, false), b.cell()
			b.connect("isr", testVector, kernel.ConnectParams{}, func(t *kernel.Thread) bool { isr(t, x); return true })
			b.SetLine(line, 0, true)
			b.run(kernel.Stopped)
			b.finds(kernel.Finding{Code: 0x133, Params: [4]uint64{1, 20}, Clause: "WD-2"})
		})
	}
}

func TestINT9SharedLevelChain(t *testing.T) {
	shared := kernel.ConnectParams{Shared: true}
	build := func(b *bench, lies bool) {
		line := b.AddLine("line", testVector, false)
		services := []func() bool{levelDevice(b, line, 0, 1), levelDevice(b, line, 1, 1)}
		for i, name := range []string{"A", "B"} {
			b.connect(name, testVector, shared, func(t *kernel.Thread) bool {
				r := services[i]() || lies && i == 0
				b.note("%s=%v", name, r)
				return r
			})
		}
	}
	scenario(t, kernel.Config{}, func(b *bench) {
		build(b, false)
		b.run(kernel.Done)
		b.noted("A=true A=false B=true")
	})
	scenario(t, kernel.Config{Tunables: kernel.Tunables{StormLimit: 3}}, func(b *bench) {
		build(b, true)
		b.run(kernel.Stopped)
		b.noted("A=true A=true A=true A=true") // the first one released its device
		b.finds(kernel.Finding{Rule: "interrupt storm"})
	})
}

func TestINT10SharedLatchedChain(t *testing.T) {
	scenario(t, kernel.Config{}, func(b *bench) {
		line := b.AddLine("line", testVector, true)
		work := map[string]int{"A": 1, "B": 2} // one edge for three pieces of work
		for _, name := range []string{"A", "B", "C"} {
			b.connect(name, testVector, kernel.ConnectParams{Shared: true, Latched: true}, func(t *kernel.Thread) bool {
				work[name]--
				b.note("%s=%v", name, work[name] >= 0)
				return work[name] >= 0
			})
		}
		b.do(func(t *kernel.Thread) {
			b.SetLine(line, 0, true)
			t.KeStallExecutionProcessor(1)
		})
		b.noted("A=true B=true C=false A=false B=true C=false A=false B=false C=false")
	})
	scenario(t, kernel.Config{Tunables: kernel.Tunables{StormLimit: 4}}, func(b *bench) {
		line := b.AddLine("line", testVector, true)
		runs := 0
		for _, name := range []string{"A", "B"} {
			b.connect(name, testVector, kernel.ConnectParams{Shared: true, Latched: true}, func(t *kernel.Thread) bool {
				runs++
				return name == "A" // for ever
			})
		}
		b.SetLine(line, 0, true)
		b.run(kernel.Stopped)
		b.is("calls", runs, 10)
		b.finds(kernel.Finding{Rule: "interrupt storm"})
	})
}

// edges are edges of a device on a latched line that come at any time.
type edges struct {
	b       *bench
	line    int
	pending uint64 // variable: events that the device has to report
	left    int
}

func (e *edges) Enabled(ids []uint32) []uint32 {
	if e.left > 0 {
		ids = append(ids, 0)
	}
	return ids
}

func (e *edges) Happen(uint32) {
	e.left--
	e.b.set(e.pending, e.b.value(e.pending)+1)
	e.b.SetLine(e.line, 0, true)
	e.b.SetLine(e.line, 0, false)
}

func (e *edges) Snapshot() any               { return e.left }
func (e *edges) Restore(s any)               { e.left = s.(int) }
func (e *edges) AppendState(b []byte) []byte { return append(b, byte(e.left)) }

// Litmus L-56: an event of a device whose ISR was called already, while the next
// ISR of the chain runs, is serviced by a further pass or a further interrupt; it
// is never lost (INT-10, INT-6).
func TestINT10EdgeDuringScan(t *testing.T) {
	b := newBench(t, kernel.Config{})
	e := &edges{b: b, line: b.AddLine("line", testVector, true), pending: b.cell(), left: 2}
	x := b.cell()
	b.connect("A", testVector, kernel.ConnectParams{Shared: true, Latched: true}, func(t *kernel.Thread) bool {
		n := t.Update(e.pending, 8, func(uint64) uint64 { return 0 })
		b.note("%d", n)
		return n > 0
	})
	b.connect("B", testVector, kernel.ConnectParams{Shared: true, Latched: true}, func(t *kernel.Thread) bool {
		t.Load(x, 8)
		return false
	})
	b.Attach(e)
	b.SetEnvironment(e)
	got := b.outcomes(func() { b.thread(0, func(t *kernel.Thread) { t.Load(x, 8) }) }, func() string {
		return fmt.Sprintf("%s left=%d", b.noteOutcome(), b.value(e.pending))
	})
	reaches(t, got,
		"2 0 left=0",     // both before the accept
		"1 1 0 0 left=0", // the second in the scan of the first: a further pass, and its own interrupt
		"1 0 1 0 left=0", // the same, but behind the call of A in the last pass; or after the scan
		"2 0 0 left=0")   // the second after the accept, before the call of A
}

func TestINT11ReturnValueWithoutSharing(t *testing.T) {
	for _, shared := range []bool{false, true} { // one routine, whatever it is connected as
		for _, r := range []bool{false, true} {
			scenario(t, kernel.Config{}, func(b *bench) {
				b.connect("isr", testVector, kernel.ConnectParams{Latched: true, Shared: shared}, func(t *kernel.Thread) bool {
					b.note("isr")
					return r
				})
				b.do(func(t *kernel.Thread) {
					b.SendMessage(testVector)
					t.KeStallExecutionProcessor(1)
				})
				b.noted("isr")
			})
		}
	}
}

func TestINT12CompatibleSharing(t *testing.T) {
	type p = kernel.ConnectParams
	for _, c := range []struct {
		name string
		a, b p
		want kernel.NTSTATUS
	}{
		{"both level and shared", p{Shared: true}, p{Shared: true}, kernel.StatusSuccess},
		{"both latched and shared", p{Shared: true, Latched: true}, p{Shared: true, Latched: true}, kernel.StatusSuccess},
		{"the first is not shared", p{}, p{Shared: true}, kernel.StatusInvalidParameter},
		{"the second is not shared", p{Shared: true}, p{}, kernel.StatusInvalidParameter},
		{"modes differ", p{Shared: true}, p{Shared: true, Latched: true}, kernel.StatusInvalidParameter},
		{"messages", p{Shared: true, Latched: true, MessageSignaled: true}, p{Shared: true, Latched: true, MessageSignaled: true},
			kernel.StatusInvalidParameter},
		{"a message and a line", p{Shared: true, Latched: true}, p{Shared: true, Latched: true, MessageSignaled: true},
			kernel.StatusInvalidParameter},
		{"no common processor", p{Shared: true, Affinity: 1}, p{Shared: true, Affinity: 2}, kernel.StatusInvalidParameter},
		{"one common processor", p{Shared: true, Affinity: 1}, p{Shared: true, Affinity: 3}, kernel.StatusSuccess},
	} {
		b := newBench(t, kernel.Config{Processors: 2})
		for i, p := range []p{c.a, c.b} {
			p.Vector, p.IRQL, p.SynchronizeIRQL = testVector, 5, 5
			if p.Affinity == 0 {
				p.Affinity = 3
			}
			want := kernel.StatusSuccess
			if i == 1 {
				want = c.want
			}
			if _, s := b.Connect(p); s != want {
				t.Errorf("%s: connection %d: status 0x%X, want 0x%X", c.name, i+1, uint32(s), uint32(want))
			}
		}
	}
}

// An interrupt that is pending when the device is silenced still comes.
func TestINT13Spurious(t *testing.T) {
	b := newBench(t, kernel.Config{})
	line := b.AddLine("line", testVector, false)
	b.connect("isr", testVector, kernel.ConnectParams{}, func(t *kernel.Thread) bool { b.note("isr"); return false })
	reaches(t, b.outcomes(func() {
		b.thread(0, func(t *kernel.Thread) {
			old := t.KeRaiseIrql(7)
			b.SetLine(line, 0, true)
			t.KeStallExecutionProcessor(1)
			b.SetLine(line, 0, false)
			b.note("silent")
			t.KeLowerIrql(old)
		})
	}, b.noteOutcome), "silent isr")
}

func TestINT14MessageID(t *testing.T) {
	scenario(t, kernel.Config{}, func(b *bench) {
		for i := range uint8(3) {
			p := kernel.ConnectParams{Name: "isr", Vector: 0x50 + i, IRQL: 5, SynchronizeIRQL: 5, Latched: true, MessageSignaled: true,
				Affinity: 1, MessageID: uint32(i) + 7, Context: 100 + uint64(i)}
			p.ServiceRoutine = b.fn("isr", func(t *kernel.Thread, a kernel.Args) uint64 {
				b.note("%d:%d", a[1], a[2])
				b.is("the interrupt object", a[0], b.KInterrupt(kernel.InterruptID(a[1]-99)))
				return 1
			})
			b.Connect(p)
		}
		b.do(func(t *kernel.Thread) {
			for _, v := range []uint8{0x52, 0x50, 0x51} {
				b.SendMessage(v)
				t.KeStallExecutionProcessor(1)
			}
		})
		b.noted("102:9 100:7 101:8")
	})
}

// Each occurrence goes to one processor of the set, and every one of the set is
// possible; for a shared vector it is in the set of each connection (INT-15).
func TestINT15Affinity(t *testing.T) {
	for _, c := range []struct {
		sets []uint64
		want []string
	}{
		{[]uint64{0b1111}, []string{"0", "1", "2", "3"}},
		{[]uint64{0b1010}, []string{"1", "3"}},
		{[]uint64{0b0100}, []string{"2"}},
		{[]uint64{0b0110, 0b1100}, []string{"2"}},
		{[]uint64{0b0111, 0b1110}, []string{"1", "2"}},
	} {
		b := newBench(t, kernel.Config{Processors: 4})
		for i, set := range c.sets {
			b.connect(fmt.Sprintf("isr%d", i), testVector, kernel.ConnectParams{Latched: true, Shared: true, Affinity: set},
				func(t *kernel.Thread) bool {
					if i == 0 {
						b.note("%d", t.Processor())
					}
					return false
				})
		}
		reaches(t, b.outcomes(func() { b.SendMessage(testVector) }, b.noteOutcome), c.want...)
	}
}

func TestINT16CommonSynchronizeIrql(t *testing.T) {
	scenario(t, kernel.Config{}, func(b *bench) {
		lock := b.cell()
		for _, v := range []uint8{0x51, 0x81} {
			b.connect(fmt.Sprintf("isr%X", v), v, kernel.ConnectParams{SynchronizeIRQL: 8, SpinLock: lock, Latched: true, MessageSignaled: true},
				func(t *kernel.Thread) bool {
					b.note("%X@%d", v, t.IRQL())
					if v == 0x51 {
						b.SendMessage(0x81) // held: the ISR runs at SynchronizeIrql
						t.KeStallExecutionProcessor(1)
						b.note("end")
					}
					return true
				})
		}
		b.do(func(t *kernel.Thread) {
			b.SendMessage(0x51)
			t.KeStallExecutionProcessor(1)
		})
		b.noted("51@8 end 81@8")
	})
}

// A DPC that an ISR queued starts when the IRQL falls below DISPATCH_LEVEL:
// after all nested ISRs and after the code at DISPATCH_LEVEL.
func TestINT18DPCAfterISR(t *testing.T) {
	scenario(t, kernel.Config{}, func(b *bench) {
		dpc := b.noteDPC("dpc")
		b.message("low", 0x51, func(t *kernel.Thread) bool {
			b.note("low[")
			b.SendMessage(0x71)
			t.KeStallExecutionProcessor(1)
			b.note("]")
			return true
		})
		b.message("high", 0x71, func(t *kernel.Thread) bool {
			b.note("high %v", t.KeInsertQueueDpc(dpc, 0, 0))
			return true
		})
		b.do(func(t *kernel.Thread) {
			t.KeRaiseIrql(2)
			b.SendMessage(0x51)
			t.KeStallExecutionProcessor(1)
			b.note("code")
			t.KeLowerIrql(0)
			b.note("end")
		})
		b.noted("low[ high true ] code dpc end")
	})
}

func TestINT20SoftDisconnect(t *testing.T) {
	scenario(t, kernel.Config{}, func(b *bench) {
		id := b.message("isr", testVector, func(t *kernel.Thread) bool { b.note("isr"); return true })
		b.do(func(t *kernel.Thread) {
			for _, active := range []bool{false, false, true, true} {
				b.SetActive(id, active)
				b.SendMessage(testVector)
				t.KeStallExecutionProcessor(1)
				b.note("%v", active)
			}
		})
		b.noted("false false isr true isr true")
	})
	scenario(t, kernel.Config{Tunables: kernel.Tunables{StormLimit: 5}}, func(b *bench) {
		line := b.AddLine("line", testVector, false)
		services := []func() bool{levelDevice(b, line, 0, 1), levelDevice(b, line, 1, 1)}
		var ids []kernel.InterruptID
		for i, name := range []string{"A", "B"} {
			ids = append(ids, b.connect(name, testVector, kernel.ConnectParams{Shared: true}, func(t *kernel.Thread) bool {
				b.note("%s", name)
				return services[i]()
			}))
		}
		b.SetActive(ids[1], false)
		b.run(kernel.Stopped)
		b.noted("A A A A A A") // the first one released its device
		b.finds(kernel.Finding{Rule: "interrupt storm"})
	})
	// Litmus L-55: A lies, B is never called; the report names A (INT-9).
	scenario(t, kernel.Config{Tunables: kernel.Tunables{StormLimit: 5}}, func(b *bench) {
		line := b.AddLine("line", testVector, false)
		service := levelDevice(b, line, 1, 1)
		b.connect("A", testVector, kernel.ConnectParams{Shared: true}, func(*kernel.Thread) bool { return true })
		b.connect("B", testVector, kernel.ConnectParams{Shared: true}, func(*kernel.Thread) bool { b.note("B"); return service() })
		b.run(kernel.Stopped)
		b.noted("")
		b.finds(kernel.Finding{Rule: "interrupt storm"})
		b.is("names A", strings.Contains(b.Findings()[0].Text, "claimed it was A"), true)
	})
}

// Disconnect waits for the ISR; afterwards the interrupt is lost, and the
// interrupt object is gone.
func TestINT1Disconnect(t *testing.T) {
	b := newBench(t, kernel.Config{Processors: 2})
	x := b.cell()
	id := b.message("isr", testVector, func(t *kernel.Thread) bool {
		b.note("isr[")
		t.Load(x, 8)
		b.note("]")
		return true
	})
	b.arrive(arrival{testVector, 1}, arrival{testVector, 1})
	got := b.outcomes(func() {
		b.thread(0, func(t *kernel.Thread) {
			t.KeStallExecutionProcessor(1)
			t.Disconnect(id)
			b.note("off")
			t.Load(x, 8)
			b.note("end")
		})
	}, b.noteOutcome)
	reaches(t, got, "off end", "isr[ ] off end", "isr[ ] isr[ ] off end")
}

// Messages at different processors: every pair of positions (INT-14, INT-15).
func TestINT14Independent(t *testing.T) {
	b := newBench(t, kernel.Config{Processors: 2})
	x := b.cell()
	for i, v := range []uint8{0x51, 0x52} {
		b.message(fmt.Sprintf("isr%d", i), v, func(t *kernel.Thread) bool {
			for range 2 {
				t.Load(x, 8)
				b.note("%c", 'a'+i)
			}
			return true
		})
	}
	b.arrive(arrival{0x51, 0}, arrival{0x52, 1})
	if got := b.outcomes(func() { b.run(kernel.Done) }, b.noteOutcome); len(got) != 6 {
		t.Errorf("%d orders of two ISRs of two operations, want 6: %q", len(got), got)
	}
}

// What an ISR may do, and what stops it (INT-17): routines for any level work;
// each of the others has its code.
func TestINT17Restrictions(t *testing.T) {
	scenario(t, kernel.Config{}, func(b *bench) {
		dpc, x := b.noteDPC("dpc"), b.cell()
		b.message("isr", testVector, func(t *kernel.Thread) bool {
			b.note("%v %v", t.KeInsertQueueDpc(dpc, 0, 0), t.KeRemoveQueueDpc(dpc))
			t.KeInsertQueueDpc(dpc, 0, 0)
			t.KeSetImportanceDpc(dpc, kernel.HighImportance)
			t.KeQueryInterruptTime()
			t.KeStallExecutionProcessor(1)
			t.Update(x, 8, func(old uint64) uint64 { return old + 1 })
			return true
		})
		b.do(func(t *kernel.Thread) {
			b.SendMessage(testVector)
			t.KeStallExecutionProcessor(1)
		})
		b.noted("true true dpc")
		b.is("findings", len(b.Findings()), 0)
	})
	for _, c := range []crash{
		{name: "INT-17 pageable memory", body: inISR(func(b *bench, t *kernel.Thread) {
			t.Load(b.Mem.Alloc(16, kernel.PoolTag("Test"), true, 0), 8)
		}), code: 0xD1},
		{name: "INT-17 pool", body: inISR(func(_ *bench, t *kernel.Thread) { t.ExAllocatePool2(kernel.PoolFlagNonPaged, 16, 0) }), code: 0xC4,
			params: with(0x02, 5, 0, 16)},
		{name: "INT-17 wait", body: inISR(func(b *bench, t *kernel.Thread) { t.KeWaitForSingleObject(b.cell(), kernel.NoWait) }), code: 0xC4},
		{name: "INT-17 event", body: inISR(func(b *bench, t *kernel.Thread) { t.KeSetEvent(b.cell()) }), code: 0xC4},
		{name: "INT-17 spin lock", body: inISR(func(b *bench, t *kernel.Thread) { t.KeAcquireSpinLock(b.cell()) }), code: 0xC4},
		{name: "INT-17 work item", body: inISR(func(b *bench, t *kernel.Thread) { t.IoQueueWorkItem(b.cell(), 0, 1, 0) }), code: 0xC4,
			params: with(0xE5, 5)},
	} {
		c.ends = kernel.Stopped
		c.check(t)
	}
}
