package kernel_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/dirql/dirql/internal/choice"
	"github.com/dirql/dirql/internal/explore"
	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/trace"
)

// bench is a machine with one message interrupt and one DPC, for tests.
type bench struct {
	*kernel.Machine
	t   testing.TB
	dpc uint64
	// history is what the routines note, one word per event.
	history []string
}

const testVector = 0x51

func newBench(t testing.TB, cfg kernel.Config) *bench {
	t.Helper()
	if cfg.Processors == 0 {
		cfg.Processors = 1
	}
	if cfg.Profile == (kernel.Profile{}) {
		cfg.Profile = kernel.DefaultProfile
	}
	m, err := kernel.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return &bench{Machine: m, t: t, dpc: m.Mem.Alloc(kernel.DPCSize, kernel.PoolTag("Tdpc"), false, 0)}
}

func (b *bench) note(format string, args ...any) {
	b.history = append(b.history, fmt.Sprintf(format, args...))
}

func (b *bench) noted() string { return strings.Join(b.history, " ") }

// connect connects an ISR to the test vector.
func (b *bench) connect(isr func(t *kernel.Thread) bool) kernel.InterruptID {
	b.t.Helper()
	id, s := b.Connect(kernel.ConnectParams{
		Name: "I", Vector: testVector, IRQL: 5, SynchronizeIRQL: 5, Latched: true, MessageSignaled: true, Affinity: ^uint64(0),
		ServiceRoutine: b.Function("isr", func(t *kernel.Thread, a kernel.Args) uint64 {
			if isr(t) {
				return 1
			}
			return 0
		}),
	})
	if s.Failed() {
		b.t.Fatalf("Connect: 0x%X", s)
	}
	return id
}

// thread starts a foreground thread on a processor.
func (b *bench) thread(cpu int, f func(t *kernel.Thread)) {
	name := fmt.Sprintf("thread on %d", cpu)
	b.NewThread(kernel.ThreadParams{Name: name, Role: "thread", Affinity: 1 << cpu, Foreground: true,
		Routine: b.Function(fmt.Sprintf("%s %p", name, f), func(t *kernel.Thread, a kernel.Args) uint64 {
			f(t)
			return 0
		})})
}

// initDPC makes the bench's DPC, before a run.
func (b *bench) initDPC(f func(t *kernel.Thread, arg1, arg2 uint64)) {
	routine := b.Function("dpc", func(t *kernel.Thread, a kernel.Args) uint64 {
		f(t, a[2], a[3])
		return 0
	})
	b.thread(0, func(t *kernel.Thread) { t.KeInitializeDpc(b.dpc, routine, 0) })
	b.mustRun()
}

func (b *bench) mustRun() {
	b.t.Helper()
	if r := b.Run(); r != kernel.Done {
		b.t.Fatalf("run ended: %s; findings %v; waiting %v", r, b.Findings(), b.Waiters())
	}
}

// The ISR interrupts the running DPC on the same processor and queues it again
// (QD-2, QD-3, DPC-15, DPC-16, DPC-18).
func TestQD3InterruptedDPCIsQueuedAgain(t *testing.T) {
	log := &trace.Log{}
	b := newBench(t, kernel.Config{Trace: log})
	runs := 0
	b.initDPC(func(t *kernel.Thread, _, _ uint64) {
		runs++
		b.note("dpc%d[", runs)
		if runs == 1 {
			b.SendMessage(testVector)
			t.Machine()
			t.KeQueryInterruptTime()
			t.KeStallExecutionProcessor(1)
		}
		b.note("]")
	})
	b.connect(func(t *kernel.Thread) bool {
		b.note("isr@%d", t.KeGetCurrentIrql())
		b.note("%v", t.KeInsertQueueDpc(b.dpc, 0, 0))
		return true
	})
	b.SendMessage(testVector)
	b.mustRun()
	want := "isr@5 true dpc1[ isr@5 true ] dpc2[ ]"
	if got := b.noted(); got != want {
		var text bytes.Buffer
		log.WriteText(&text)
		t.Errorf("got  %s\nwant %s\n%s", got, want, &text)
	}
}

// A search over two processors finds every relation of two runs of one DPC
// (QD-4, DPC-17).
func TestDPC17OverlapOnTwoProcessors(t *testing.T) {
	b := newBench(t, kernel.Config{Processors: 2})
	x := b.Mem.Alloc(8, 0, false, 0)
	b.initDPC(func(t *kernel.Thread, who, _ uint64) {
		b.note("[%d", who)
		t.Load(x, 8)
		b.note("%d]", who)
	})
	snapshot, err := b.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	report := explore.Plain(func(source choice.Source, _ func(kernel.State) bool) explore.Result {
		b.Restore(snapshot)
		b.Use(source, nil)
		b.history = nil
		for cpu := range 2 {
			b.thread(cpu, func(t *kernel.Thread) {
				b.note("%v", t.KeInsertQueueDpc(b.dpc, uint64(cpu), 0))
			})
		}
		b.mustRun()
		return explore.Result{Outcome: b.noted()}
	}, explore.Limits{})
	if !report.Complete {
		t.Fatalf("not complete: %s", report.Why)
	}
	found := map[string]bool{}
	for _, o := range report.Outcomes {
		found[o.Key] = true
	}
	for _, want := range []string{
		"[0 0] true [1 1] true", // one after the other
		"[0 [1 0] true 1] true", // overlap
		"[0 [1 1] true 0] true", // inside
		"false [0 0] true",      // coalesced
	} {
		if !found[want] {
			t.Errorf("not reached: %s\nreached: %v", want, report.Outcomes)
		}
	}
	t.Logf("%d runs, %d outcomes", report.Runs, len(report.Outcomes))
}
