package kernel

import (
	"fmt"

	"github.com/dirql/dirql/internal/choice"
)

// Watch is what a search wants to know of the accesses of a run, and which of
// them it wants to decide at.
//
// Every access to shared memory is an operation of its own: it takes time,
// counts as a step, and the processor takes what it has to take before it. But
// the source of choices is asked only before accesses in Visible (and before
// everything that is no access to memory). So the same decisions give the same
// run, whatever is in Visible.
type Watch struct {
	Visible  *VisibleSet // nil: all accesses
	Accesses []Access    // of the run so far, in their order
}

// Access is an access of driver code to shared memory.
type Access struct {
	Addr       uint64
	PC         uint64 // instruction, or the routine of a driver in Go
	Activation uint32
	Op         uint32 // number of the operation in the activation
	Size       uint32 // bytes
	CPU        uint8
	IRQL       uint8
	Write      bool
	Locked     bool // interlocked: read and write in one step
}

// VisibleSet is a set of bytes of memory, by 8-byte granule.
type VisibleSet struct{ bytes map[uint64]uint8 }

// Add puts size bytes at addr into the set and reports whether it grew.
func (s *VisibleSet) Add(addr uint64, size uint32) (grew bool) {
	if s.bytes == nil {
		s.bytes = map[uint64]uint8{}
	}
	for g, mask := range granules(addr, size) {
		if old := s.bytes[g]; old|mask != old {
			s.bytes[g], grew = old|mask, true
		}
	}
	return grew
}

// Has reports whether one of size bytes at addr is in the set.
func (s *VisibleSet) Has(addr uint64, size uint32) bool {
	for g, mask := range granules(addr, size) {
		if s.bytes[g]&mask != 0 {
			return true
		}
	}
	return false
}

// Len returns the number of granules in the set.
func (s *VisibleSet) Len() int { return len(s.bytes) }

// granules yields the numbers of the 8-byte granules of a range, with a bit for
// each of their bytes that is in it.
func granules(addr uint64, size uint32) func(yield func(uint64, uint8) bool) {
	return func(yield func(uint64, uint8) bool) {
		for left := uint64(size); left > 0; {
			n := min(8-addr&7, left)
			if !yield(addr>>3, uint8((1<<n-1)<<(addr&7))) {
				return
			}
			addr, left = addr+n, left-n
		}
	}
}

// Watch begins to watch accesses, or ends it with nil.
func (m *Machine) Watch(w *Watch) { m.watch = w }

// access is the scheduling point before an access of driver code to memory.
func (t *Thread) access(o op, addr uint64, size int, write, locked bool, pc uint64) {
	o.addr, o.size, o.write = addr, uint32(size), write
	if w := t.m.watch; w != nil && w.Visible != nil {
		o.hidden = !t.m.isRegister(addr) && !w.Visible.Has(addr, o.size)
	}
	t.point(o)
	if w := t.m.watch; w != nil {
		f := t.currentActivation()
		w.Accesses = append(w.Accesses, Access{Addr: addr, PC: pc, Activation: f.id, Op: f.ops - 1, Size: o.size, CPU: uint8(t.cpu), IRQL: t.IRQL(),
			Write: write, Locked: locked})
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
	name := m.NameOf(a.Code)
	if ActivationKind(a.Kind) == ThreadActivation && a.Object < uint64(len(m.threads)) {
		name = m.threads[a.Object].name
	}
	return fmt.Sprintf("%s %s #%d", ActivationKind(a.Kind), name, a.Nth)
}
