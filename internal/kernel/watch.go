package kernel

import (
	"fmt"

	"github.com/dirql/dirql/internal/choice"
	"github.com/dirql/dirql/internal/mem"
)

// Watch is what a search wants to know of a run, and where it wants to decide.
//
// Every access to shared memory is an operation of its own: it takes time,
// counts as a step, and the processor takes what it has to take before it. But
// the source of choices is asked only before accesses in Visible (and before
// everything that is no access to memory). So the same decisions give the same
// run, whatever is in Visible.
type Watch struct {
	Visible *VisibleSet // nil: all accesses
	Records []Record    // of the run so far, in their order
	// Spots are accesses at which to look closer, for reports; Looks is what was seen.
	Spots []Spot
	Looks map[Spot]Look
	// Visited, if set, is asked at each decision whether the present state was
	// met before; the run ends there if so (Config.Visited).
	Visited func(State) bool
	// Enough, if set, is asked before each step that is no access out of sight; the run
	// ends there if it says true.
	Enough func([]choice.Alternative) bool
	Steps  *Steps // the record of steps, nil: none is kept
}

// Record is an access of driver code to shared memory, or something that orders
// accesses: what detectors need to know that look at a run behind it.
type Record struct {
	Kind       RecordKind
	CPU        uint8
	IRQL       uint8
	Activation uint32 // 0: none, an idle processor
	Addr       uint64 // of the access, as mem.Space.Home says; the object; of RecordRaise and RecordLower the other level
	PC         uint64 // of an access: the instruction, or the routine of a driver in Go; of RecordBegin the routine
	Time       uint64 // virtual nanoseconds
	Op         uint32 // of an access: number of the operation in the activation
	Size       uint32 // of an access, in bytes; of RecordBegin the ActivationKind
	Value      uint64 // of RecordWrite, RecordRegister and RecordEnd, see there
}

// RecordKind says what a Record is about.
type RecordKind uint8

// Kinds of records.
const (
	RecordRead       RecordKind = iota
	RecordWrite                 // of Value, if it is at most 8 bytes
	RecordLocked                // an interlocked operation
	RecordBegin                 // of an activation
	RecordEnd                   // of an activation, whose routine returned Value
	RecordRaise                 // of the IRQL by running code, to IRQL from Addr
	RecordLower                 // of the IRQL by running code, from Addr to IRQL
	RecordRelease               // what the activation did before is ordered before what follows an acquire of the object
	RecordAcquire               // see RecordRelease
	RecordAcquireAll            // an acquire of everything that was released
	RecordRegister              // a read of a device register, which gave Value: not all ones
	RecordRest                  // the machine is at rest: everything before is ordered before everything behind
)

// Access reports whether a record is an access to memory.
func (k RecordKind) Access() bool { return k <= RecordLocked }

// Objects of records that have no address of their own.
const (
	dpcRuns     = 1 // the ends of all DPC runs, for KeFlushQueuedDpcs
	deviceWrite = 2 // writes of device registers, which interrupts can follow
	threadStart = 1 << 40
)

// Released notes that what the running code did so far is ordered before what
// others do after an Acquired of the same object: a lock that is given back, an
// event that is set, an object that is handed over.
func (t *Thread) Released(object uint64) { t.note(RecordRelease, object, 0) }

// Acquired: see Released.
func (t *Thread) Acquired(object uint64) { t.note(RecordAcquire, object, 0) }

// note adds a record about the running code.
func (t *Thread) note(k RecordKind, object, value uint64) {
	if w := t.m.watch; w != nil {
		w.Records = append(w.Records, Record{Kind: k, CPU: uint8(t.cpu), IRQL: t.IRQL(), Activation: t.ActivationID(), Addr: object, Time: t.m.now,
			Value: value})
	}
}

// began notes that an activation begins, and what is ordered before that.
func (t *Thread) began(f *frame) {
	w := t.m.watch
	if w == nil {
		return
	}
	w.Records = append(w.Records, Record{Kind: RecordBegin, CPU: uint8(t.cpu), IRQL: t.IRQL(), Activation: f.id, Size: uint32(f.kind),
		Addr: t.actObject(f), PC: f.code, Time: t.m.now})
	switch f.kind {
	case ThreadActivation:
		t.Acquired(threadStart + uint64(t.id))
	case ISRActivation:
		t.Acquired(deviceWrite)
		t.Acquired(f.object)
		t.Acquired(t.m.lockOf(f.object))
	default:
		t.Acquired(f.object)
	}
	if f.kind == DPCActivation && f.irql < DispatchLevel { // threaded: one after the other
		t.Acquired(threadedDataAddress(t.cpu))
	}
}

// ends notes that the present activation ends, and what its routine returned.
func (t *Thread) ends(k ActivationKind, object, result uint64) {
	if t.m.watch == nil {
		return
	}
	switch k {
	case ThreadActivation:
		t.Released(t.object) // whoever waits for the end of the thread
	case DPCActivation:
		t.Released(dpcRuns)
		t.Released(threadedDataAddress(t.cpu))
	case ISRActivation:
		t.Released(t.m.lockOf(object))
	}
	t.Released(EndOf(object))
	t.note(RecordEnd, 0, result)
}

// lockOf returns the spin lock of a KINTERRUPT, or the event of a passive-level one.
func (m *Machine) lockOf(kinterrupt uint64) uint64 {
	for i := range m.interrupts {
		switch in := &m.interrupts[i]; {
		case in.address != kinterrupt:
		case in.passive():
			return in.event()
		default:
			return in.SpinLock
		}
	}
	return 0
}

// EndOf is the object that the ends of an object's activations release.
func EndOf(object uint64) uint64 { return object | 1 }

// release is Released for whatever thread runs now.
func (m *Machine) release(object uint64) {
	if m.watch != nil && !m.ended {
		m.running().Released(object)
	}
}

// running returns the thread that runs now.
func (m *Machine) running() *Thread { return m.threads[m.procs[m.next].current] }

// Rest notes that the machine is at rest.
func (w *Watch) Rest() { w.Records = append(w.Records, Record{Kind: RecordRest}) }

// VisibleSet is a set of bytes of memory.
type VisibleSet = mem.ByteSet

// Watch begins to watch accesses, or ends it with nil.
func (m *Machine) Watch(w *Watch) { m.watch = w }

// Records returns the records of the run so far, nil if nobody watches.
func (m *Machine) Records() []Record {
	if m.watch == nil {
		return nil
	}
	return m.watch.Records
}

// access is the scheduling point before an access of driver code to memory.
func (t *Thread) access(o op, addr uint64, size int, write, locked bool, pc uint64) {
	home := t.m.Mem.Home(addr)
	o.addr, o.size, o.write, o.locked, o.pc = home, uint32(size), write, locked, pc
	if w := t.m.watch; w != nil && w.Visible != nil {
		o.hidden = !t.m.isRegister(addr) && !w.Visible.Has(home, o.size)
	}
	t.point(o)
	if t.m.watch != nil && !t.m.isRegister(addr) {
		t.record(home, o.size, write, locked, pc, o.value)
	}
}

// record adds the record of an access to memory, by the address that is its home.
func (t *Thread) record(addr uint64, size uint32, write, locked bool, pc, value uint64) {
	f, kind := t.currentActivation(), RecordRead
	switch {
	case locked:
		kind, value = RecordLocked, 0
	case write:
		kind = RecordWrite
	default:
		value = 0
	}
	w := t.m.watch
	w.Records = append(w.Records, Record{Kind: kind, Addr: addr, PC: pc, Activation: f.id, Op: f.ops - 1, Size: size,
		CPU: uint8(t.cpu), IRQL: t.IRQL(), Time: t.m.now, Value: value})
	if len(w.Spots) > 0 {
		t.look(w, &w.Records[len(w.Records)-1])
	}
}

// isRegister reports whether an address is one of a device register.
func (m *Machine) isRegister(va uint64) bool {
	for i := range m.windows {
		if m.windows[i].contains(va) {
			return true
		}
	}
	return false
}

// classCount counts the activations of a class.
type classCount struct {
	class uint64
	n     uint32
}

// nthActivation counts an activation that begins.
func (m *Machine) nthActivation(class uint64) uint32 {
	for i := range m.classes {
		if c := &m.classes[i]; c.class == class {
			c.n++
			return c.n
		}
	}
	m.classes = append(m.classes, classCount{class, 1})
	return 1
}

// position returns where a processor is, and counts the decision there.
func (m *Machine) position(p *processor) choice.Position {
	t := m.threads[p.current]
	f := t.currentActivation()
	if f == nil {
		p.idleTries++
		return choice.Position{Activation: choice.Activation{Object: uint64(p.id)}, Try: p.idleTries - 1}
	}
	f.tries++
	return choice.Position{Activation: choice.Activation{Kind: uint8(f.kind), Code: f.code, Object: t.actObject(f), Nth: f.nth}, Op: f.ops, Try: f.tries - 1}
}

// actObject is the object that tells activations of one routine apart: of a
// thread, the thread itself.
func (t *Thread) actObject(f *frame) uint64 {
	if f.kind == ThreadActivation {
		return uint64(t.id)
	}
	return f.object
}

// ActivationText describes an activation for people.
func (m *Machine) ActivationText(a choice.Activation) string {
	if a.Nth == 0 {
		return fmt.Sprintf("idle processor %d", a.Object)
	}
	return fmt.Sprintf("%s #%d", m.activationName(a), a.Nth)
}

func (m *Machine) activationName(a choice.Activation) string {
	switch kind := ActivationKind(a.Kind); {
	case kind == ThreadActivation && a.Object < uint64(len(m.threads)):
		return fmt.Sprintf("%s %s", kind, m.threads[a.Object].name)
	case m.names[a.Object] != "": // the routine is the framework's
		return fmt.Sprintf("%s of %s", kind, m.names[a.Object])
	default:
		return fmt.Sprintf("%s %s", kind, m.NameOf(a.Code))
	}
}

// BeginText describes the activation of a RecordBegin for people.
func (m *Machine) BeginText(r *Record) string {
	return m.activationName(choice.Activation{Kind: uint8(r.Size), Code: r.PC, Object: r.Addr})
}
