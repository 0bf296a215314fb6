package kernel

import (
	"fmt"

	"github.com/dirql/dirql/internal/trace"
)

// IRQL values of x64 (IRQL-2). Device levels are 3 to 11.
const (
	PassiveLevel  = 0
	APCLevel      = 1
	DispatchLevel = 2
	FirstDIRQL    = 3
	LastDIRQL     = 11
	SynchLevel    = 12
	ClockLevel    = 13
	HighLevel     = 15
)

// IRQL returns the level of the processor that runs the caller.
func (t *Thread) IRQL() uint8 { return t.proc().irql }

// LevelOf returns the IRQL of a processor; an observation, not a step.
func (m *Machine) LevelOf(cpu int) uint8 { return m.procs[cpu].irql }

// setIRQL writes CR8 and nothing else.
func (t *Thread) setIRQL(irql uint8) {
	p := t.proc()
	if p.irql == irql {
		return
	}
	p.irql = irql
	if t.m.Trace.On() {
		t.m.Record(p.id, trace.Event{Kind: trace.IRQL, ValueKind: trace.Level, Value: uint64(irql)})
	}
}

// raise raises the IRQL and returns the old one. A caller at that level or
// above stays where it is.
func (t *Thread) raise(irql uint8) (old uint8) {
	old = t.IRQL()
	if irql > old {
		t.setIRQL(irql)
		t.note(RecordRaise, uint64(old), 0)
	}
	return old
}

// lower lowers the IRQL. On return the processor has taken everything that was
// held back by the old level: interrupts, DPCs, other threads (IRQL-5, DPC-14).
func (t *Thread) lower(irql uint8) {
	old := t.IRQL()
	t.setIRQL(irql)
	if irql < old {
		t.note(RecordLower, uint64(old), 0)
	}
	t.settle()
}

// RaiseLevel and LowerLevel are KeRaiseIrql and KeLowerIrql for the framework's
// own use, as part of the present step.
func (t *Thread) RaiseLevel(irql uint8) (old uint8) { return t.raise(irql) }

// LowerLevel: see RaiseLevel.
func (t *Thread) LowerLevel(irql uint8) {
	if irql < t.IRQL() {
		t.lower(irql)
	}
}

var (
	svcKeGetCurrentIrql = NewService("KeGetCurrentIrql")
	svcKeRaiseIrql      = NewService("KeRaiseIrql")
	svcKeLowerIrql      = NewService("KeLowerIrql")
)

// KeGetCurrentIrql returns the IRQL of the current processor. Any IRQL.
func (t *Thread) KeGetCurrentIrql() uint8 {
	t.Enter(svcKeGetCurrentIrql)
	irql := t.IRQL()
	t.Leave(trace.Level, uint64(irql))
	return irql
}

// KeRaiseIrql raises the IRQL and returns the old one. A lower level is bug
// check 0x9, or 0xC4/0x30 under Driver Verifier (IRQL-6).
func (t *Thread) KeRaiseIrql(irql uint8) (old uint8) {
	t.Enter(svcKeRaiseIrql, uint64(irql))
	t.point(op{own: true})
	old = t.IRQL()
	if irql < old || irql > HighLevel {
		t.badLevelChange(0x9, 0x30, irql, "raises")
	}
	t.raise(irql)
	t.Leave(trace.Level, uint64(old))
	return old
}

// KeLowerIrql lowers the IRQL; whatever the old level held back on this
// processor has run when it returns (IRQL-5). A higher level is bug check 0xA,
// or 0xC4/0x31 under Driver Verifier (IRQL-6).
func (t *Thread) KeLowerIrql(irql uint8) {
	t.Enter(svcKeLowerIrql, uint64(irql))
	t.point(op{own: true})
	if irql > t.IRQL() {
		t.badLevelChange(0xA, 0x31, irql, "lowers")
	}
	t.lower(irql)
	t.LeaveVoid()
}

func (t *Thread) badLevelChange(plain uint32, verifier uint64, irql uint8, verb string) {
	now := t.IRQL()
	text := fmt.Sprintf("the driver %s the IRQL from %s to %s", verb, trace.LevelName(now), trace.LevelName(irql))
	if t.m.cfg.Profile.DriverVerifier {
		var inDPC uint64
		if plain == 0xA && t.proc().dpc.draining {
			inDPC = 1
		}
		t.stop(Finding{Code: 0xC4, Params: [4]uint64{verifier, uint64(now), uint64(irql), inDPC}, Rule: "IrqlKeRaiseLower",
			Clause: "IRQL-6", Text: text})
	}
	t.stop(Finding{Code: plain, Params: [4]uint64{uint64(now), uint64(irql)}, Rule: "IrqlKeRaiseLower", Clause: "IRQL-6", Text: text})
}
