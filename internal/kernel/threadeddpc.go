package kernel

import (
	"fmt"
	"slices"
)

// threadedQueue is the queue of threaded DPCs of one processor, with the
// real-time thread that runs them (DPC-25).
type threadedQueue struct {
	entries []dpcEntry // head first
	active  dpcEntry   // as in dpcQueue
	thread  int        // number of the thread plus 1; 0: not made yet
}

var (
	svcKeInitializeThreadedDpc = NewService("KeInitializeThreadedDpc")
	svcThreadedDPC             = NewService("threaded DPC queue")
)

// KeInitializeThreadedDpc makes the DPCSize bytes at dpc a threaded DPC object:
// its routine is called at PASSIVE_LEVEL by a real-time thread of the processor,
// or, with Profile.NoThreadedDPCs, like that of an ordinary DPC (DPC-25). Any
// IRQL.
func (t *Thread) KeInitializeThreadedDpc(dpc, routine, context uint64) {
	t.Enter(svcKeInitializeThreadedDpc, dpc, routine, context)
	t.point(op{})
	t.InitializeDPC(dpc, routine, context)
	t.kernelStore(dpc+dpcType, 1, threadedDPCType)
	t.LeaveVoid()
}

// runsThreaded reports whether a DPC object goes to the queue of threaded DPCs.
func (t *Thread) runsThreaded(dpc uint64) bool {
	return t.kernelLoad(dpc+dpcType, 1) == threadedDPCType && !t.m.cfg.Profile.NoThreadedDPCs
}

// enqueueThreaded puts a threaded DPC into a queue and makes its thread ready.
// Importance only selects head or tail (DPC-25).
func (m *Machine) enqueueThreaded(p *processor, dpc uint64, importance uint8) {
	q := &p.threaded
	m.dpcSeq++
	at := len(q.entries)
	if importance == HighImportance {
		at = 0
	}
	q.entries = slices.Insert(q.entries, at, dpcEntry{dpc, m.dpcSeq})
	m.recordQueued(p, dpc, "threaded, ", len(q.entries))
	if q.thread == 0 {
		t := m.newThread(ThreadParams{Name: fmt.Sprintf("DPC thread %d", p.id), Affinity: 1 << p.id, Priority: HighestPriority})
		t.base = dpcLoop
		q.thread = t.id + 1
		m.makeReady(t)
		return
	}
	if t := m.threads[q.thread-1]; t.status == waiting && t.wait.kind == waitDPCs {
		m.wake(t, StatusSuccess)
	}
}

// runThreadedDPCs is the base of the thread that runs the threaded DPCs of a
// processor. Between two of them another processor may remove the next one.
func (t *Thread) runThreadedDPCs() {
	t.turn = false
	q := &t.proc().threaded // the thread stays on its processor
	for {
		for first := true; len(q.entries) > 0; first = false {
			if first || t.between(q) {
				t.runThreadedDPC(q)
			}
		}
		t.wait = waitState{kind: waitDPCs}
		t.block()
	}
}

// between is the scheduling point between two threaded DPCs; it reports whether
// there still is a second one.
func (t *Thread) between(q *threadedQueue) bool {
	t.point(op{})
	return len(q.entries) > 0
}

func (t *Thread) runThreadedDPC(q *threadedQueue) {
	t.push(frame{kind: serviceFrame, code: svcThreadedDPC.number})
	c := t.takeDPC(&q.entries, &q.active, threadedDataAddress(t.cpu))
	t.callDPC(PassiveLevel, 4, c)
	q.active = dpcEntry{}
	t.pop()
}

// checkDPCBlocks reports a threaded DPC that waits. It works, but the routine
// has to follow the rules of DISPATCH_LEVEL: the setting of the system decides
// how it runs (DPC-25).
func (t *Thread) checkDPCBlocks() {
	if kind, dpc := t.Activation(); kind == DPCActivation {
		t.reportOnce(Finding{Rule: "threaded DPC waits", Clause: "DPC-25", Text: fmt.Sprintf(
			"the threaded DPC %s waits for %s; with ThreadDpcEnable = 0 it would run at DISPATCH_LEVEL and stop the system",
			t.m.NameOf(dpc), t.wait.what)})
	}
}

// threadedDataAddress is DpcData of an object in the threaded queue of a
// processor.
func threadedDataAddress(cpu int) uint64 { return dpcDataAddress(cpu) + 0x800 }
