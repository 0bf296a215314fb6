package kernel

import (
	"fmt"

	"github.com/dirql/dirql/internal/trace"
)

// maxWorkers is the largest number of system worker threads. One is made when
// work arrives and all others are busy.
const maxWorkers = 16

// workItem is an entry of the system work queue.
type workItem struct {
	routine uint64
	args    Args
	object  uint64
	role    string
	link    uint64 // LIST_ENTRY that is not 0 while the item is queued, or 0: the framework's
}

// QueueWork queues a routine for a system worker thread, which calls it at
// PASSIVE_LEVEL as an activation of its own. Items start in queue order
// (OBJ-14). object is what the activation is about, for reports.
func (m *Machine) QueueWork(object uint64, role string, routine uint64, a Args) {
	m.queueWork(workItem{routine: routine, args: a, object: object, role: role})
}

func (m *Machine) queueWork(w workItem) {
	m.work = append(m.work, w)
	m.release(w.object)
	if m.Trace.On() {
		m.Record(-1, trace.Event{Kind: trace.Note, Name: m.NameOf(w.object), Text: "work item queued"})
	}
	workers := 0
	for _, t := range m.threads {
		if t.base != workerLoop {
			continue
		}
		if workers++; t.status == waiting && t.wait.kind == waitWork {
			m.wake(t, StatusSuccess)
			return
		}
	}
	if workers < maxWorkers {
		t := m.newThread(ThreadParams{Name: fmt.Sprintf("worker %d", workers), Affinity: m.allProcessors(), Priority: WorkerPriority})
		t.base = workerLoop
		m.makeReady(t)
	}
}

// work is the base of a system worker thread.
func (t *Thread) work() {
	t.turn = false
	for {
		for len(t.m.work) > 0 {
			w := t.m.work[0]
			t.m.work = append(t.m.work[:0], t.m.work[1:]...)
			t.unlinkWork(&w)
			t.activate(WorkItemActivation, w.object, w.role, w.routine, w.args)
			t.checkWorkEnd(&w)
		}
		t.wait = waitState{kind: waitWork}
		t.block()
	}
}

// checkWorkEnd checks how a worker routine returned.
func (t *Thread) checkWorkEnd(w *workItem) {
	if irql := t.IRQL(); irql != PassiveLevel {
		t.BugCheck(0xE1, [4]uint64{w.routine, uint64(irql), w.args[0], w.object}, "IRQL-8", fmt.Sprintf(
			"the work item routine %s returned at %s", t.m.NameOf(w.routine), trace.LevelName(irql)))
	}
	if t.criticalRegions != 0 {
		t.BugCheck(0x1, [4]uint64{w.routine, 0, uint64(t.criticalRegions), 1}, "CriticalRegions", fmt.Sprintf(
			"the work item routine %s returned inside %d critical regions", t.m.NameOf(w.routine), t.criticalRegions))
	}
}
