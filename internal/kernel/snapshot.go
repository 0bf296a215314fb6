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
	s := &Snapshot{memory: m.Mem.Snapshot(), next: m.next, named: len(m.named)}
	m.state.copyTo(&s.state)
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
	s.state.copyTo(&m.state)
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

// copyTo copies the tables to c and uses the memory of those that are there. What
// others may still look at is new.
func (s *state) copyTo(c *state) {
	old := *c
	*c = *s
	c.procs = slices.Clone(s.procs)
	for i := range c.procs {
		q := &c.procs[i].dpc
		q.entries, q.timers = slices.Clone(q.entries), slices.Clone(q.timers)
		c.procs[i].threaded.entries = slices.Clone(c.procs[i].threaded.entries)
	}
	c.held = append(old.held[:0], s.held...)
	c.lockQueue = append(old.lockQueue[:0], s.lockQueue...)
	c.owned = append(old.owned[:0], s.owned...)
	c.resources = append(old.resources[:0], s.resources...)
	c.resourceOwners = append(old.resourceOwners[:0], s.resourceOwners...)
	c.lockUses = append(old.lockUses[:0], s.lockUses...)
	c.orders = append(old.orders[:0], s.orders...)
	c.locks = append(old.locks[:0], s.locks...)
	c.ownedEvents = append(old.ownedEvents[:0], s.ownedEvents...)
	c.lines = append(old.lines[:0], s.lines...)
	c.interrupts = append(old.interrupts[:0], s.interrupts...)
	c.timed = append(old.timed[:0], s.timed...)
	c.work = append(old.work[:0], s.work...)
	c.later = append(old.later[:0], s.later...)
	c.windows = append(old.windows[:0], s.windows...)
	c.gone = append(old.gone[:0], s.gone...)
	c.findings = slices.Clone(s.findings)
	c.classes = append(old.classes[:0], s.classes...)
	c.failed = append(old.failed[:0], s.failed...)
	c.objects = append(old.objects[:0], s.objects...)
	c.handles = append(old.handles[:0], s.handles...)
}
