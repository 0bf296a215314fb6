package litmus

import (
	"slices"
	"strings"
)

// maxComponents bounds the components of an outcome.
const maxComponents = 32

// sourceKind says what a function of the outcome section takes and gives.
type sourceKind struct {
	name    string
	objects [][2]kindSet // one entry per way to call it: the kinds of the first and the second object (0: none)
	list    bool         // takes a list
	result  Type         // typeOfArg: that of the object or list
}

// sourceKinds are the functions of the outcome section; the catalogue extends the language by rows.
var sourceKinds = []sourceKind{
	{name: "rel", objects: [][2]kindSet{{runKinds, 0}, {runKinds, runKinds}, {kinds(KindInterrupt), 0}, {kinds(KindInterrupt), kinds(KindInterrupt)}}, result: TypeSeq},
	{name: "between", objects: [][2]kindSet{{dpcKinds, 0}}, result: TypeWord},
	{name: "final", objects: [][2]kindSet{{kinds(KindVar), 0}}, result: typeOfArg},
	{name: "finding", result: TypeSeq},
	{name: "list", list: true, result: TypeSeq},
	{name: "last", list: true, result: typeOfArg},
	{name: "count", list: true, result: TypeInt},
}

// parseComponents reads the outcome section: lines NAME = SOURCE.
func (c *compiler) parseComponents() {
	for _, b := range c.body("outcome") {
		r := b.reader()
		name := r.name("the name of a component", "write: NAME = SOURCE, such as: runs = D.runs")
		r.need("=", "write: "+name+" = SOURCE, such as: runs = D.runs")
		if slices.ContainsFunc(c.Components, func(other Component) bool { return other.Name == name }) || name == "bugcheck" {
			fail(b.line, "choose another name", "component %s is taken", name)
		}
		if len(c.Components) == maxComponents {
			fail(b.line, "", "more than %d components", maxComponents)
		}
		comp := Component{Name: name, Line: b.line}
		comp.Source, comp.Type = c.source(r)
		r.done()
		c.Components = append(c.Components, comp)
	}
	if len(c.Components) == 0 {
		fail(c.Line, "add a section outcome with lines such as: runs = D.runs", "test %s has no outcome", c.ID)
	}
}

// source reads what a component is computed from.
func (c *compiler) source(r *reader) (Source, Type) {
	s := Source{Object: NoObject, Second: NoObject, List: -1}
	first := r.name("a source", "such as: D.runs, r[1], final(c), rel(D), or: WORD when CONDITION else WORD")
	switch {
	case r.take("when"):
		return c.chooseSource(r, s, first)
	case r.take("."):
		return c.observeSource(r, s, first)
	case r.take("["):
		s.Func, s.List = "element", c.list(r.line, first)
		s.Index = index(r)
		return s, c.Lists[s.List].Type
	}
	for _, k := range sourceKinds {
		if k.name == first {
			return c.functionSource(r, s, k)
		}
	}
	hint := "write D.runs, r[1], final(c), list(r), last(r), count(r), rel(D), between(D), finding(), or: WORD when CONDITION else WORD"
	fail(r.line, hint, "unknown source %q", first)
	return s, TypeNone
}

// index reads the rest of "[n]".
func index(r *reader) int {
	n := int(r.number("the number of a value, counted from 1,", 1, 1000))
	r.need("]", "write: [1]")
	return n
}

// chooseSource reads the rest of WORD when CONDITION else WORD.
func (c *compiler) chooseSource(r *reader, s Source, first string) (Source, Type) {
	s.Func, s.Then = "choose", Value(first)
	s.When = c.resolve(condition{r.line}, r.expression())
	r.need("else", "write: WORD when CONDITION else WORD")
	s.Else = Value(r.name("a word", ""))
	return s, TypeWord
}

// observeSource reads the rest of OBJECT.PROPERTY or OBJECT.PROPERTY[n].
func (c *compiler) observeSource(r *reader, s Source, first string) (Source, Type) {
	o := c.Object(first)
	if o == nil {
		fail(r.line, "declare it in the setup", "unknown name %q", first)
	}
	s.Func, s.Object = "observe", o.ID
	s.Property = r.name("a property", "")
	obs := c.observation(r.line, o.Kind, s.Property)
	if r.take("[") {
		if !obs.PerRun {
			fail(r.line, "write: "+first+"."+s.Property, "%s is not counted by runs", s.Property)
		}
		s.Index = index(r)
	}
	return s, obs.Type
}

// functionSource reads the rest of FUNCTION(ARGUMENTS).
func (c *compiler) functionSource(r *reader, s Source, k sourceKind) (Source, Type) {
	s.Func = k.name
	r.need("(", "write: "+k.name+"(...)")
	typ := k.result
	switch {
	case k.list:
		s.List = c.list(r.line, r.name("a list", ""))
		if typ == typeOfArg {
			typ = c.Lists[s.List].Type
		}
	case len(k.objects) > 0:
		c.sourceObjects(r, &s, k)
		if typ == typeOfArg {
			typ = c.Objects[s.Object].Cell.Type
		}
	}
	r.need(")", "close the parenthesis")
	return s, typ
}

// sourceObjects reads the objects that a function of the outcome section takes.
func (c *compiler) sourceObjects(r *reader, s *Source, k sourceKind) {
	var firsts, hints = kindSet(0), []string{}
	for _, o := range k.objects {
		firsts |= o[0]
		hints = append(hints, o[0].String())
	}
	first := c.objectOf(r, firsts)
	s.Object = first.ID
	second := ObjectKind(0)
	if r.take(",") {
		o := c.objectOf(r, firsts)
		s.Second, second = o.ID, o.Kind
	}
	for _, o := range k.objects {
		if o[0].has(first.Kind) && (second == 0 && o[1] == 0 || second != 0 && o[1].has(second)) {
			return
		}
	}
	fail(r.line, "it takes "+strings.Join(slices.Compact(hints), ", or "), "%s does not take these objects", k.name)
}
