package litmus

import (
	"github.com/dirql/dirql/internal/kernel"
	"github.com/dirql/dirql/internal/trace"
)

// The steps of a test, as events of the machine's environment, and the actions that programs make the device or the
// clock do.

// anyTarget stands for the processor of an event that has none.
const anyTarget = 0xFF

// Enabled implements kernel.Environment: the steps that can come now, one event for each processor where that is open.
// Of several equal free steps only the first comes: which of them it is makes no difference.
func (b *bench) Enabled(ids []uint32) []uint32 {
	s := b.state
	if !s.begun {
		return ids
	}
	for i := range b.test.Steps {
		if after := b.test.Steps[i].After; after != nil && s.held>>i&1 == 0 && after.Eval(b) != 0 {
			s.held |= 1 << i
		}
	}
	for i := range b.test.Steps {
		if b.canCome(i) {
			ids = b.events(ids, i)
		}
	}
	return ids
}

// canCome reports whether it is the turn of a step, and its conditions hold.
func (b *bench) canCome(i int) bool {
	s, step := b.state, &b.test.Steps[i]
	switch {
	case s.done>>i&1 != 0:
		return false
	case !step.Free && (i != s.fixed || s.fixedCall != 0 && !s.returned(s.fixedCall)):
		return false
	case step.After != nil && s.held>>i&1 == 0:
		return false
	case step.While != nil && step.While.Eval(b) == 0:
		return false
	}
	for j := range i {
		if step.Free && s.done>>j&1 == 0 && b.twins[i]>>j&1 != 0 {
			return false
		}
	}
	return true
}

// findTwins notes which free steps before each step are equal to it.
func (b *bench) findTwins() {
	t := b.test
	b.twins = make([]uint64, len(t.Steps))
	for i := range t.Steps {
		for j := range i {
			if t.Steps[i].Free && t.Steps[j].Free && t.Step(&t.Steps[i]) == t.Step(&t.Steps[j]) {
				b.twins[i] |= 1 << j
			}
		}
	}
}

// events appends an event for each processor at which a step could come now.
func (b *bench) events(ids []uint32, i int) []uint32 {
	a := &b.test.Steps[i].Action
	id := uint32(i) << 8
	if a.Kind == ActionMessage || a.Kind == ActionArrive {
		if a.Processor == AnyProcessor {
			return append(ids, id|anyTarget)
		}
		return append(ids, id|uint32(a.Processor))
	}
	for cpu := range b.test.Processors {
		if (a.Processor == AnyProcessor || a.Processor == cpu) && b.accepts(a, cpu) {
			ids = append(ids, id|uint32(cpu))
		}
	}
	return ids
}

// accepts reports whether a processor would take an interrupt or a tick now.
func (b *bench) accepts(a *Action, cpu int) bool {
	if a.Kind == ActionTick {
		return int64(b.m.LevelOf(cpu)) < clockLevel
	}
	return b.m.Accepts(b.objects[a.Object].vector, cpu)
}

// clockLevel is CLOCK_LEVEL.
const clockLevel = 13

// Happen implements kernel.Environment.
func (b *bench) Happen(id uint32) {
	i, cpu := int(id>>8), int(id&0xFF)
	step := &b.test.Steps[i]
	b.note(-1, "step: %s", b.test.Step(step))
	b.state.done |= 1 << i
	call := b.act(&step.Action, cpu)
	if !step.Free {
		b.state.fixedCall = call
		b.state.nextFixed()
	}
}

// nextFixed finds the next fixed step.
func (s *observations) nextFixed() {
	for s.fixed < len(s.test.Steps) && (s.test.Steps[s.fixed].Free || s.done>>s.fixed&1 != 0) {
		s.fixed++
	}
}

// act makes the device or the clock do something, at a processor or at anyTarget. For an interrupt it returns the call
// whose return ends the action.
func (b *bench) act(a *Action, cpu int) (call int) {
	switch a.Kind {
	case ActionInterrupt:
		b.recordMessage(a.Object)
		b.m.Interrupt(b.objects[a.Object].vector, cpu)
		if b.test.Objects[a.Object].Interrupt.Passive {
			return 0 // EvtInterruptIsr runs in a thread, later
		}
		return b.state.await(a.Object, cpu)
	case ActionMessage:
		if cpu == anyTarget {
			b.m.SendMessage(b.objects[a.Object].vector)
			break
		}
		b.recordMessage(a.Object)
		b.m.DeliverTo(b.objects[a.Object].vector, cpu)
	case ActionArrive:
		b.ringArrives(&b.test.Objects[a.Object])
	case ActionTick:
		b.note(cpu, "clock tick")
		b.m.TickOn(cpu)
	}
	return 0
}

// recordMessage puts a message that does not go through kernel.Machine.SendMessage into the trace.
func (b *bench) recordMessage(interrupt ObjectID) {
	if o := &b.test.Objects[interrupt]; o.Interrupt.Trigger == Message && b.m.Trace.On() {
		b.m.Record(-1, trace.Event{Kind: trace.Message, Name: o.Name})
	}
}

// discarded reports whether the run does not count: a step marked (only) could not come in it.
func (b *bench) discarded(reason kernel.Reason) bool {
	for i := range b.test.Steps {
		if b.test.Steps[i].Only && b.state.done>>i&1 == 0 {
			return reason == kernel.Done
		}
	}
	return false
}

// unfinished returns the text of a step that had to come in the run, but did not.
func (b *bench) unfinished() string {
	for i := range b.test.Steps {
		if s := &b.test.Steps[i]; b.state.done>>i&1 == 0 && (s.Must || !s.Free) {
			return b.test.Step(s)
		}
	}
	return ""
}
