package kernel

import "github.com/dirql/dirql/internal/choice"

// Footprints: what each step of a run touches, so that a search can tell steps
// whose order matters from steps whose order does not. This is the table of
// independence; TestIndependentStepsCommute tries it out on real states.
//
// A step is what happens from one decision to the next: an event, or what one
// processor does. Two steps of different processors are independent if neither
// touches what the other one writes.
//
//   - Every step reads `everything`; one that this file knows nothing about
//     writes it, and so depends on all others. Those are most events, what happens
//     by itself when its time has come and most routines of the
//     kernel and the framework.
//   - Registers and events of devices touch the devices, all of them; DMA touches
//     everything. An interrupt touches the processor that it becomes pending on, of
//     which each step of that processor depends.
//   - An access of driver code touches its bytes. So does an access of the kernel
//     to an object in memory: a spin lock, a KDPC.
//   - Changes of the IRQL, an interrupt that is accepted, a DPC that is queued,
//     dequeued or called concern their processor, as long as it is one: the
//     processor's steps are in order anyway.
//   - A thread switch touches the scheduler: whether another processor idles decides
//     who runs a thread that is ready, and nothing else.
//   - A lock that is taken inside another one touches the order of locks.
//   - What learns the time writes `everything`: each step makes time pass.

// Steps is the record of the steps of a run.
type Steps struct {
	List    []Step
	Touches []Touch
}

// Step is one step. Its touches begin at From and end where those of the next
// step begin.
type Step struct {
	choice.Process
	From int
}

// Touch is an access of a step to size bytes at an address.
type Touch struct {
	Addr  uint64
	Size  uint32
	Write bool
}

// Addresses of what is no memory.
const (
	everything   = 1
	orderOfLocks = 2
	devices      = 3
	lines        = 4 // of interrupts
	scheduler    = 5
	processors   = 0x800 // what is pending on each
	// Observed is the first of the addresses up to mem.PageSize that are free for
	// what is no memory of the machine and observes the run.
	Observed = 16
)

// Conflicts reports whether the order of two accesses matters.
func (a Touch) Conflicts(b Touch) bool {
	return (a.Write || b.Write) && a.Addr < b.Addr+uint64(b.Size) && b.Addr < a.Addr+uint64(a.Size)
}

// Of returns what step i touched.
func (s *Steps) Of(i int) []Touch {
	if i+1 < len(s.List) {
		return s.Touches[s.List[i].From:s.List[i+1].From]
	}
	return s.Touches[s.List[i].From:]
}

// Reset empties the record.
func (s *Steps) Reset() { s.List, s.Touches = s.List[:0], s.Touches[:0] }

// beginStep notes that a step begins.
func (m *Machine) beginStep(p choice.Process) {
	if w := m.watch; w != nil && w.Steps != nil {
		w.Steps.List = append(w.Steps.List, Step{p, len(w.Steps.Touches)})
		m.Touch(everything, 1, false)
		if !p.Event {
			m.Touch(processors+p.Key, 1, false)
			if m.best(&m.procs[p.Key]) != nil {
				m.Touch(scheduler, 1, false)
			}
		}
	}
}

// Touch notes an access of the present step to memory: Go code has to tell of what
// it does to memory that it shares, other than by Load, Store and their like.
func (m *Machine) Touch(addr uint64, size uint32, write bool) {
	w := m.watch
	if w == nil || w.Steps == nil || len(w.Steps.List) == 0 {
		return
	}
	s := w.Steps
	if n := len(s.Touches); n > s.List[len(s.List)-1].From && s.Touches[n-1] == (Touch{addr, size, write}) {
		return
	}
	s.Touches = append(s.Touches, Touch{addr, size, write})
}

// TouchEverything makes the present step depend on all others: it did, or looked
// at, what this file knows nothing of.
func (m *Machine) TouchEverything() { m.Touch(everything, 1, true) }

// footprint notes what an operation touches that is about to be done.
func (m *Machine) footprint(o op) {
	if m.watch == nil || m.watch.Steps == nil {
		return
	}
	switch {
	case o.size > 0 && m.isRegister(o.addr):
		m.Touch(devices, 1, true)
	case o.size > 0:
		m.Touch(o.addr, o.size, o.write)
	case o.kind == opLock, o.kind == opQueuedLock:
		m.Touch(o.addr, 8, true)
	case !o.own:
		m.TouchEverything()
	}
}
