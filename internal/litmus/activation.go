package litmus

import (
	"fmt"
	"math/bits"

	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/mem"
	"github.com/dirql/dirql/internal/trace"
)

// code is a program on the machine.
type code struct {
	routine uint64     // its address
	calls   []callFunc // by index of the instruction; nil where it is not a call
}

// activation is one run of a program. It is the Env of the program's expressions.
//
// Everything that it will do follows from its arguments, its program counter and the registers that are live there;
// position tells the kernel so before every visible instruction.
type activation struct {
	*bench
	t       *kernel.Thread
	program int
	args    kernel.Args
	regs    []int64
	pc      int
}

// maxQuiet bounds the instructions between two visible ones.
const maxQuiet = 10_000

// prepare gives the programs their addresses.
func (b *bench) prepare() {
	b.code = make([]code, len(b.test.Programs))
	b.findTwins()
	for i := range b.test.Programs {
		p := &b.test.Programs[i]
		c := &b.code[i]
		c.calls = make([]callFunc, len(p.Code))
		for j := range p.Code {
			if in := &p.Code[j]; in.Op == OpCall {
				c.calls[j] = callFuncs[in.Call.Name]
			}
		}
		c.routine = b.m.Function(p.Name, func(t *kernel.Thread, a kernel.Args) uint64 { return b.execute(t, i, a) })
	}
}

// execute runs a program.
func (b *bench) execute(t *kernel.Thread, program int, args kernel.Args) uint64 {
	p := &b.test.Programs[program]
	x := &activation{bench: b, t: t, program: program, args: args, regs: make([]int64, len(p.Registers))}
	if !p.Counts {
		return x.run(p)
	}
	cpu := t.Processor() // where it starts; a callback at PASSIVE_LEVEL may migrate
	run := b.state.started(p.Object, cpu)
	v := x.run(p)
	b.state.ended(p.Object, cpu, run)
	return v
}

// run executes instructions up to the return.
func (x *activation) run(p *Program) uint64 {
	for quiet := 0; ; quiet++ {
		in := &p.Code[x.pc]
		if in.Visible() {
			quiet = 0
			x.position(in, 0)
		}
		if quiet > maxQuiet {
			x.stop("%s: line %d: %d instructions without a visible step", p.Name, in.Line, quiet)
		}
		x.pc++
		switch in.Op {
		case OpSet:
			x.regs[in.Dst] = in.Expr.Eval(x)
		case OpLoad:
			x.load(in)
		case OpStore:
			x.store(in)
		case OpCall:
			v := x.code[x.program].calls[x.pc-1](x, in)
			if in.Dst != NoRegister {
				x.regs[in.Dst] = v
			}
		case OpJump:
			x.pc = in.Target
		case OpUnless:
			if in.Expr.Eval(x) == 0 {
				x.pc = in.Target
			}
		case OpOut:
			x.out(in)
		case OpUntil:
			x.until(p, in)
		case OpCheck:
			if in.Expr.Eval(x) == 0 {
				x.stop("line %d: check %s does not hold", in.Line, x.test.Expr(p, in.Expr))
			}
		case OpAction:
			x.action(in)
		case OpSetupDone:
			x.setupDone()
		case OpReturn:
			if in.Expr != nil {
				return uint64(in.Expr.Eval(x))
			}
			return 0
		}
	}
}

// position tells the kernel where the program stands: before an instruction, or in the middle of it, at a part.
func (x *activation) position(in *Instr, part uint64) {
	h := mem.Mix(uint64(x.pc), part)
	for live := in.Live; live != 0; live &= live - 1 {
		h = mem.Mix(h, uint64(x.regs[bits.TrailingZeros64(live)]))
	}
	x.t.SetPosition(h)
}

func (x *activation) load(in *Instr) {
	v := int64(x.t.Load(x.objects[in.Object].addr, 8))
	x.regs[in.Dst] = v
	x.recordAccess(x.t.Processor(), "read", in.Object, v)
}

func (x *activation) store(in *Instr) {
	v := in.Expr.Eval(x)
	x.t.Store(x.objects[in.Object].addr, 8, uint64(v))
	x.recordAccess(x.t.Processor(), "write", in.Object, v)
}

// recordAccess puts an access to a shared variable into the trace: numbers and truth values as an event like that of a
// device register, other values as a note.
func (b *bench) recordAccess(cpu int, what string, o ObjectID, v int64) {
	if !b.m.Trace.On() {
		return
	}
	name, typ := b.test.Objects[o].Name, b.test.Objects[o].Cell.Type
	e := trace.Event{Kind: trace.Register, Name: name, Text: what, Value: uint64(v)}
	switch {
	case typ == TypeInt && v >= 0:
		e.ValueKind = trace.Decimal
	case typ == TypeBool:
		e.ValueKind = trace.Bool
	default:
		e = trace.Event{Kind: trace.Note, Text: fmt.Sprintf("%-5s %s = %s", what, name, b.valueOf(typ, v))}
	}
	b.m.Record(cpu, e)
}

// out appends to a list.
func (x *activation) out(in *Instr) {
	x.append(x.t.Processor(), in.List, in.Expr.Eval(x))
}

// append appends a value to a list, in a program on a processor.
func (b *bench) append(cpu, list int, v int64) {
	b.state.changed()
	b.state.lists[list] = append(b.state.lists[list], v)
	if b.m.Trace.On() {
		l := &b.test.Lists[list]
		text := string(b.valueOf(l.Type, v))
		if l.Type == TypeBool {
			text = trace.FormatValue(trace.Bool, uint64(v))
		}
		b.note(cpu, "out %s = %s", l.Name, text)
	}
}

func (x *activation) until(p *Program, in *Instr) {
	what := "a condition"
	if x.m.Trace.On() {
		what = x.test.Expr(p, in.Expr)
	}
	x.waitFor(what, in.Expr)
}

// waitFor waits in place until a condition holds.
func (x *activation) waitFor(what string, e *Expr) {
	x.t.BusyWait(what, func() bool { return e.Eval(x) != 0 })
	x.note(x.t.Processor(), "until %s: it holds", what)
}

// action makes the device or the clock act: an interrupt or a tick when its processor accepts it. The program goes on
// when the interrupt's service routine has returned.
func (x *activation) action(in *Instr) {
	a := &in.Action
	target := a.Processor
	if target == ThisProcessor {
		target = x.t.Processor()
	}
	switch a.Kind {
	case ActionInterrupt:
		x.t.BusyWait("the interrupt to be accepted", func() bool { return x.accepts(a, target) })
		call := x.act(a, target)
		x.position(in, 1)
		x.t.BusyWait("the ISR to return", func() bool { return x.bench.state.returned(call) })
	case ActionTick:
		x.t.BusyWait("the clock tick to be accepted", func() bool { return x.accepts(a, target) })
		x.act(a, target)
		if target == x.t.Processor() {
			x.position(in, 1)
			x.t.Step() // what the tick starts on this processor comes before the next instruction
		}
	default:
		x.t.Step()
		if a.Processor == AnyProcessor {
			target = anyTarget
		}
		x.act(a, target)
	}
}

func (x *activation) setupDone() {
	x.arrive(x.program)
	x.t.BusyWait("the setup", func() bool { return x.bench.state.begun })
}

// stop ends the run because the test itself is wrong.
func (x *activation) stop(format string, args ...any) {
	x.t.Stop(kernel.Finding{Rule: testFailed, Text: fmt.Sprintf(format, args...)})
}

// testFailed is the rule of findings that are about the test, not about the driver.
const testFailed = "the test has failed"

// Register implements Env.
func (x *activation) Register(r int) int64 { return x.regs[r] }

// Register implements Env for conditions, which have no registers.
func (b *bench) Register(int) int64 { panic("BUG: litmus: a condition reads a register") }

// Peek implements Env.
func (b *bench) Peek(o ObjectID) int64 { return int64(b.memory(b.objects[o].addr)) }

// Count implements Env.
func (b *bench) Count(list int) int64 { return int64(len(b.state.lists[list])) }

// ObserveProcessor implements Env.
func (b *bench) ObserveProcessor(cpu int, _ string) int64 { return int64(b.m.LevelOf(cpu)) }

// What an activation observes depends on the steps of all others.

// Peek implements Env.
func (x *activation) Peek(o ObjectID) int64 {
	x.m.TouchEverything()
	return x.bench.Peek(o)
}

// Count implements Env.
func (x *activation) Count(list int) int64 {
	x.m.TouchEverything()
	return x.bench.Count(list)
}

// ObserveProcessor implements Env.
func (x *activation) ObserveProcessor(cpu int, property string) int64 {
	x.m.TouchEverything()
	return x.bench.ObserveProcessor(cpu, property)
}

// Observe implements Env.
func (x *activation) Observe(o ObjectID, property string) int64 {
	x.m.TouchEverything()
	return x.bench.Observe(o, property)
}

// noProcessor is the processor of the last run of a DPC that has not run.
const noProcessor = -1

// Observe implements Env.
func (b *bench) Observe(o ObjectID, property string) int64 {
	h := &b.state.runs[o]
	switch property {
	case "runs", "calls":
		return int64(h.starts)
	case "returns":
		return int64(h.ends)
	case "active":
		return number(h.starts > h.ends)
	case "queued":
		return number(b.m.DPCQueued(b.objects[o].addr))
	case "proc":
		if h.starts == 0 {
			return noProcessor
		}
		return int64(h.procs[h.starts-1])
	case "connected":
		return number(b.f.InterruptConnected(b.objects[o].handle))
	case "known":
		return number(b.f.InterruptKnown(b.objects[o].handle))
	case "unclaimed":
		return int64(b.m.Unclaimed(b.objects[o].vector))
	case "armed":
		return number(b.m.TimerSet(b.objects[o].addr))
	case "value":
		return b.peekCell(&b.test.Objects[o])
	case "level":
		return int64(b.test.Objects[o].Interrupt.DIRQL)
	case "arrived":
		return b.state.devices[o].arrived
	case "count":
		return b.state.devices[o].count
	case "IE":
		return b.state.devices[o].enable
	case "completions":
		return int64(b.state.completions[o])
	case "signaled":
		return number(b.memory(b.objects[o].addr)>>32 != 0)
	case "held":
		return number(b.memory(b.objects[o].addr) != 0)
	}
	panic("BUG: litmus: unknown observation " + property)
}
