package kernel_test

import (
	"testing"

	"github.com/dirql/dirql/internal/choice"
	"github.com/dirql/dirql/internal/kernel"
)

// unbounded has no bound that a benchmark could reach.
var unbounded = kernel.Config{MaxSteps: 1 << 62, MaxTime: 1 << 62, Tunables: kernel.Tunables{TickTime: 1 << 60}}

func benchmark(b *testing.B, processors int, source choice.Source) *bench {
	cfg := unbounded
	cfg.Processors, cfg.Source = processors, source
	return newBench(b, cfg)
}

// BenchmarkInterruptToDPC is a message, its ISR, the insert and the DPC.
func BenchmarkInterruptToDPC(b *testing.B) {
	m := benchmark(b, 1, choice.First{})
	m.OnState(nil)
	runs := 0
	dpc := m.dpc("dpc", func(*kernel.Thread, uint64, uint64) { runs++ })
	m.message("isr", testVector, func(t *kernel.Thread) bool { return t.KeInsertQueueDpc(dpc, 0, 0) })
	x := m.cell()
	n := 0
	m.do(func(t *kernel.Thread) {
		for b.Loop() {
			m.SendMessage(testVector)
			t.Load(x, 8)
			n++
		}
	})
	if runs != n {
		b.Errorf("%d DPCs, want %d", runs, n)
	}
}

// other always takes the other processor.
type other struct{}

func (other) Choose(*choice.Point) int { return 1 }

// BenchmarkSwitchProcessors is one visible operation, each on the other
// processor than the one before: a coroutine switch.
func BenchmarkSwitchProcessors(b *testing.B) {
	m := benchmark(b, 2, other{})
	m.OnState(nil)
	x := m.cell()
	done := false
	for cpu := range 2 {
		m.thread(cpu, func(t *kernel.Thread) {
			for !done {
				if cpu == 0 && !b.Loop() {
					done = true
				}
				t.Load(x, 8)
			}
		})
	}
	m.run(kernel.Done)
}

// BenchmarkOperation is one visible operation without a choice.
func BenchmarkOperation(b *testing.B) {
	m := benchmark(b, 1, choice.First{})
	m.OnState(nil)
	x, lock := m.cell(), m.cell()
	for _, c := range []struct {
		name string
		do   func(t *kernel.Thread)
	}{
		{"load", func(t *kernel.Thread) { t.Load(x, 8) }},
		{"store", func(t *kernel.Thread) { t.Store(x, 8, 1) }},
		{"spin lock", func(t *kernel.Thread) { t.KeReleaseSpinLock(lock, t.KeAcquireSpinLock(lock)) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			m.t = b
			m.do(func(t *kernel.Thread) {
				for b.Loop() {
					c.do(t)
				}
			})
		})
	}
}

// BenchmarkRestore is a restore after a run that wrote to a few pages.
func BenchmarkRestore(b *testing.B) {
	m := newBusyMachine(b, choice.First{}, nil)
	s := m.snapshot()
	for b.Loop() {
		for i := range uint64(5) {
			m.set(m.at(int(i)), i)
		}
		m.Restore(s)
	}
}

// BenchmarkRun is a whole run of some 200 steps, with the restore.
func BenchmarkRun(b *testing.B) {
	m := newBusyMachine(b, choice.First{}, nil)
	m.OnState(nil)
	s := m.snapshot()
	var steps uint64
	for b.Loop() {
		m.Restore(s)
		m.Use(choice.NewRandom(7), nil)
		before := m.Steps()
		m.start()
		m.Run()
		steps += m.Steps() - before
	}
	b.ReportMetric(float64(steps)/float64(b.N), "steps/op")
}

// BenchmarkHash is the fingerprint of a state in the middle of a run.
func BenchmarkHash(b *testing.B) {
	m := newBusyMachine(b, choice.First{}, nil)
	m.EnableHash()
	stopAt(m.bench, 60)
	m.start()
	if r := m.Run(); r != kernel.Seen {
		b.Fatal(r)
	}
	var h kernel.State
	for b.Loop() {
		h = m.Hash()
	}
	if h == (kernel.State{}) {
		b.Error("no fingerprint")
	}
}
