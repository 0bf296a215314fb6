package kernel

import (
	"fmt"

	"github.com/dirql/dirql/internal/mem"
	"github.com/dirql/dirql/internal/trace"
)

// What an Executor needs of the machine while it runs guest code.

// SetSymbols sets who names addresses of guest code.
func (m *Machine) SetSymbols(symbol func(addr uint64) (name string, ok bool)) { m.symbol = symbol }

// SetStackCheck sets who stops a thread that uses addr if that is part of a
// stack and no longer in use. It is asked about the objects of the driver that
// routines of the kernel use.
func (m *Machine) SetStackCheck(check func(t *Thread, addr uint64)) { m.stackCheck = check }

// SetWhere sets who knows which instruction of guest code a thread is at.
func (m *Machine) SetWhere(where func(t *Thread) uint64) { m.where = where }

// Retire lets the virtual time of n instructions pass.
func (t *Thread) Retire(n uint64) { t.m.now += n * t.m.cfg.Tunables.InstructionTime }

// Access is the scheduling point before an access of guest code to shared
// memory: size bytes at addr, by the instruction at pc. second says that it is
// the write of a read-modify-write whose read is done: other processors can
// step before it, but this one takes no interrupt. value is what a write writes.
func (t *Thread) Access(addr uint64, size int, write, locked, second bool, value, pc uint64) {
	o := op{value: value}
	if second {
		o.kind = opHalf
	}
	t.access(o, addr, size, write, locked, pc)
}

// WriteCR8 is the instruction MOV CR8: it raises or lowers the IRQL.
func (t *Thread) WriteCR8(irql uint8) {
	t.point(op{own: true})
	switch now := t.IRQL(); {
	case irql > HighLevel:
		t.badLevelChange(0x9, 0x30, irql, "raises")
	case irql >= now:
		t.raise(irql)
	default:
		t.lower(irql)
	}
}

// SetInterrupts is the instruction CLI or STI, or a POPF that changes IF. On return
// from STI the processor has taken everything that was held back.
func (t *Thread) SetInterrupts(on bool) {
	t.point(op{})
	t.proc().masked = !on
	t.settle()
}

// InterruptsDisabled reports whether CLI is in effect on the processor of the
// caller; an observation, not a step.
func (t *Thread) InterruptsDisabled() bool { return t.proc().masked }

// GuestFault reports an access of guest code at rip that cannot be done. It
// returns only where the run goes on without special pool (VER-7).
func (t *Thread) GuestFault(f mem.Fault, rip uint64) {
	if t.Catchable(f) {
		t.Raise(AccessViolation(f, 0))
	}
	t.guestIP = rip
	t.driverFault(f)
	t.guestIP = 0
}

// Note puts a line of driver code into the trace.
func (t *Thread) Note(name, text string) {
	if t.m.Trace.On() {
		t.m.Record(t.cpu, trace.Event{Kind: trace.Note, Name: name, Text: fmt.Sprintf("%q", text)})
	}
}
