package report_test

import (
	"testing"

	"github.com/dirql/dirql/internal/choice"
	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/report"
	"github.com/dirql/dirql/internal/trace"
)

// inTurn lets processors step in turn, n steps each.
type inTurn struct{ n, steps int }

// Choose implements choice.Source.
func (s *inTurn) Choose(p *choice.Point) int {
	if p.Kind != choice.Step {
		return 0
	}
	if s.steps++; s.steps%s.n != 0 {
		return 0
	}
	return 1
}

// machine is a kernel with a level-triggered interrupt and a DPC. Its device
// interrupts once more while the first DPC runs.
type machine struct {
	*kernel.Machine
	log       *trace.Log
	line      int
	dpc, done uint64
	dpcs      int
}

func newMachine(t *testing.T, processors int, source choice.Source) *machine {
	t.Helper()
	m := &machine{log: &trace.Log{}}
	k, err := kernel.New(kernel.Config{Processors: processors, Trace: m.log, Profile: kernel.DefaultProfile, Source: source})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Close)
	m.Machine = k
	m.dpc = k.Mem.Alloc(kernel.DPCSize, kernel.PoolTag("Tdpc"), false, 0)
	m.done = k.Mem.Alloc(kernel.EventSize, kernel.PoolTag("Tevt"), false, 0)
	k.SetName(m.dpc, "dpc")
	k.SetName(m.done, "done")
	m.line = k.AddLine("INTA", 0x51, false)
	_, s := k.Connect(kernel.ConnectParams{Name: "interrupt", Vector: 0x51, IRQL: 5, SynchronizeIRQL: 5, Affinity: ^uint64(0),
		ServiceRoutine: k.Function("sample.isr", m.isr)})
	if s.Failed() {
		t.Fatalf("Connect: 0x%X", s)
	}
	return m
}

func (m *machine) isr(t *kernel.Thread, _ kernel.Args) uint64 {
	t.KeGetCurrentIrql()
	m.SetLine(m.line, 0, false)
	t.KeInsertQueueDpc(m.dpc, 0, 0)
	return 1
}

func (m *machine) dpcRoutine(t *kernel.Thread, _ kernel.Args) uint64 {
	if m.dpcs++; m.dpcs == 1 {
		t.KeStallExecutionProcessor(1)
		m.SetLine(m.line, 0, true)
		t.KeStallExecutionProcessor(1)
	}
	t.KeSetEvent(m.done)
	return 0
}

// app waits for two DPCs; the wrong one then waits at DISPATCH_LEVEL.
func (m *machine) app(t *kernel.Thread, wrong bool) {
	t.KeInitializeEvent(m.done, kernel.SynchronizationEvent, false)
	t.KeInitializeDpc(m.dpc, m.Function("sample.dpc", m.dpcRoutine), 0)
	m.SetLine(m.line, 0, true)
	t.KeWaitForSingleObject(m.done, kernel.Forever)
	if wrong {
		t.KeRaiseIrql(kernel.DispatchLevel)
	}
	t.KeWaitForSingleObject(m.done, kernel.Forever)
}

// run runs the app, and on the last processor a thread that raises and lowers
// the IRQL.
func (m *machine) run(wrong bool) {
	last := m.Processors() - 1
	m.NewThread(kernel.ThreadParams{Name: "app", Role: "thread", Foreground: true, Affinity: 1,
		Routine: m.Function("sample.main", func(t *kernel.Thread, _ kernel.Args) uint64 {
			m.app(t, wrong)
			return 0
		})})
	m.NewThread(kernel.ThreadParams{Name: "other", Role: "thread", Foreground: true, Affinity: 1 << last,
		Routine: m.Function("sample.other", func(t *kernel.Thread, _ kernel.Args) uint64 {
			old := t.KeRaiseIrql(kernel.DispatchLevel)
			t.KeStallExecutionProcessor(1)
			t.KeLowerIrql(old)
			return 0
		})})
	m.Run()
}

// findings are those of the kernel, as a caller of this package turns them into
// reports.
func (m *machine) findings() []report.Finding {
	var all []report.Finding
	for _, f := range m.Findings() {
		all = append(all, report.Finding{Title: f.Title(), Text: f.Text, Rule: f.Rule, Clause: f.Clause,
			CPU: f.CPU, IRQL: f.IRQL, Time: f.Time, Stack: f.Stack})
	}
	return all
}

// Real runs of the kernel on one and two processors, and one that ends with a
// bug check.
func TestKernelRuns(t *testing.T) {
	for _, test := range []struct {
		name       string
		processors int
		source     choice.Source
		wrong      bool
		findings   int
	}{
		{"kernel-one", 1, choice.First{}, false, 0},
		{"kernel-two", 2, &inTurn{n: 3}, false, 0},
		{"kernel-wrong", 2, choice.First{}, true, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := newMachine(t, test.processors, test.source)
			m.run(test.wrong)
			golden(t, test.name+".txt", timeline(t, m.log, report.Options{Title: test.name}))
			if len(m.findings()) != test.findings {
				t.Errorf("findings: %+v", m.findings())
			}
		})
	}
}
