package kernel

import "fmt"

// A passive-level interrupt (PLI-1) is accepted at the DIRQL of its vector like
// any other. The trap handler silences it there: what was latched is cleared by
// the accept, a level-triggered line is masked. A thread then calls the service
// routine at PASSIVE_LEVEL, and unmasks the line (PLI-2). On a shared line the
// service routines at DIRQL come first; those at PASSIVE_LEVEL are called if none
// of them claimed the interrupt, of a latched chain always.

// passivePriority is the priority of the thread: above the workers to which a
// driver hands the rest of the work.
const passivePriority = 18

var (
	svcPassiveISRs        = NewService("passive-level service routines")
	svcPassiveSynchronize = NewService("passive-level synchronize routine")
)

// event returns the address of the synchronization event that stands for the
// interrupt spin lock.
func (in *interrupt) event() uint64 { return in.address + kinterruptLock }

// deferToThread masks the line and lets the thread call the passive-level service
// routines of a vector, if there are any to call.
func (m *Machine) deferToThread(v uint8, handled bool) bool {
	vec := &m.vectors[v]
	var affinity uint64
	for i := vec.chain; i != 0; i = m.interrupts[i].next {
		if in := &m.interrupts[i]; in.passive() {
			affinity |= in.Affinity
		}
	}
	if affinity == 0 || handled && !m.interrupts[vec.chain].Latched {
		return false
	}
	m.TouchEverything()
	if vec.line != noLine && !m.lines[vec.line].latched {
		m.lines[vec.line].masked = true
	}
	vec.passive = true
	switch {
	case vec.thread == 0:
		t := m.newThread(ThreadParams{Name: "passive-level ISRs of " + vectorName(v), Args: Args{uint64(v)}, Priority: passivePriority,
			Affinity: affinity & m.allProcessors()})
		t.base = passiveLoop
		vec.thread = t.id
		m.makeReady(t)
	case m.threads[vec.thread].status == waiting && m.threads[vec.thread].wait.kind == waitWork:
		m.wake(m.threads[vec.thread], StatusSuccess)
	}
	return true
}

// onlyPassive reports whether all service routines of a vector are passive-level
// ones.
func (m *Machine) onlyPassive(v uint8) bool {
	for i := m.vectors[v].chain; i != 0; i = m.interrupts[i].next {
		if !m.interrupts[i].passive() {
			return false
		}
	}
	return true
}

// servePassive is the base of that thread.
func (t *Thread) servePassive(v uint8) {
	m := t.m
	t.turn = false
	for {
		for m.vectors[v].passive {
			m.vectors[v].passive = false
			t.push(frame{kind: serviceFrame, code: svcPassiveISRs.number, object: uint64(v)})
			t.callChain(v, true)
			t.SetPosition(1)
			t.point(op{})
			if n := m.vectors[v].line; n != noLine && m.lines[n].masked {
				m.lines[n].masked = false
				m.endOfInterrupt(v)
			}
			t.pop()
		}
		t.wait = waitState{kind: waitWork}
		t.block()
	}
}

// SynchronizePassive calls f with the passive lock of a passive-level interrupt
// held: what KeSynchronizeExecution does there. role and routine are what f calls.
// PASSIVE_LEVEL.
func (t *Thread) SynchronizePassive(id InterruptID, role string, routine uint64, f func() uint64) uint64 {
	in := t.m.interrupts[id]
	t.Begin(svcPassiveSynchronize, in.address, routine)
	t.TakeEvent(in.event(), Forever, "PLI-7", "PLI-8")
	r := f()
	if now := t.IRQL(); now != PassiveLevel {
		t.wrongISRLevel(&in, role, routine, now)
	}
	t.keep(r)
	t.GiveEvent(in.event())
	t.End()
	return r
}

// refusePassive is the bug check for a spin lock routine on a passive-level
// interrupt (PLI-12).
func (t *Thread) refusePassive(in *interrupt, routine string) {
	if in.passive() {
		t.BugCheck(0xA, [4]uint64{in.address, uint64(t.IRQL())}, "PLI-12", fmt.Sprintf(
			"%s on %s, whose ISR runs at PASSIVE_LEVEL: it has no spin lock", routine, in.Name))
	}
}
