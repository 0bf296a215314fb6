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
		if o := &m.owned[i]; o.addr == object || o.kind == fastMutex && o.addr+fastMutexEvent == object {
			return m.threads[o.thread]
		}
	}
	if typ, f := m.Mem.Load(object+headerType, 1); f.Kind == 0 && typ&0x7F == mutantObject {
		if n, _ := m.Mem.Load(object+mutexOwner, 8); n > 0 && n <= uint64(len(m.threads)) {
			return m.threads[n-1]
		}
	}
	return nil
}

// blocker is a thread that has to go on before another one's wait can end.
type blocker struct {
	object uint64
	holder *Thread
	before bool // it does not have the object, but gets it first
}

// blockers returns the threads without which the wait of a thread cannot end. A wait
// for any one of several objects, and one with a timeout, needs none of them.
func (m *Machine) blockers(t *Thread) (list []blocker) {
	if m.hasTimed(timedWait, uint64(t.id)) {
		return nil
	}
	switch w := &t.wait; {
	case w.kind == waitResource:
		for i := range m.resourceOwners {
			if o := &m.resourceOwners[i]; o.addr == w.objects[0] {
				list = append(list, blocker{o.addr, m.threads[o.thread], false})
			}
		}
		if x := m.resourceWaiter(w.objects[0], true); !w.all && x != nil {
			list = append(list, blocker{w.objects[0], x, true})
		}
	case w.kind == waitObject && (w.all || len(w.objects) == 1):
		for _, object := range w.objects {
			if holder := m.eventOwner(object); holder != nil {
				list = append(list, blocker{object, holder, false})
			}
		}
	}
	return list
}

// checkCircle ends the run if a wait without timeout, which is about to begin, can
// never end because a holder of the object waits, directly or through others, for
// this thread.
func (t *Thread) checkCircle() {
	clauses := t.waitClauses
	switch {
	case t.wait.kind == waitResource:
		clauses = [2]string{"IRQL-17", "IRQL-17"}
	case clauses[0] == "":
		clauses = [2]string{"IRQL-9", "IRQL-9"}
	}
	for _, b := range t.m.blockers(t) {
		if b.holder == t {
			t.stop(Finding{Rule: "self-deadlock", Clause: clauses[0], Text: t.m.NameOf(b.object) +
				" is acquired by the thread that holds it: it waits for itself for ever; Windows hangs here"})
		}
	}
	if text := t.m.waitsForEver(t, t, make([]bool, len(t.m.threads))); text != "" {
		t.stop(Finding{Rule: "deadlock", Clause: clauses[1], Text: text + "Windows hangs here"})
	}
}

// waitsForEver describes the circle of waits from a thread to the end, "" if there
// is none. seen are the threads that the search came to.
func (m *Machine) waitsForEver(t, end *Thread, seen []bool) string {
	seen[t.id] = true
	for _, b := range m.blockers(t) {
		how := "held by"
		if b.before {
			how = "behind"
		}
		link := fmt.Sprintf("thread %s waits for %s, %s thread %s; ", t.name, m.NameOf(b.object), how, b.holder.name)
		if b.holder == end {
			return link
		}
		if b.holder.status != waiting || seen[b.holder.id] {
			continue
		}
		if rest := m.waitsForEver(b.holder, end, seen); rest != "" {
			return link + rest
		}
	}
	return ""
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
