package litmus

import (
	"slices"
	"strings"

	"github.com/dirql/dirql/internal/kernel"
)

// What came of a run, as an Outcome.

// outcome computes the outcome of the run that has ended.
func (b *bench) outcome(reason kernel.Reason) Outcome {
	findings := b.m.Findings()
	if reason == kernel.Stopped && len(findings) > 0 {
		if last := &findings[len(findings)-1]; last.Code != 0 {
			return b.bugCheck(last)
		}
	}
	o := Outcome{Failure: b.failure(reason)}
	for i := range b.test.Components {
		o.Bindings = append(o.Bindings, Binding{b.test.Components[i].Name, b.component(i)})
	}
	return o
}

// bugCheck returns the outcome of a run that a bug check ended.
func (b *bench) bugCheck(f *kernel.Finding) Outcome {
	o := Outcome{BugCheck: f.Code}
	for i, v := range f.Params {
		text := Hex(v)
		if name, ok := b.nameOf(v); ok {
			text = Value(name)
		}
		o.Bindings = append(o.Bindings, Binding{bugcheckComponents[i].Name, text})
	}
	o.Bindings = append(o.Bindings, Binding{"finding", b.findings()})
	return o
}

// failure says why a run is wrong whatever is allowed, "" if it is not.
func (b *bench) failure(reason kernel.Reason) string {
	findings := b.m.Findings()
	for i := range findings {
		switch f := &findings[i]; {
		case f.Unsupported:
			return f.Title()
		case f.Rule == testFailed:
			return f.Text
		}
	}
	switch {
	case reason == kernel.StepBound || reason == kernel.TimeBound:
		return reason.String()
	case !b.state.begun:
		return "the setup does not end: " + reason.String()
	case len(findings) > 0 && !b.showsFindings():
		return "finding that no component shows: " + findings[0].Title() + ": " + findings[0].Text
	case reason == kernel.Stuck:
		return strings.Join(append([]string{"stuck"}, b.m.Waiters()...), ", ")
	case reason == kernel.Done && b.unfinished() != "":
		return "a step did not come: " + b.unfinished()
	}
	return ""
}

// showsFindings reports whether the outcome of the test has the findings.
func (b *bench) showsFindings() bool {
	return slices.ContainsFunc(b.test.Components, func(c Component) bool { return c.Source.Func == "finding" })
}

// component computes a component.
func (b *bench) component(i int) Value {
	c := &b.test.Components[i]
	s := &c.Source
	switch s.Func {
	case "rel":
		return b.state.relations[i].value()
	case "between":
		return b.state.gaps[i].value()
	case "final":
		return b.valueOf(c.Type, b.Peek(s.Object))
	case "finding":
		return b.findings()
	case "list", "last", "count", "element":
		return b.listComponent(s)
	case "observe":
		return b.observeComponent(c)
	case "choose":
		if s.When.Eval(b) != 0 {
			return s.Then
		}
		return s.Else
	}
	panic("BUG: litmus: unknown source " + s.Func)
}

func (b *bench) listComponent(s *Source) Value {
	list, typ := b.state.lists[s.List], b.test.Lists[s.List].Type
	switch {
	case s.Func == "count":
		return b.valueOf(TypeInt, int64(len(list)))
	case s.Func == "list":
		values := make([]Value, len(list))
		for i, v := range list {
			values[i] = b.valueOf(typ, v)
		}
		return Seq(values...)
	case s.Func == "last" && len(list) > 0:
		return b.valueOf(typ, list[len(list)-1])
	case s.Func == "element" && len(list) >= s.Index:
		return b.valueOf(typ, list[s.Index-1])
	}
	return None
}

func (b *bench) observeComponent(c *Component) Value {
	s := &c.Source
	if s.Property != "proc" {
		return b.valueOf(c.Type, b.Observe(s.Object, s.Property))
	}
	procs := b.state.runs[s.Object].procs
	n := s.Index
	if n == 0 {
		n = len(procs)
	}
	if n == 0 || n > len(procs) {
		return None
	}
	return b.valueOf(TypeProc, int64(procs[n-1]))
}

// valueOf returns the canonical form of a value; handles are the names of objects.
func (b *bench) valueOf(typ Type, v int64) Value {
	if typ == TypeHandle {
		if name, ok := b.nameOf(uint64(v)); ok {
			return Value(name)
		}
	}
	return b.test.Value(typ, v)
}

// findingWords say what a rule of a finding is called in outcomes, where that is not the name of the rule.
var findingWords = []struct{ rule, word string }{
	{"KmdfIrql", "IRQL"},
	{"interrupt storm", "storm"},
	{"WdfInterruptQueueDpcForIsr with EvtInterruptWorkItem", "QD-9"},
	{"WdfInterruptQueueDpcForIsr without EvtInterruptDpc", "QD-8"},
	{"WdfInterruptQueueWorkItemForIsr without EvtInterruptWorkItem", "QW-4"},
}

// findings returns the component finding: what was found, in order, each once. A bug check that breaks no other rule
// is not among it.
func (b *bench) findings() Value {
	var list []string
	findings := b.m.Findings()
	for i := range findings {
		if word := findingWord(&findings[i]); word != "" && !slices.Contains(list, word) {
			list = append(list, word)
		}
	}
	if list == nil {
		return None
	}
	return Value(strings.Join(list, ", "))
}

// findingWord returns the word for a finding in an outcome.
func findingWord(f *kernel.Finding) string {
	if f.Break {
		return "break"
	}
	for _, w := range findingWords {
		if w.rule == f.Rule {
			return w.word
		}
	}
	return f.Rule
}
