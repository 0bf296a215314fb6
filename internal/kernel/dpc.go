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
	prcbOfProcessor0 = 0xFFFFF801_00000000 // one page each; DpcData points there
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
	active    dpcEntry // whose routine runs or is about to, 0: none
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
	svcKeRemoveQueueDpcEx        = NewService("KeRemoveQueueDpcEx")
	svcKeIsExecutingDpc          = NewService("KeIsExecutingDpc")
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
	t.point(op{own: true})
	t.Released(dpc) // also if it is queued already: what the run sees, it sees after this
	queued := t.queueDPC(dpc, arg1, arg2)
	t.settle()
	return queued
}

// queueDPC queues an object that is not queued, as part of the present step,
// and reports whether it did.
func (t *Thread) queueDPC(dpc, arg1, arg2 uint64) bool {
	if t.kernelLoad(dpc+dpcData, 8) != 0 {
		return false
	}
	t.checkDPC(dpc)
	t.kernelStore(dpc+dpcArgument1, 8, arg1)
	t.kernelStore(dpc+dpcArgument2, 8, arg2)
	p := t.m.dpcTarget(t.kernelLoad(dpc+dpcNumber, 2), t.proc())
	importance := uint8(t.kernelLoad(dpc+dpcImportance, 1))
	if p.id != t.cpu {
		t.m.TouchEverything()
	}
	if t.runsThreaded(dpc) {
		t.kernelStore(dpc+dpcData, 8, threadedDataAddress(p.id))
		t.m.enqueueThreaded(p, dpc, importance)
	} else {
		t.kernelStore(dpc+dpcData, 8, dpcDataAddress(p.id))
		t.m.enqueue(p, dpc, importance, p.id == t.cpu)
	}
	return true
}

// checkDPC stops at memory that is not a DPC object.
func (t *Thread) checkDPC(dpc uint64) {
	if typ := t.kernelLoad(dpc+dpcType, 1); typ != dpcObjectType && typ != threadedDPCType {
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
	m.recordQueued(p, dpc, "", len(q.entries))
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

func (m *Machine) recordQueued(p *processor, dpc uint64, kind string, depth int) {
	if m.Trace.On() {
		m.Record(p.id, trace.Event{Kind: trace.Queue, Name: m.NameOf(dpc), Text: fmt.Sprintf("%sdepth %d", kind, depth)})
	}
}

// queues returns the DPC queues of a processor.
func (p *processor) queues() [2]*[]dpcEntry {
	return [...]*[]dpcEntry{&p.dpc.entries, &p.threaded.entries}
}

// find returns the queue that a DPC object is in, with its index and its
// processor, or nil.
func (m *Machine) findDPC(dpc uint64) (q *[]dpcEntry, at, cpu int) {
	for cpu := range m.procs {
		for _, q := range m.procs[cpu].queues() {
			for at := range *q {
				if (*q)[at].dpc == dpc {
					return q, at, cpu
				}
			}
		}
	}
	return nil, 0, 0
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
	q, at, cpu := t.m.findDPC(dpc)
	if q == nil {
		return false
	}
	*q = slices.Delete(*q, at, at+1)
	t.kernelStore(dpc+dpcData, 8, 0)
	t.Acquired(dpc)
	if t.m.Trace.On() {
		t.m.Record(t.cpu, trace.Event{Kind: trace.Note, Name: t.m.NameOf(dpc), Text: fmt.Sprintf("taken out of the queue of processor %d", cpu)})
	}
	return true
}

// KeRemoveQueueDpcEx is KeRemoveQueueDpc that, with wait, also waits until the
// routine is not running on any processor. Any IRQL; above APC_LEVEL it spins.
func (t *Thread) KeRemoveQueueDpcEx(dpc uint64, wait bool) bool {
	t.Enter(svcKeRemoveQueueDpcEx, dpc, b2u(wait))
	removed := t.RemoveDPC(dpc)
	if wait && t.m.dpcActive(dpc) {
		t.keep(b2u(removed))
		t.awaitDPC(dpc)
		t.Acquired(EndOf(dpc))
	}
	return t.LeaveBool(removed)
}

// awaitDPC waits for the end of a routine. It never comes if the routine is below
// the caller on its own processor.
func (t *Thread) awaitDPC(dpc uint64) {
	over := func() bool { return !t.m.dpcActive(dpc) }
	switch {
	case t.runsOnTopOf(dpc):
		t.stop(Finding{Rule: "self-deadlock", Clause: "DPC-21", Text: fmt.Sprintf(
			"KeRemoveQueueDpcEx waits for the routine of %s, on top of which it runs", t.m.NameOf(dpc))})
	case t.IRQL() >= DispatchLevel:
		t.BusyWait("a DPC routine to end", over)
	default:
		t.waitUntil("KeRemoveQueueDpcEx", over)
	}
}

// runsOnTopOf reports whether a DPC is among the activations of this thread.
func (t *Thread) runsOnTopOf(dpc uint64) bool {
	return slices.ContainsFunc(t.stack, func(f frame) bool { return f.kind == DPCActivation && f.object == dpc })
}

// dpcActive reports whether the routine of a DPC object runs, or is about to.
func (m *Machine) dpcActive(dpc uint64) bool {
	return slices.ContainsFunc(m.procs, func(p processor) bool { return p.dpc.active.dpc == dpc || p.threaded.active.dpc == dpc })
}

// DPCQueued reports whether a DPC object is in a queue; an observation, not a
// step.
func (m *Machine) DPCQueued(dpc uint64) bool {
	q, _, _ := m.findDPC(dpc)
	return q != nil
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

// KeIsExecutingDpc says whether the processor is draining its DPC queue; an ISR on
// top of a DPC sees TRUE too (DPC-30). Any IRQL.
func (t *Thread) KeIsExecutingDpc() bool {
	t.Enter(svcKeIsExecutingDpc)
	return t.LeaveBool(t.proc().dpc.draining)
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
			t.point(op{own: true}) // another processor may remove the next one
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

// runDPC runs the DPC at the head of the queue.
func (t *Thread) runDPC() {
	q := &t.proc().dpc
	c := t.takeDPC(&q.entries, &q.active, dpcDataAddress(t.cpu))
	t.callDPC(DispatchLevel, 4, c)
	q.active = dpcEntry{}
}

// dpcCall is what a DPC routine is called with.
type dpcCall struct {
	dpc, routine, context, arg1, arg2 uint64
}

// takeDPC takes the head of a queue out; mark is DpcData of its objects. From
// the moment it is out the object is not queued (DPC-15) and the kernel does not
// touch it. The caller's frame keeps the call.
func (t *Thread) takeDPC(entries *[]dpcEntry, active *dpcEntry, mark uint64) dpcCall {
	m, e := t.m, (*entries)[0]
	*entries = slices.Delete(*entries, 0, 1)
	if t.kernelLoad(e.dpc+dpcData, 8) != mark {
		t.BugCheck(0x139, [4]uint64{3, e.dpc}, "DPC-26", fmt.Sprintf(
			"the KDPC at 0x%X was overwritten or initialized again while it was queued", e.dpc))
	}
	t.checkDPCNumber(e.dpc)
	c := dpcCall{
		dpc: e.dpc, routine: t.kernelLoad(e.dpc+dpcRoutine, 8), context: t.kernelLoad(e.dpc+dpcContext, 8),
		arg1: t.kernelLoad(e.dpc+dpcArgument1, 8), arg2: t.kernelLoad(e.dpc+dpcArgument2, 8),
	}
	t.kernelStore(e.dpc+dpcData, 8, 0)
	*active = e
	if m.Trace.On() {
		m.Record(t.cpu, trace.Event{Kind: trace.Dequeue, Name: m.NameOf(e.dpc)})
	}
	t.SetPosition(mixed([]uint64{c.dpc, c.routine, c.context, c.arg1, c.arg2}))
	t.point(op{own: true}) // dequeued, but not started: DPC-21
	return c
}

// checkDPCNumber stops at a target that is no processor (DPC-28).
func (t *Thread) checkDPCNumber(dpc uint64) {
	number, n := t.kernelLoad(dpc+dpcNumber, 2), uint64(len(t.m.procs))
	if number != 0 && number-targetBias >= n {
		t.BugCheck(0xC7, [4]uint64{3, dpc, number - targetBias, n}, "DPC-28", fmt.Sprintf(
			"the KDPC at 0x%X has a target that is not one of the %d processors", dpc, n))
	}
}

// callDPC calls a DPC routine and checks how it returns (IRQL-8, DPC-27). kind
// is 4, or 5 for the DPC of a timer: the parameter of bug check 0xC7.
func (t *Thread) callDPC(level uint8, kind uint64, c dpcCall) {
	regions := t.criticalRegions
	t.keep(uint64(regions))
	t.activate(DPCActivation, c.dpc, "DPC", c.routine, Args{c.dpc, c.context, c.arg1, c.arg2})
	if now := t.IRQL(); now != level {
		t.BugCheck(0xC8, [4]uint64{uint64(now)<<16 | uint64(level)<<8 | 0xD0, c.routine, c.dpc}, "IRQL-8", fmt.Sprintf(
			"the DPC routine %s was called at %s and returned at %s", t.m.NameOf(c.routine), trace.LevelName(level), trace.LevelName(now)))
	}
	if t.criticalRegions != regions {
		t.BugCheck(0xC7, [4]uint64{kind, c.routine, uint64(regions), uint64(t.criticalRegions)}, "DPC-27", fmt.Sprintf(
			"the DPC routine %s changed the APC-disable count of the thread below it", t.m.NameOf(c.routine)))
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
	older := func(e dpcEntry) bool { return e.seq <= mark }
	for i := range m.procs {
		p := &m.procs[i]
		for _, active := range [...]dpcEntry{p.dpc.active, p.threaded.active} {
			if active.dpc != 0 && active.seq <= mark {
				return false
			}
		}
		if slices.ContainsFunc(p.dpc.entries, older) || slices.ContainsFunc(p.threaded.entries, older) {
			return false
		}
	}
	return true
}

// dpcDataAddress is DpcData of an object in the queue of a processor.
func dpcDataAddress(cpu int) uint64 { return prcbAddress(cpu) }

// prcbAddress is where the control block of a processor (KPRCB) would lie.
func prcbAddress(cpu int) uint64 { return prcbOfProcessor0 + uint64(cpu)*0x1000 }
