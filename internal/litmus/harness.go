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
	return map[string]bind.Export{
		"LitmusIsTest":    func(c *bind.ExportCall) uint64 { return uint64(number(c.Text(0) == g.test.ID)) },
		"LitmusObject":    g.litmusObject,
		"LitmusThread":    g.litmusThread,
		"LitmusSetupDone": g.litmusSetupDone,
		"LitmusOut":       g.litmusOut,
		"LitmusMark":      g.litmusMark,
		"LitmusCheck":     g.litmusCheck,
		"LitmusObserve":   g.litmusObserve,
		"LitmusInterrupt": g.litmusInterrupt,
		"LitmusArrive":    g.litmusArrive,
		"LitmusCompleted": g.litmusCompleted,
	}
}

// caller returns the calling routine as an activation of the bench, whose code has no instructions.
func (g *guest) caller(c *bind.ExportCall) *activation {
	t := c.Sys().Thread
	return &activation{bench: g.bench, t: t, program: g.test.threadAt(t.Processor())}
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

// litmusObject: (name, handle or address).
func (g *guest) litmusObject(c *bind.ExportCall) uint64 {
	if g.snapshot != nil {
		return g.wrong(c, "LitmusObject belongs to the setup")
	}
	if err := g.nameObject(c.Sys(), c.Text(0), c.Arg(1)); err != nil {
		return g.wrong(c, "LitmusObject: %v", err)
	}
	return 0
}

// litmusThread: (processor, routine, context).
func (g *guest) litmusThread(c *bind.ExportCall) uint64 {
	p := g.test.threadAt(int(uint32(c.Arg(0))))
	if p < 0 || g.snapshot != nil {
		return g.wrong(c, "LitmusThread: the test has no thread at P%d", uint32(c.Arg(0)))
	}
	g.threads[p] = threadRoutine{c.Arg(1), c.Arg(2)}
	return 0
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
	g.append(c.Sys().Processor(), i, int64(c.Arg(1)))
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

// litmusObserve: (object, property).
func (g *guest) litmusObserve(c *bind.ExportCall) uint64 {
	o, property := g.test.Object(c.Text(0)), c.Text(1)
	if o == nil || findObservation(o.Kind, property) == nil || g.snapshot == nil {
		return g.wrong(c, "LitmusObserve: there is no %s.%s", c.Text(0), property)
	}
	if !g.state.needs.has(o.ID, property) {
		return g.wrong(c, "LitmusObserve: the test does not look at %s.%s, so that its states do not tell it", o.Name, property)
	}
	return uint64(g.Observe(o.ID, property))
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
