package kernel

import "fmt"

// ownedEvent is a synchronization event that is used as a lock and held now.
type ownedEvent struct {
	event  uint64
	thread int
}

// TakeEvent takes a synchronization event that is used as a lock, and notes who
// has it: the lock of a passive-level interrupt, a wait lock. It is not
// recursive: a thread that waits for itself breaks the clause self, threads that
// wait for each other in a circle break the clause circle; the run ends. Otherwise
// as WaitFor.
func (t *Thread) TakeEvent(event uint64, o Timeout, self, circle string) NTSTATUS {
	t.waitClauses = [2]string{self, circle}
	st := t.WaitFor(event, o)
	t.waitClauses = [2]string{}
	if st != StatusTimeout {
		t.m.ownedEvents = append(t.m.ownedEvents, ownedEvent{event, t.id})
	}
	return st
}

// GiveEvent gives back what TakeEvent took, whoever took it.
func (t *Thread) GiveEvent(event uint64) {
	t.point(op{})
	for i := range t.m.ownedEvents {
		if t.m.ownedEvents[i].event == event {
			t.m.ownedEvents = append(t.m.ownedEvents[:i], t.m.ownedEvents[i+1:]...)
			break
		}
	}
	t.signalEvent(event)
	t.settle()
}

// OwnsEvent reports whether the calling thread holds an event of TakeEvent.
func (t *Thread) OwnsEvent(event uint64) bool { return t.m.eventOwner(event) == t }

// eventOwner returns the thread that holds an event or mutex as a lock, nil if
// none is known.
func (m *Machine) eventOwner(object uint64) *Thread {
	for i := range m.ownedEvents {
		if m.ownedEvents[i].event == object {
			return m.threads[m.ownedEvents[i].thread]
		}
	}
	for i := range m.owned {
		if m.owned[i].addr == object {
			return m.threads[m.owned[i].thread]
		}
	}
	if typ, f := m.Mem.Load(object+headerType, 1); f.Kind == 0 && typ&0x7F == mutantObject {
		if n, _ := m.Mem.Load(object+mutexOwner, 8); n > 0 && n <= uint64(len(m.threads)) {
			return m.threads[n-1]
		}
	}
	return nil
}

// checkCircle ends the run if a wait without timeout can never end because the
// holder of the object waits, directly or through others, for this thread.
func (t *Thread) checkCircle(object uint64) {
	m, text, clauses := t.m, "", t.waitClauses
	if clauses[0] == "" {
		clauses = [2]string{"IRQL-9", "IRQL-9"}
	}
	for waits, n := t, 0; n < len(m.threads); n++ {
		holder := m.eventOwner(object)
		if holder == nil {
			return
		}
		if holder == t && n == 0 {
			t.stop(Finding{Rule: "self-deadlock", Clause: clauses[0], Text: m.NameOf(object) +
				" is acquired by the thread that holds it: it waits for itself for ever; Windows hangs here"})
		}
		text += fmt.Sprintf("thread %s waits for %s, held by thread %s; ", waits.name, m.NameOf(object), holder.name)
		if holder == t {
			t.stop(Finding{Rule: "deadlock", Clause: clauses[1], Text: text + "Windows hangs here"})
		}
		if holder.status != waiting || holder.wait.kind != waitObject || m.hasTimed(timedWait, uint64(holder.id)) {
			return
		}
		if len(holder.wait.objects) > 1 && !holder.wait.all {
			return // any one of them ends its wait
		}
		waits, object = holder, holder.wait.objects[0]
	}
}

// hasTimed reports whether a timed event of this kind and id is scheduled.
func (m *Machine) hasTimed(k timedKind, id uint64) bool {
	for i := range m.timed {
		if m.timed[i].kind == k && m.timed[i].id == id {
			return true
		}
	}
	return false
}
