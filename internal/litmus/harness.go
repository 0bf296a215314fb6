package litmus

import (
	"slices"

	"github.com/dirql/dirql/internal/bind"
	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/trace"
)

// The routines that drivers of litmus tests import (drivers/litmus/litmus.h says what they do). They are statements and
// observations of the language, so they are no visible operations of their own unless they wait.

// harnessModule is the image that exports them.
const harnessModule = "litmus.sys"

// exports returns the routines by name.
func (g *guest) exports() map[string]bind.Export {
	list := map[string]bind.Export{
		"LitmusIsTest":    func(c *bind.ExportCall) uint64 { return uint64(number(c.Text(0) == g.test.ID)) },
		"LitmusObject":    g.litmusObject,
		"LitmusHandle":    g.litmusHandle,
		"LitmusThread":    g.litmusThread,
		"LitmusSetupDone": g.litmusSetupDone,
		"LitmusOut":       g.litmusOut,
		"LitmusMark":      g.litmusMark,
		"LitmusCheck":     g.litmusCheck,
		"LitmusObserve":   g.litmusObserve,
		"LitmusUntil":     g.litmusUntil,
		"LitmusInterrupt": g.litmusInterrupt,
		"LitmusArrive":    g.litmusArrive,
		"LitmusCompleted": g.litmusCompleted,
	}
	for name, call := range systemCalls { // order does not matter
		list[name] = g.systemCall(call)
	}
	return list
}

// systemCalls are the calls of the language that no driver makes: what an application, the PnP manager and the power
// manager do. Their arguments are those of the language, with the names of objects and words as text.
var systemCalls = map[string]string{
	"LitmusSend":           "send",
	"LitmusCancelRequest":  "cancel_request",
	"LitmusAllocateUser":   "user",
	"LitmusStartDevice":    "start_device",
	"LitmusPower":          "power",
	"LitmusArmForWake":     "arm_for_wake",
	"LitmusSurpriseRemove": "surprise_remove",
}

// systemCall returns the routine for a call of the language.
func (g *guest) systemCall(name string) bind.Export {
	return func(c *bind.ExportCall) uint64 {
		in := &Instr{Op: OpCall, Call: findCall(name)}
		if g.snapshot == nil {
			return g.wrong(c, "%s does not belong to the setup", name)
		}
		for i := range in.Call.Params {
			p, a := &in.Call.Params[i], Arg{Object: NoObject}
			switch {
			case p.Words != nil:
				a.Word = c.Text(i)
			case p.Of != 0:
				if o := g.test.Object(c.Text(i)); o != nil && p.Of.has(o.Kind) {
					a.Object = o.ID
				}
			default:
				a.Expr = &Expr{Kind: ExprConst, Type: p.Type, Value: int64(c.Arg(i))}
			}
			if p.Words != nil && !slices.Contains(p.Words, a.Word) || p.Of != 0 && a.Object == NoObject {
				return g.wrong(c, "%s: argument %d has to be %s", name, i+1, p.What)
			}
			in.Args = append(in.Args, a)
		}
		return uint64(callFuncs[name](g.caller(c), in))
	}
}

// caller returns the calling routine as an activation of the bench, whose code has no instructions.
func (g *guest) caller(c *bind.ExportCall) *activation {
	t := c.Sys().Thread
	program := slices.IndexFunc(g.test.Programs, func(p Program) bool { return p.Kind == ProgramThread && p.Name == t.Name() })
	return &activation{bench: g.bench, t: t, program: program}
}

// wrong ends the run, or the setup, because the driver does not fit the test.
func (g *guest) wrong(c *bind.ExportCall, format string, args ...any) uint64 {
	if g.snapshot == nil {
		g.fail(format, args...)
		return 0
	}
	g.caller(c).stop("the driver: "+format, args...)
	return 0
}

// litmusObject: (name, handle or address). An interrupt that is made in EvtDevicePrepareHardware is introduced there.
func (g *guest) litmusObject(c *bind.ExportCall) uint64 {
	o := g.test.Object(c.Text(0))
	switch {
	case o == nil:
		return g.wrong(c, "LitmusObject: there is no object %s", c.Text(0))
	case g.snapshot != nil && !o.Interrupt.Late:
		return g.wrong(c, "LitmusObject belongs to the setup")
	}
	if err := g.introduce(c.Sys(), o, c.Arg(1)); err != nil {
		return g.wrong(c, "LitmusObject: %v", err)
	}
	return 0
}

// litmusHandle: (name).
func (g *guest) litmusHandle(c *bind.ExportCall) uint64 {
	o := g.test.Object(c.Text(0))
	if o == nil {
		return g.wrong(c, "LitmusHandle: there is no object %s", c.Text(0))
	}
	return uint64(g.Handle(o.ID))
}

// litmusThread: (processor, routine, context). Threads at one processor come in the order of the test.
func (g *guest) litmusThread(c *bind.ExportCall) uint64 {
	cpu := int(uint32(c.Arg(0)))
	for i := range g.test.Programs {
		p := &g.test.Programs[i]
		if p.Kind == ProgramThread && p.Processor == cpu && g.threads[i].routine == 0 && g.snapshot == nil {
			g.threads[i] = threadRoutine{c.Arg(1), c.Arg(2)}
			return 0
		}
	}
	return g.wrong(c, "LitmusThread: the test has no thread at P%d", cpu)
}

func (g *guest) litmusSetupDone(c *bind.ExportCall) uint64 {
	x := g.caller(c)
	if kind, _ := x.t.Activation(); kind != kernel.ThreadActivation || x.program < 0 || !g.test.Programs[x.program].Setup || g.snapshot == nil {
		return g.wrong(c, "LitmusSetupDone: the test has no setup done here")
	}
	x.setupDone()
	return 0
}

// litmusOut: (list, value).
func (g *guest) litmusOut(c *bind.ExportCall) uint64 {
	name := c.Text(0)
	i := slices.IndexFunc(g.test.Lists, func(l List) bool { return l.Name == name })
	if i < 0 {
		return g.wrong(c, "LitmusOut: there is no list %s", name)
	}
	v := int64(c.Arg(1))
	if g.test.Lists[i].Type == TypeStatus {
		v = int64(uint32(v)) // an NTSTATUS is a LONG in C
	}
	g.append(c.Sys().Processor(), i, v)
	return 0
}

// litmusMark: (word).
func (g *guest) litmusMark(c *bind.ExportCall) uint64 {
	word := c.Text(0)
	i := slices.IndexFunc(g.test.Lists, func(l List) bool { return l.Name == "seq" })
	w := slices.Index(g.test.Words, word)
	if i < 0 || w < 0 {
		return g.wrong(c, "LitmusMark: the test does not mark %s", word)
	}
	g.append(c.Sys().Processor(), i, int64(w)+1)
	return 0
}

// litmusCheck: (BOOLEAN, text of the condition).
func (g *guest) litmusCheck(c *bind.ExportCall) uint64 {
	if c.Arg(0)&0xFF == 0 {
		return g.wrong(c, "check %s does not hold", c.Text(1))
	}
	return 0
}

// litmusObserve: (expression).
func (g *guest) litmusObserve(c *bind.ExportCall) uint64 {
	if e := g.condition(c); e != nil {
		return uint64(e.Eval(g.caller(c)))
	}
	return 0
}

// litmusUntil: (condition).
func (g *guest) litmusUntil(c *bind.ExportCall) uint64 {
	if e := g.condition(c); e != nil {
		g.caller(c).waitFor(c.Text(0), e)
	}
	return 0
}

// condition returns what the first argument, a condition of the language, looks at. nil: the run has ended, because the
// test does not look at that.
func (g *guest) condition(c *bind.ExportCall) *Expr {
	text := c.Text(0)
	if g.snapshot == nil {
		g.wrong(c, "%s: there is nothing to look at in the setup", text)
		return nil
	}
	if e := g.conditions[text]; e != nil {
		return e
	}
	e, err := g.test.condition(text)
	switch {
	case err != nil:
		g.wrong(c, "%s: %v", text, err)
		return nil
	case !g.state.needs.tells(e):
		g.wrong(c, "the test does not look at %s, so that its states do not tell it", text)
		return nil
	}
	g.conditions[text] = e
	return e
}

// litmusInterrupt: (interrupt, processor).
func (g *guest) litmusInterrupt(c *bind.ExportCall) uint64 {
	return g.deviceActs(c, ActionInterrupt, int(uint32(c.Arg(1))))
}

// litmusArrive: (ring).
func (g *guest) litmusArrive(c *bind.ExportCall) uint64 {
	return g.deviceActs(c, ActionArrive, AnyProcessor)
}

// deviceActs makes the device do something with the object that the first argument names.
func (g *guest) deviceActs(c *bind.ExportCall, kind ActionKind, processor int) uint64 {
	o := g.test.Object(c.Text(0))
	want := KindInterrupt
	if kind == ActionArrive {
		want = KindRing
	}
	if o == nil || o.Kind != want || processor >= g.test.Processors || g.snapshot == nil {
		return g.wrong(c, "there is no action %s %s at P%d", kind, c.Text(0), processor)
	}
	if kind == ActionInterrupt && (o.Interrupt.Trigger == LineLevel || o.Interrupt.Affinity>>processor&1 == 0) {
		return g.wrong(c, "interrupt %s does not come to P%d by itself", o.Name, processor)
	}
	g.caller(c).action(&Instr{Op: OpAction, Action: Action{Kind: kind, Object: o.ID, Processor: processor}})
	return 0
}

// litmusCompleted: (request); WdfRequestComplete has returned.
func (g *guest) litmusCompleted(c *bind.ExportCall) uint64 {
	g.completed(c.Arg(0))
	if g.m.Trace.On() {
		g.m.Record(c.Sys().Processor(), trace.Event{Kind: trace.Note, Text: "completed " + g.m.NameOf(c.Arg(0))})
	}
	return 0
}
