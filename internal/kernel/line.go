package kernel

import (
	"fmt"

	"github.com/dirql/dirql/internal/choice"
	"github.com/dirql/dirql/internal/trace"
)

// line is an input of the interrupt controller.
type line struct {
	name     string
	vector   uint8
	latched  bool
	sources  uint64 // one bit for each device that asserts it
	accepted bool   // level-triggered: accepted and not ended ("remote IRR")
	masked   bool   // level-triggered: until its passive-level ISRs have run (PLI-2)
	repeats  int    // accepts since it was asserted: storm detection (INT-7)
}

// noLine is the line of a vector that only messages use.
const noLine = -1

// vector is what is connected to one interrupt vector.
type vector struct {
	line    int   // line that uses it, or noLine
	chain   int32 // first connected interrupt, 0: none
	claimer int32 // that claimed the vector last, 0: none; for reports
	passive bool  // its passive-level ISRs are to be called
	thread  int   // that calls them; 0: none was needed yet
}

// AddLine adds a line to the interrupt controller, routed to a vector. Its
// DIRQL is vector >> 4 (IRQL-3). It panics on a vector below 0x30, which no
// device can have.
func (m *Machine) AddLine(name string, v uint8, latched bool) int {
	if v>>4 < FirstDIRQL || v>>4 > LastDIRQL {
		panic(fmt.Sprintf("BUG: vector 0x%X is not a device vector", v))
	}
	m.lines = append(m.lines, line{name: name, vector: v, latched: latched})
	m.vectors[v].line = len(m.lines) - 1
	return len(m.lines) - 1
}

// RouteLine routes a line to another vector, while nothing is connected to either: a
// rebalance.
func (m *Machine) RouteLine(n int, v uint8) {
	l := &m.lines[n]
	if m.vectors[l.vector].line == n {
		m.vectors[l.vector].line = noLine
	}
	l.vector, l.accepted, l.masked = v, false, false
	m.vectors[v].line = n
}

// SetLine asserts or releases a line on behalf of a device (source 0 to 63).
// A level-triggered line is asserted while any of its devices asserts it
// (INT-7); a latched one interrupts when it becomes asserted (INT-6).
func (m *Machine) SetLine(n, source int, asserted bool) {
	l := &m.lines[n]
	before := l.sources
	if asserted {
		l.sources |= 1 << source
	} else {
		l.sources &^= 1 << source
	}
	if l.sources == before {
		return
	}
	m.Touch(lines, 1, true)
	if m.Trace.On() {
		var v uint64
		if l.sources != 0 {
			v = 1
		}
		m.Record(-1, trace.Event{Kind: trace.Line, Name: l.name, ValueKind: trace.Bool, Value: v,
			Text: "asserted"})
	}
	switch {
	case !asserted:
		l.repeats = 0 // somebody acknowledged (INT-7)
	case !l.latched:
		m.forward(n)
	case before == 0:
		m.deliver(l.vector)
	}
}

// forward presents an asserted level-triggered line to a processor, unless the
// last interrupt of it has not ended or nothing is connected.
func (m *Machine) forward(n int) {
	l := &m.lines[n]
	if l.latched || l.sources == 0 || l.accepted || m.vectors[l.vector].chain == 0 {
		return
	}
	l.accepted = true
	m.deliver(l.vector)
}

// SendMessage delivers a message-signalled interrupt (INT-14).
func (m *Machine) SendMessage(v uint8) {
	if m.Trace.On() {
		m.Record(-1, trace.Event{Kind: trace.Message, Name: vectorName(v)})
	}
	m.deliver(v)
}

// deliver makes a vector pending on one processor of its affinity set; which
// one is not specified (INT-15). Without a connection the interrupt is lost.
func (m *Machine) deliver(v uint8) {
	set := m.affinityOf(v)
	if set == 0 {
		if m.Trace.On() {
			m.Record(-1, trace.Event{Kind: trace.Note, Name: vectorName(v), Text: "not connected: the interrupt is lost"})
		}
		return
	}
	var alts [MaxProcessors]choice.Alternative
	n := 0
	for i := range m.procs {
		if set>>i&1 != 0 {
			alts[n] = choice.Alternative{ID: uint32(i)}
			n++
		}
	}
	m.DeliverTo(v, int(alts[m.choose(choice.Target, alts[:n])].ID))
}

// DeliverTo makes a vector pending on a processor. A vector that is pending
// there already stays so: one mark per vector and processor (INT-6).
func (m *Machine) DeliverTo(v uint8, cpu int) {
	p := &m.procs[cpu]
	m.Touch(processors+uint64(cpu), 1, true)
	coalesced := p.pending.has(v)
	p.pending.add(v)
	if m.Trace.On() {
		text := ""
		if coalesced {
			text = "already pending: the two become one"
		}
		m.Record(cpu, trace.Event{Kind: trace.Pending, Name: vectorName(v), Text: text})
	}
}

// Accepts reports whether a processor would accept a vector at once if it
// became pending there now; an observation, not a step.
func (m *Machine) Accepts(v uint8, cpu int) bool {
	p := &m.procs[cpu]
	if m.affinityOf(v)>>cpu&1 == 0 || p.pending.has(v) {
		return false
	}
	p.pending.add(v)
	k, first := m.mustTake(p)
	p.pending.remove(v)
	return k == takeInterrupt && first == int(v)
}

// Unclaimed returns how often a service routine of a vector has returned FALSE;
// an observation.
func (m *Machine) Unclaimed(v uint8) (n int) {
	for i := range m.interrupts {
		if m.interrupts[i].Vector == v {
			n += int(m.interrupts[i].unhandled)
		}
	}
	return n
}

// Interrupt makes a vector pending on a processor that Accepts it, and the
// accept the next step of the machine: the interrupt comes at this very point.
func (m *Machine) Interrupt(v uint8, cpu int) {
	m.DeliverTo(v, cpu)
	m.forced = cpu + 1
}

// affinityOf returns the processors that can get a vector: those in the set of
// every interrupt on it (INT-15).
func (m *Machine) affinityOf(v uint8) (set uint64) {
	if m.vectors[v].chain != 0 {
		set = m.allProcessors()
	}
	for i := m.vectors[v].chain; i != 0; i = m.interrupts[i].next {
		set &= m.interrupts[i].Affinity
	}
	return set
}

// endOfInterrupt ends a level-triggered interrupt; a line that is still
// asserted interrupts again at once (INT-7).
func (m *Machine) endOfInterrupt(v uint8) {
	n := m.vectors[v].line
	if n == noLine {
		return
	}
	m.Touch(lines, 1, true)
	if m.lines[n].accepted && !m.lines[n].masked {
		m.lines[n].accepted = false
		m.forward(n)
	}
}

func vectorName(v uint8) string { return fmt.Sprintf("vector 0x%X", v) }
