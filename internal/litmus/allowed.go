package litmus

import (
	"cmp"
	"slices"
	"strings"
)

const (
	maxAllowed    = 400
	maxSetMembers = 64
)

// parseAllowed reads the allowed outcomes.
func (c *compiler) parseAllowed() {
	for _, b := range c.body("allowed") {
		r := b.reader()
		sets := c.outcomes(r)
		a := Allowed{Line: b.line}
		if r.take("(") {
			r.need("may", "write: (may)")
			r.need(")", "write: (may)")
			a.May = true
		}
		if r.take("report") {
			a.Reports = []Report{c.report(b.line, rest(r))}
		}
		r.done()
		for _, o := range sets {
			c.addAllowed(a, o)
		}
	}
	if len(c.Allowed) == 0 {
		fail(c.Line, "add a section allowed with lines such as: runs = 2, rel in {after, overlap}", "test %s allows nothing", c.ID)
	}
}

// rest takes the remaining names of the line.
func rest(r *reader) []string {
	var words []string
	for r.peek().kind == tokenName || r.peek().kind == tokenNumber {
		words = append(words, r.next().text)
	}
	return words
}

// addAllowed adds an outcome to the allowed set.
func (c *compiler) addAllowed(a Allowed, o Outcome) {
	if len(c.Allowed) == maxAllowed {
		fail(a.Line, "", "more than %d allowed outcomes", maxAllowed)
	}
	key := o.String()
	if slices.Contains(c.keys, key) {
		fail(a.Line, "", "%s is there twice", key)
	}
	c.keys = append(c.keys, key)
	a.Outcome = o
	c.Allowed = append(c.Allowed, a)
}

// parseForbidden reads the named wrong outcomes: [NAME:] COMPONENTS.
func (c *compiler) parseForbidden() {
	for _, b := range c.body("forbidden") {
		name, text, ok := strings.Cut(b.text, ":")
		if !ok {
			name, text = "", b.text
		}
		r := bodyLine{b.line, text}.reader()
		sets := c.outcomes(r)
		r.done()
		for _, o := range sets {
			c.addForbidden(Forbidden{Name: strings.TrimSpace(name), Outcome: o, Line: b.line})
		}
	}
}

// addForbidden adds a wrong outcome, unless it would exclude an allowed one.
func (c *compiler) addForbidden(f Forbidden) {
	if len(c.Forbidden) == maxAllowed {
		fail(f.Line, "", "more than %d forbidden outcomes", maxAllowed)
	}
	for _, a := range c.Allowed {
		if f.Outcome.Matches(a.Outcome) {
			fail(f.Line, "change one of the two", "%s is allowed in line %d", f.Outcome, a.Line)
		}
	}
	c.Forbidden = append(c.Forbidden, f)
}

// outcomes reads an outcome, or several if components have sets of values: [bugcheck CODE] NAME = VALUE, NAME in {...}.
func (c *compiler) outcomes(r *reader) []Outcome {
	list := []Outcome{{}}
	bugcheck := r.take("bugcheck")
	if bugcheck {
		list[0].BugCheck = uint32(r.number("a bug check code", 1, 1<<32-1))
		r.take(",")
	}
	for r.peek().kind == tokenName && r.peek().text != "report" {
		name := r.next().text
		comp := c.component(r, name, bugcheck)
		values := c.values(r, name, comp)
		if len(list)*len(values) > maxAllowed {
			fail(r.line, "", "more than %d outcomes", maxAllowed)
		}
		list = multiply(list, name, values)
		if !r.take(",") {
			break
		}
	}
	if len(list[0].Bindings) == 0 && !bugcheck {
		fail(r.line, "write: NAME = VALUE, NAME in {VALUE, VALUE}, or: bugcheck 0xA", "an outcome without components")
	}
	for i := range list {
		order(r, list[i].Bindings, c.componentsOf(bugcheck))
	}
	return list
}

// multiply binds a component to each of the values in each of the outcomes.
func multiply(list []Outcome, name string, values []Value) []Outcome {
	var out []Outcome
	for _, o := range list {
		for _, v := range values {
			o2 := o
			o2.Bindings = append(slices.Clip(o.Bindings), Binding{name, v})
			out = append(out, o2)
		}
	}
	return out
}

// order sorts bindings by component and checks that none is there twice.
func order(r *reader, list []Binding, components []Component) {
	position := func(b Binding) int {
		return slices.IndexFunc(components, func(comp Component) bool { return comp.Name == b.Name })
	}
	slices.SortStableFunc(list, func(a, b Binding) int { return cmp.Compare(position(a), position(b)) })
	for i := range list {
		if i > 0 && list[i].Name == list[i-1].Name {
			fail(r.line, "", "component %s is there twice", list[i].Name)
		}
	}
}

// bugcheckComponents are the components of an outcome that is a bug check.
var bugcheckComponents = []Component{
	{Name: "p1", Type: TypeHandle}, {Name: "p2", Type: TypeHandle}, {Name: "p3", Type: TypeHandle}, {Name: "p4", Type: TypeHandle},
	{Name: "finding", Type: TypeSeq},
}

// componentsOf returns the components that an outcome can have.
func (c *compiler) componentsOf(bugcheck bool) []Component {
	if bugcheck {
		return bugcheckComponents
	}
	return c.Components
}

// component returns the component with that name.
func (c *compiler) component(r *reader, name string, bugcheck bool) *Component {
	list, hint := c.componentsOf(bugcheck), "name it in the section outcome"
	if bugcheck {
		hint = "a bug check has p1 to p4 and finding"
	}
	for i := range list {
		if list[i].Name == name {
			return &list[i]
		}
	}
	fail(r.line, hint, "unknown component %q", name)
	return nil
}

// values reads "= VALUE" or "in {VALUE, VALUE}".
func (c *compiler) values(r *reader, name string, comp *Component) []Value {
	if r.take("=") {
		return []Value{c.value(r, comp)}
	}
	r.need("in", "write: "+name+" = VALUE, or: "+name+" in {VALUE, VALUE}")
	r.need("{", "write: "+name+" in {VALUE, VALUE}")
	var list []Value
	for {
		v := c.value(r, comp)
		if slices.Contains(list, v) || len(list) == maxSetMembers {
			fail(r.line, "", "%s is there twice, or the set has more than %d values", v, maxSetMembers)
		}
		list = append(list, v)
		if !r.take(",") {
			break
		}
	}
	r.need("}", "close the set")
	return list
}

// value reads a value that a component can have.
func (c *compiler) value(r *reader, comp *Component) Value {
	t := r.next()
	switch {
	case t.kind == tokenString:
		c.wantSeq(r, comp, t)
		return Value(strings.Join(strings.Fields(t.text), " "))
	case t.kind == tokenPunct && t.text == "[":
		c.wantSeq(r, comp, t)
		return c.sequence(r)
	}
	v := c.single(r, t, comp.Type)
	if !fits(c, comp.Type, t, v) {
		fail(r.line, "", "%s is a %s, it cannot be %s", comp.Name, comp.Type, v)
	}
	return v
}

func (c *compiler) wantSeq(r *reader, comp *Component, t token) {
	if comp.Type != TypeSeq && comp.Type != TypeWord {
		fail(r.line, "", "%s is a %s, it cannot be %s", comp.Name, comp.Type, t)
	}
}

// sequence reads the rest of "[VALUE VALUE]"; commas between the values are optional.
func (c *compiler) sequence(r *reader) Value {
	var list []Value
	for !r.take("]") {
		list = append(list, c.single(r, r.next(), TypeSeq))
		r.take(",")
	}
	return Seq(list...)
}

// single turns a token, and the number after a minus sign, into a value.
func (c *compiler) single(r *reader, t token, typ Type) Value {
	switch {
	case t.kind == tokenNumber && typ == TypeHandle:
		return Hex(uint64(t.value))
	case t.kind == tokenNumber:
		return c.Value(TypeInt, t.value)
	case t.kind == tokenPunct && t.text == "-" && r.peek().kind == tokenNumber:
		return c.Value(TypeInt, -r.next().value)
	case t.kind != tokenName:
		fail(r.line, `values are words, numbers, T, F, P0, [A B] and "A B"`, "expected a value, found %s", t)
	}
	return Value(t.text)
}

// fits reports whether a value is one of a type, as far as its text tells.
func fits(c *compiler, typ Type, t token, v Value) bool {
	_, processor := processorNumber(t.text)
	switch {
	case v == None:
		return true
	case typ == TypeBool:
		return v == "T" || v == "F"
	case typ == TypeInt:
		return t.kind != tokenName
	case typ == TypeProc:
		return processor
	case typ == TypeWord:
		return t.kind == tokenName
	case typ == TypeHandle:
		return t.kind == tokenNumber || v == "NULL" || c.Object(t.text) != nil
	}
	return true
}
