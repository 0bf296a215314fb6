package kernel

import "math/bits"

// processor is one simulated processor (IRQL-1: everything here is its own).
type processor struct {
	id      int
	irql    uint8 // CR8 (IRQL-3)
	masked  bool  // interrupts are disabled (CLI): nothing is taken, whatever the IRQL
	current int   // thread that it runs; never none
	idle    int   // its idle thread

	pending   vectorSet // interrupt request register
	inService vectorSet // in-service register

	dpc      dpcQueue
	threaded threadedQueue

	missedTicks uint64 // ticks in a row that came at CLOCK_LEVEL or above (WD-5)
	raisedTicks uint64 // ticks since something was done below DISPATCH_LEVEL (WD-2)
	lowSteps    uint64 // see LowSteps
	idleTries   uint32 // decisions in the idle loop: see Machine.position
	turns       uint8  // quanta that ended since then by Config.QuantumEnd
	quantumEnd  bool   // the clock found that another thread of this priority waits
}

// vectorSet is a set of interrupt vectors, 0 to 255.
type vectorSet [4]uint64

func (s *vectorSet) add(v uint8)      { s[v>>6] |= 1 << (v & 63) }
func (s *vectorSet) remove(v uint8)   { s[v>>6] &^= 1 << (v & 63) }
func (s *vectorSet) has(v uint8) bool { return s[v>>6]>>(v&63)&1 != 0 }

// highest returns the highest vector of the set.
func (s *vectorSet) highest() (uint8, bool) {
	for i := 3; i >= 0; i-- {
		if s[i] != 0 {
			return uint8(i<<6 + 63 - bits.LeadingZeros64(s[i])), true
		}
	}
	return 0, false
}

// bootProcessors gives the machine its processors, each with an idle thread.
func (m *Machine) bootProcessors() {
	m.procs = make([]processor, m.cfg.Processors)
	for i := range m.procs {
		p := &m.procs[i]
		p.id = i
		t := m.newThread(ThreadParams{Name: "idle", Affinity: 1 << i, Priority: idlePriority})
		t.status, t.cpu, t.op = running, i, op{kind: opIdle}
		p.current, p.idle = t.id, t.id
		p.dpc.maxDepth = m.cfg.Tunables.MaximumDpcQueueDepth
		p.dpc.adjust = m.cfg.Tunables.AdjustDpcThreshold
	}
}

// allProcessors is the affinity of all processors of the machine.
func (m *Machine) allProcessors() uint64 { return 1<<len(m.procs) - 1 }

// what a processor has to take before its next instruction.
type takeKind uint8

const (
	takeNothing   takeKind = iota
	takeInterrupt          // a vector above the IRQL
	takeDPCs               // the DISPATCH_LEVEL software interrupt
	takeSwitch             // another thread
)

// operates notes that the processor does something at its present level.
func (p *processor) operates() {
	if p.irql < DispatchLevel {
		p.raisedTicks = 0
		p.lowSteps++
		p.turns = 0
	}
}

// LowSteps returns how often a processor has done something below
// DISPATCH_LEVEL so far; an observation, not a step.
func (m *Machine) LowSteps(cpu int) uint64 { return m.procs[cpu].lowSteps }

// mustTake returns what p takes before its next instruction, highest level
// first (IRQL-4, IRQL-5), and the vector or thread. A vector in service holds
// its level until the end of the interrupt, whatever the ISR does with the IRQL.
func (m *Machine) mustTake(p *processor) (takeKind, int) {
	if p.masked || m.threads[p.current].op.kind == opHalf {
		return takeNothing, 0
	}
	level := p.irql
	if v, ok := p.inService.highest(); ok {
		level = max(level, v>>4)
	}
	if v, ok := p.pending.highest(); ok && v>>4 > level {
		return takeInterrupt, int(v)
	}
	if level >= DispatchLevel {
		return takeNothing, 0
	}
	if p.dpc.requested {
		return takeDPCs, 0
	}
	if t := m.successor(p); t != nil {
		return takeSwitch, t.id
	}
	return takeNothing, 0
}
