package kernel

import (
	"fmt"
	"slices"

	"github.com/dirql/dirql/internal/trace"
)

// KDPC layout (DPC-1, internal/ddi/data/kmdf-structs.csv).
const (
	DPCSize          = 64
	dpcType          = 0  // 1 byte: 19
	dpcImportance    = 1  // 1 byte
	dpcNumber        = 2  // 2 bytes: 0, or targetBias + processor
	dpcRoutine       = 24 // 8 bytes each from here
	dpcContext       = 32
	dpcArgument1     = 40
	dpcArgument2     = 48
	dpcData          = 56 // not 0 while queued (DPC-2)
	dpcObjectType    = 19
	threadedDPCType  = 24
	targetBias       = 0x500
	dpcDataOfProcess = 0xFFFFF801_00000000 // DpcData of processor 0; one page each
)

// Importance of a DPC (KDPC_IMPORTANCE).
const (
	LowImportance        = 0
	MediumImportance     = 1
	HighImportance       = 2
	MediumHighImportance = 3
)

// dpcQueue is the DPC queue of one processor.
type dpcQueue struct {
	entries   []dpcEntry // head first
	requested bool       // the DISPATCH_LEVEL software interrupt is pending
	draining  bool
	active    uint64 // sequence number of the entry whose routine runs, 0: none
	timers    []uint64
	// Bookkeeping of DPC-12.
	maxDepth int
	rate     int
	inserts  int // since the last tick
	adjust   int
}

type dpcEntry struct {
	dpc uint64
	seq uint64 // order of insertion on the whole machine
}

var (
	svcKeInitializeDpc           = NewService("KeInitializeDpc")
	svcKeInsertQueueDpc          = NewService("KeInsertQueueDpc")
	svcKeRemoveQueueDpc          = NewService("KeRemoveQueueDpc")
	svcKeFlushQueuedDpcs         = NewService("KeFlushQueuedDpcs")
	svcKeSetImportanceDpc        = NewService("KeSetImportanceDpc")
	svcKeSetTargetProcessorDpc   = NewService("KeSetTargetProcessorDpc")
	svcKeSetTargetProcessorDpcEx = NewService("KeSetTargetProcessorDpcEx")
)

// KeInitializeDpc makes the DPCSize bytes at dpc a DPC object: Medium
// importance, no target, not queued (DPC-1). Any IRQL.
func (t *Thread) KeInitializeDpc(dpc, routine, context uint64) {
	t.Enter(svcKeInitializeDpc, dpc, routine, context)
	t.point(op{})
	t.InitializeDPC(dpc, routine, context)
	t.LeaveVoid()
}

// InitializeDPC: see KeInitializeDpc.
func (t *Thread) InitializeDPC(dpc, routine, context uint64) {
	for off := uint64(0); off < DPCSize; off += 8 {
		t.kernelStore(dpc+off, 8, 0)
	}
	t.kernelStore(dpc+dpcType, 1, dpcObjectType)
	t.kernelStore(dpc+dpcImportance, 1, MediumImportance)
	t.kernelStore(dpc+dpcRoutine, 8, routine)
	t.kernelStore(dpc+dpcContext, 8, context)
}

// KeInsertQueueDpc queues a DPC object and returns TRUE, or FALSE if it was
// queued already: then nothing changes (DPC-3). Any IRQL.
func (t *Thread) KeInsertQueueDpc(dpc, arg1, arg2 uint64) bool {
	t.Enter(svcKeInsertQueueDpc, dpc, arg1, arg2)
	return t.LeaveBool(t.InsertDPC(dpc, arg1, arg2))
}

// InsertDPC: see KeInsertQueueDpc. The test of the queued mark and the insert
// are one step for all processors (DPC-3). Below DISPATCH_LEVEL a drain that
// the insert requests is done before the call returns (DPC-8).
func (t *Thread) InsertDPC(dpc, arg1, arg2 uint64) bool {
	t.point(op{})
	t.Released(dpc) // also if it is queued already: what the run sees, it sees after this
	if t.kernelLoad(dpc+dpcData, 8) != 0 {
		return false
	}
	t.checkDPC(dpc)
	t.kernelStore(dpc+dpcArgument1, 8, arg1)
	t.kernelStore(dpc+dpcArgument2, 8, arg2)
	p := t.m.dpcTarget(t.kernelLoad(dpc+dpcNumber, 2), t.proc())
	t.kernelStore(dpc+dpcData, 8, dpcDataAddress(p.id))
	t.m.enqueue(p, dpc, uint8(t.kernelLoad(dpc+dpcImportance, 1)), p.id == t.cpu)
	t.settle()
	return true
}

// checkDPC stops at memory that is not a DPC object.
func (t *Thread) checkDPC(dpc uint64) {
	switch t.kernelLoad(dpc+dpcType, 1) {
	case dpcObjectType:
	case threadedDPCType:
		t.Unsupported("threaded DPCs (KeInitializeThreadedDpc)")
	default:
		t.BugCheck(0x139, [4]uint64{5, dpc}, "DPC-1", fmt.Sprintf(
			"the KDPC at 0x%X was not initialized with KeInitializeDpc, or was overwritten", dpc))
	}
}

// dpcTarget returns the processor whose queue an insert uses: the target, else
// the processor that executes the insert (DPC-5).
func (m *Machine) dpcTarget(number uint64, self *processor) *processor {
	if n := int(number) - targetBias; n >= 0 && n < len(m.procs) {
		return &m.procs[n]
	}
	return self
}

// enqueue puts a DPC into a queue, at the head if its importance is High
// (DPC-7), and requests a drain if DPC-8 or DPC-9 say so.
func (m *Machine) enqueue(p *processor, dpc uint64, importance uint8, own bool) {
	q := &p.dpc
	m.dpcSeq++
	at := len(q.entries)
	if importance == HighImportance {
		at = 0
	}
	q.entries = slices.Insert(q.entries, at, dpcEntry{dpc, m.dpcSeq})
	q.inserts++
	if m.Trace.On() {
		m.Record(p.id, trace.Event{Kind: trace.Queue, Name: m.NameOf(dpc),
			Text: fmt.Sprintf("depth %d", len(q.entries))})
	}
	if q.draining || q.requested {
		return
	}
	full := len(q.entries) >= m.cfg.Tunables.MaximumDpcQueueDepth || len(q.entries) >= q.maxDepth
	if own {
		q.requested = importance != LowImportance || full || q.rate < m.cfg.Tunables.MinimumDpcRate
	} else {
		q.requested = importance == HighImportance || importance == MediumHighImportance || full
	}
}

// KeRemoveQueueDpc takes a DPC object out of its queue and returns TRUE, or
// FALSE if it is not queued: it may be running (DPC-21). Any IRQL.
func (t *Thread) KeRemoveQueueDpc(dpc uint64) bool {
	t.Enter(svcKeRemoveQueueDpc, dpc)
	return t.LeaveBool(t.RemoveDPC(dpc))
}

// RemoveDPC: see KeRemoveQueueDpc.
func (t *Thread) RemoveDPC(dpc uint64) bool {
	t.point(op{})
	if t.kernelLoad(dpc+dpcData, 8) == 0 {
		return false
	}
	for i := range t.m.procs {
		q := &t.m.procs[i].dpc
		for j := range q.entries {
			if q.entries[j].dpc == dpc {
				q.entries = slices.Delete(q.entries, j, j+1)
				t.kernelStore(dpc+dpcData, 8, 0)
				t.Acquired(dpc)
				if t.m.Trace.On() {
					t.m.Record(t.cpu, trace.Event{Kind: trace.Note, Name: t.m.NameOf(dpc), Text: fmt.Sprintf("taken out of the queue of processor %d", i)})
				}
				return true
			}
		}
	}
	return false
}

// DPCQueued reports whether a DPC object is in a queue; an observation, not a
// step.
func (m *Machine) DPCQueued(dpc uint64) bool {
	for i := range m.procs {
		for _, e := range m.procs[i].dpc.entries {
			if e.dpc == dpc {
				return true
			}
		}
	}
	return false
}

// KeSetImportanceDpc changes the importance for the next insert (DPC-6). Any
// IRQL.
func (t *Thread) KeSetImportanceDpc(dpc uint64, importance uint8) {
	t.Enter(svcKeSetImportanceDpc, dpc, uint64(importance))
	t.point(op{})
	t.kernelStore(dpc+dpcImportance, 1, uint64(importance))
	t.LeaveVoid()
}

// KeSetTargetProcessorDpc changes the target for the next insert; a number that
// is not a processor changes nothing (DPC-6). Any IRQL.
func (t *Thread) KeSetTargetProcessorDpc(dpc uint64, number int8) {
	t.Enter(svcKeSetTargetProcessorDpc, dpc, uint64(number))
	t.point(op{})
	if int(number) >= 0 && int(number) < len(t.m.procs) {
		t.kernelStore(dpc+dpcNumber, 2, targetBias+uint64(number))
	}
	t.LeaveVoid()
}

// KeSetTargetProcessorDpcEx is the form with a group; the machine has group 0
// only. STATUS_INVALID_PARAMETER for an unknown processor (DPC-6).
func (t *Thread) KeSetTargetProcessorDpcEx(dpc uint64, group uint16, number uint8) NTSTATUS {
	t.Enter(svcKeSetTargetProcessorDpcEx, dpc, uint64(group), uint64(number))
	t.point(op{})
	if group != 0 || int(number) >= len(t.m.procs) {
		return t.LeaveStatus(StatusInvalidParameter)
	}
	t.kernelStore(dpc+dpcNumber, 2, targetBias+uint64(number))
	return t.LeaveStatus(StatusSuccess)
}

var svcDrain = NewService("DPC queue")

// drain runs the DPCs of this processor at DISPATCH_LEVEL until its queue is
// empty (DPC-13): what the software interrupt of that level does. Interrupts
// are taken during it; DPCs that they queue here are part of it.
func (t *Thread) drain() {
	p := t.proc()
	q := &p.dpc
	interrupted := p.irql
	t.push(frame{kind: serviceFrame, code: svcDrain.number})
	t.setIRQL(DispatchLevel)
	q.requested, q.draining = false, true
	for first := true; ; first = false {
		t.SetPosition(0)
		if !first && (len(q.timers) > 0 || len(q.entries) > 0) {
			t.point(op{}) // another processor may remove the next one
		}
		switch {
		case len(q.timers) > 0:
			timer := q.timers[0]
			q.timers = slices.Delete(q.timers, 0, 1)
			t.expire(timer)
			continue
		case len(q.entries) > 0:
			t.runDPC()
			continue
		}
		break
	}
	q.requested, q.draining = false, false
	t.setIRQL(interrupted)
	t.pop()
}

// runDPC takes the head of the queue out and calls its routine. From the moment
// it is out the object is not queued (DPC-15) and the kernel does not touch it.
func (t *Thread) runDPC() {
	m, q := t.m, &t.proc().dpc
	e := q.entries[0]
	q.entries = slices.Delete(q.entries, 0, 1)
	if t.kernelLoad(e.dpc+dpcData, 8) != dpcDataAddress(t.cpu) {
		t.BugCheck(0x139, [4]uint64{3, e.dpc}, "DPC-26", fmt.Sprintf(
			"the KDPC at 0x%X was overwritten or initialized again while it was queued", e.dpc))
	}
	routine, context := t.kernelLoad(e.dpc+dpcRoutine, 8), t.kernelLoad(e.dpc+dpcContext, 8)
	arg1, arg2 := t.kernelLoad(e.dpc+dpcArgument1, 8), t.kernelLoad(e.dpc+dpcArgument2, 8)
	t.kernelStore(e.dpc+dpcData, 8, 0)
	q.active = e.seq
	if m.Trace.On() {
		m.Record(t.cpu, trace.Event{Kind: trace.Dequeue, Name: m.NameOf(e.dpc)})
	}
	t.SetPosition(mixed([]uint64{e.dpc, routine, context, arg1, arg2}))
	t.point(op{}) // dequeued, but not started: DPC-21
	t.callDPC(4, e.dpc, routine, context, arg1, arg2)
	q = &t.proc().dpc
	q.active = 0
}

// callDPC calls a DPC routine and checks how it returns (IRQL-8, DPC-27). kind
// is 4, or 5 for the DPC of a timer: the parameter of bug check 0xC7.
func (t *Thread) callDPC(kind, dpc, routine, context, arg1, arg2 uint64) {
	regions := t.criticalRegions
	t.keep(uint64(regions))
	t.activate(DPCActivation, dpc, "DPC", routine, Args{dpc, context, arg1, arg2})
	if now := t.IRQL(); now != DispatchLevel {
		t.BugCheck(0xC8, [4]uint64{uint64(now)<<16 | DispatchLevel<<8 | 0xD0, routine, dpc}, "IRQL-8", fmt.Sprintf(
			"the DPC routine %s was called at DISPATCH_LEVEL and returned at %s", t.m.NameOf(routine), trace.LevelName(now)))
	}
	if t.criticalRegions != regions {
		t.BugCheck(0xC7, [4]uint64{kind, routine, uint64(regions), uint64(t.criticalRegions)}, "DPC-27", fmt.Sprintf(
			"the DPC routine %s changed the APC-disable count of the thread below it", t.m.NameOf(routine)))
	}
}

// KeFlushQueuedDpcs returns when every DPC that was queued or running on any
// processor at the call has finished (DPC-22). PASSIVE_LEVEL; above it 0xC4/0xE5
// under Driver Verifier, else 0xA.
func (t *Thread) KeFlushQueuedDpcs() {
	t.Enter(svcKeFlushQueuedDpcs)
	t.FlushDPCs()
	t.LeaveVoid()
}

// FlushDPCs: see KeFlushQueuedDpcs. The framework's own calls come here;
// above PASSIVE_LEVEL they are bug check 0xA.
func (t *Thread) FlushDPCs() {
	t.point(op{})
	if irql := t.IRQL(); irql > PassiveLevel {
		t.BugCheck(0xA, [4]uint64{0, uint64(irql), 0, 0}, "DPC-22", fmt.Sprintf(
			"KeFlushQueuedDpcs at %s: it waits for DPCs that cannot run before the IRQL drops", trace.LevelName(irql)))
	}
	mark := t.m.dpcSeq
	for i := range t.m.procs {
		if q := &t.m.procs[i].dpc; len(q.entries) > 0 && !q.draining {
			q.requested = true
		}
	}
	t.wait.mark = mark
	t.settle()
	t.waitUntil("KeFlushQueuedDpcs", func() bool { return t.m.flushed(mark) })
	t.wait.mark = 0
	t.Acquired(dpcRuns)
}

// flushed reports whether nothing that was queued up to mark is left.
func (m *Machine) flushed(mark uint64) bool {
	for i := range m.procs {
		q := &m.procs[i].dpc
		if q.active != 0 && q.active <= mark {
			return false
		}
		for _, e := range q.entries {
			if e.seq <= mark {
				return false
			}
		}
	}
	return true
}

func dpcDataAddress(cpu int) uint64 { return dpcDataOfProcess + uint64(cpu)*0x1000 }
