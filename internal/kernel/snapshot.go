package kernel

import (
	"fmt"
	"slices"

	"github.com/dirql/dirql/internal/mem"
)

// Snapshot is a copy of a whole machine at rest.
type Snapshot struct {
	state      state
	memory     *mem.Snapshot
	threads    []threadState
	components []any
	next       int
	named      int
}

// Snapshot copies the machine. It is at rest: after Run every thread has ended,
// is idle, or is a system thread without work; otherwise the error says which is not.
func (m *Machine) Snapshot() (*Snapshot, error) {
	for _, t := range m.threads {
		atBase := t.status == terminated || t.base == idleLoop && len(t.stack) == 0 ||
			t.status == waiting && (t.wait.kind == waitWork || t.wait.kind == waitDPCs)
		if !atBase {
			return nil, fmt.Errorf("thread %s is in the middle of something (%s): a snapshot needs a machine at rest", t.name, t.wait.what)
		}
	}
	s := &Snapshot{state: m.state.clone(), memory: m.Mem.Snapshot(), next: m.next, named: len(m.named)}
	for _, t := range m.threads {
		c := t.threadState
		c.stack = slices.Clone(c.stack)
		s.threads = append(s.threads, c)
	}
	for _, c := range m.components {
		s.components = append(s.components, c.Snapshot())
	}
	return s, nil
}

// Restore brings a snapshot of this machine back. What was suspended is
// unwound.
func (m *Machine) Restore(s *Snapshot) {
	for _, t := range m.threads {
		t.unwind()
	}
	m.ended, m.next, m.forced = false, s.next, 0
	m.forgetNames(s.named)
	m.Mem.Restore(s.memory)
	m.state = s.state.clone()
	m.threads = m.threads[:len(s.threads)]
	for i, t := range m.threads {
		stack := t.stack[:0]
		t.threadState = s.threads[i]
		t.stack = append(stack, s.threads[i].stack...)
		t.turn = false
	}
	for i, c := range m.components {
		c.Restore(s.components[i])
	}
}

// clone copies the tables.
func (s *state) clone() state {
	c := *s
	c.procs = slices.Clone(s.procs)
	for i := range c.procs {
		q := &c.procs[i].dpc
		q.entries, q.timers = slices.Clone(q.entries), slices.Clone(q.timers)
		c.procs[i].threaded.entries = slices.Clone(c.procs[i].threaded.entries)
	}
	c.held = slices.Clone(s.held)
	c.lockQueue = slices.Clone(s.lockQueue)
	c.owned = slices.Clone(s.owned)
	c.resources = slices.Clone(s.resources)
	c.resourceOwners = slices.Clone(s.resourceOwners)
	c.lockUses = slices.Clone(s.lockUses)
	c.orders = slices.Clone(s.orders)
	c.locks = slices.Clone(s.locks)
	c.ownedEvents = slices.Clone(s.ownedEvents)
	c.lines = slices.Clone(s.lines)
	c.interrupts = slices.Clone(s.interrupts)
	c.timed = slices.Clone(s.timed)
	c.work = slices.Clone(s.work)
	c.later = slices.Clone(s.later)
	c.windows = slices.Clone(s.windows)
	c.gone = slices.Clone(s.gone)
	c.findings = slices.Clone(s.findings)
	c.classes = slices.Clone(s.classes)
	c.failed = slices.Clone(s.failed)
	c.objects = slices.Clone(s.objects)
	c.handles = slices.Clone(s.handles)
	return c
}
