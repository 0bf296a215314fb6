package report_test

import (
	"fmt"
	"testing"

	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/report"
	"github.com/dirql/dirql/internal/trace"
)

// machine is a kernel with a level-triggered interrupt, a DPC and an event.
type machine struct {
	*kernel.Machine
	log             *trace.Log
	line            int
	dpc, done, lock uint64
	flag            uint64
	dpcs            int
}

func newMachine(t *testing.T, processors int) *machine {
	t.Helper()
	m := &machine{log: &trace.Log{}}
	k, err := kernel.New(kernel.Config{Processors: processors, Trace: m.log, Profile: kernel.DefaultProfile})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Close)
	m.Machine = k
	m.dpc = m.block(kernel.DPCSize, "dpc")
	m.done = m.block(kernel.EventSize, "done")
	m.lock = m.block(8, "lock")
	m.flag = m.block(8, "flag")
	m.line = k.AddLine("INTA", 0x51, false)
	_, s := k.Connect(kernel.ConnectParams{Name: "interrupt", Vector: 0x51, IRQL: 5, SynchronizeIRQL: 5, Affinity: ^uint64(0),
		ServiceRoutine: k.Function("sample.isr", m.isr)})
	if s.Failed() {
		t.Fatalf("Connect: 0x%X", s)
	}
	return m
}

func (m *machine) block(size uint64, name string) uint64 {
	addr := m.Mem.Alloc(size, kernel.PoolTag("Test"), false, 0)
	m.SetName(addr, name)
	return addr
}

// start makes a foreground thread on P0.
func (m *machine) start(routine func(t *kernel.Thread)) {
	m.NewThread(kernel.ThreadParams{Name: "app", Role: "thread", Foreground: true, Affinity: 1,
		Routine: m.Function("sample.main", func(t *kernel.Thread, _ kernel.Args) uint64 {
			routine(t)
			return 0
		})})
}

func (m *machine) isr(t *kernel.Thread, _ kernel.Args) uint64 {
	t.KeGetCurrentIrql()
	m.SetLine(m.line, 0, false)
	t.KeInsertQueueDpc(m.dpc, 0, 0)
	return 1
}

// interruptedDPC is the routine of a DPC during whose first run the device
// interrupts again.
func (m *machine) interruptedDPC(t *kernel.Thread, _ kernel.Args) uint64 {
	if m.dpcs++; m.dpcs == 1 {
		t.KeStallExecutionProcessor(1)
		m.SetLine(m.line, 0, true)
		t.KeStallExecutionProcessor(1)
	}
	t.KeSetEvent(m.done)
	return 0
}

// interrupted waits for that DPC.
func (m *machine) interrupted(t *kernel.Thread) {
	t.KeInitializeEvent(m.done, kernel.SynchronizationEvent, false)
	t.KeInitializeDpc(m.dpc, m.Function("sample.dpc", m.interruptedDPC), 0)
	m.SetLine(m.line, 0, true)
	t.KeWaitForSingleObject(m.done, kernel.Forever)
}

// stuck waits once more, for ever.
func (m *machine) stuck(t *kernel.Thread) {
	m.interrupted(t)
	t.KeWaitForSingleObject(m.done, kernel.Forever)
}

// wrong does it at DISPATCH_LEVEL.
func (m *machine) wrong(t *kernel.Thread) {
	m.interrupted(t)
	t.KeRaiseIrql(kernel.DispatchLevel)
	t.KeWaitForSingleObject(m.done, kernel.Forever)
}

// contended holds a spin lock that a DPC on another processor wants.
func (m *machine) contended(t *kernel.Thread) {
	t.KeInitializeSpinLock(m.lock)
	t.KeInitializeDpc(m.dpc, m.Function("sample.lockingDPC", m.lockingDPC), 0)
	t.KeSetTargetProcessorDpc(m.dpc, 1)
	t.KeSetImportanceDpc(m.dpc, kernel.HighImportance)
	old := t.KeAcquireSpinLock(m.lock)
	t.KeInsertQueueDpc(m.dpc, 0, 0)
	for t.Load(m.flag, 8) == 0 { // until it runs
	}
	t.KeStallExecutionProcessor(1)
	t.KeReleaseSpinLock(m.lock, old)
	t.KeFlushQueuedDpcs()
}

func (m *machine) lockingDPC(t *kernel.Thread, _ kernel.Args) uint64 {
	t.Store(m.flag, 8, 1)
	t.KeAcquireSpinLockAtDpcLevel(m.lock)
	t.KeStallExecutionProcessor(1)
	t.KeReleaseSpinLockFromDpcLevel(m.lock)
	return 0
}

// findings are those of the kernel, as a caller of this package turns them into
// reports.
func (m *machine) findings() []report.Finding {
	var all []report.Finding
	for _, f := range m.Findings() {
		all = append(all, report.Finding{Title: f.Title(), Text: f.Text, Rule: f.Rule, Clause: f.Clause,
			CPU: f.CPU, IRQL: f.IRQL, Stack: f.Stack})
	}
	return all
}

// stopClock makes the log independent of what things cost in virtual time,
// which is not this package's concern.
func (m *machine) stopClock() {
	for i := range m.log.Events {
		m.log.Events[i].Time = 0
	}
}

// Real runs of the kernel.
func TestKernelRuns(t *testing.T) {
	for _, test := range []struct {
		name       string
		processors int
		main       func(*machine, *kernel.Thread)
		reason     kernel.Reason
	}{
		{"kernel-interrupted", 1, (*machine).interrupted, kernel.Done},
		{"kernel-contended", 2, (*machine).contended, kernel.Done},
		{"kernel-stuck", 1, (*machine).stuck, kernel.Stuck},
		{"kernel-wrong", 1, (*machine).wrong, kernel.Stopped},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := newMachine(t, test.processors)
			m.start(func(thread *kernel.Thread) { test.main(m, thread) })
			if r := m.Run(); r != test.reason || len(m.Findings()) > 0 != (r == kernel.Stopped) {
				t.Errorf("%s: %+v", r, m.findings())
			}
			m.stopClock()
			golden(t, test.name+".txt", fmt.Appendf(timeline(t, m.log, report.Options{}), "\n%s", findings(t, m.findings())))
		})
	}
}
