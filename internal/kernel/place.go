package kernel

import (
	"fmt"

	"github.com/dirql/dirql/internal/mem"
)

// Place is what a stretch of memory is called.
type Place struct {
	Name string // for people: "EDU_DEVICE.Slots[3].Next"
	// Kind is the same in every run, and for all places that one mistake can be
	// about: "EDU_DEVICE.Slots[].Next".
	Kind string
}

// Namer knows what the driver calls parts of memory.
type Namer interface {
	// Field names size bytes at an offset of a structure of a type.
	Field(typeName string, offset, size uint64) (Place, bool)
	// Variable names size bytes at an address that belong to a variable.
	Variable(addr, size uint64) (Place, bool)
}

// SetNamer sets who knows names of variables and fields.
func (m *Machine) SetNamer(n Namer) { m.namer = n }

// PlaceOf names size bytes at an address: a variable, a field of a context, a
// part of a block of pool.
func (m *Machine) PlaceOf(addr, size uint64) Place {
	a := m.Mem.Find(addr)
	if a == nil {
		return m.unallocated(addr, size)
	}
	if p, ok := m.FieldOf(addr, size); ok {
		return p
	}
	return Place{fmt.Sprintf("byte %d of the block of %d bytes at 0x%X, tag '%s'", addr-a.Addr, a.Size, a.Addr, TagText(a.Tag)),
		fmt.Sprintf("byte %d of %d, tag '%s'", addr-a.Addr, a.Size, TagText(a.Tag))}
}

// unallocated is PlaceOf for what is not in a block.
func (m *Machine) unallocated(addr, size uint64) Place {
	if user, ok := mem.UserOf(addr); ok {
		return Place{fmt.Sprintf("0x%X in a buffer of an application", user), "a buffer of an application"}
	}
	if m.namer != nil {
		if p, ok := m.namer.Variable(addr, size); ok {
			return p
		}
	}
	name := m.NameOf(addr)
	return Place{name, name}
}

// FieldOf names size bytes at an address in a block whose name is that of a type:
// in a context.
func (m *Machine) FieldOf(addr, size uint64) (Place, bool) {
	a := m.Mem.Find(addr)
	if m.namer == nil || a == nil || addr-a.Addr >= a.Size || m.names[a.Addr] == "" {
		return Place{}, false
	}
	return m.namer.Field(m.names[a.Addr], addr-a.Addr, size)
}

// MemoryText describes size bytes at an address for people: their name, and
// where they lie in a block.
func (m *Machine) MemoryText(addr, size uint64) string {
	if p, ok := m.FieldOf(addr, size); ok {
		a := m.Mem.Find(addr)
		return fmt.Sprintf("%s (byte %d of the block at 0x%X)", p.Name, addr-a.Addr, a.Addr)
	}
	return m.PlaceOf(addr, size).Name
}

// blockText tells which block of pool an address belongs to.
func (t *Thread) blockText(addr uint64) string {
	a := t.m.Mem.Find(addr)
	if a == nil {
		return ""
	}
	s := fmt.Sprintf(" (block of %d bytes at 0x%X, tag '%s', allocated by #%d", a.Size, a.Addr, TagText(a.Tag), a.AllocBy)
	if a.Freed {
		s += fmt.Sprintf(", freed by #%d", a.FreeBy)
	}
	if p, ok := t.m.FieldOf(addr, 1); ok {
		s += ": " + p.Name
	} else if name := t.m.names[a.Addr]; name != "" {
		s += ": " + name
	}
	return s + ")"
}

// SetSubjects sets who knows what a use of a block after its end is about (see
// Finding.About), other than its kind.
func (m *Machine) SetSubjects(subject func(block uint64) string) { m.subject = subject }

// freedAbout returns what a use of a freed block is about: all uses of blocks of
// one kind come from their being freed too soon.
func (m *Machine) freedAbout(addr uint64) string {
	a := m.Mem.Find(addr)
	if a == nil || !a.Freed {
		return ""
	}
	if m.subject != nil {
		if about := m.subject(a.Addr); about != "" {
			return about
		}
	}
	if _, ok := m.FieldOf(a.Addr, 1); ok {
		return "freed block|" + m.names[a.Addr]
	}
	return fmt.Sprintf("freed block|%d bytes, tag '%s'", a.Size, TagText(a.Tag))
}
