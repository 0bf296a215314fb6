package litmus

import (
	"slices"
	"strings"
)

// irqlNames are the names of IRQLs (IRQL-2).
var irqlNames = []struct {
	name string
	irql int64
}{
	{"PASSIVE", 0},
	{"APC", 1},
	{"DISPATCH", 2},
	{"CLOCK", 13},
	{"HIGH", 15},
}

// statementWords are the names that begin a statement of their own.
var statementWords = []string{"if", "else", "end", "while", "repeat", "return", "out", "mark", "until", "check", "setup"}

// reserved reports whether a name has a meaning in the language, so that nothing can be declared under it.
func reserved(name string) bool {
	if slices.Contains(statementWords, name) || operatorWord(name) || findCall(name) != nil || name == "count" || name == "in" || name == "then" {
		return true
	}
	for _, a := range actions {
		if a.name == name {
			return true
		}
	}
	for _, l := range irqlNames {
		if l.name == name {
			return true
		}
	}
	_, processor := processorNumber(name)
	return processor || strings.HasPrefix(name, "STATUS_") || name == "T" || name == "F" || name == "NULL"
}

// namedConstant returns the constant that a name always stands for, or nil.
func (c *compiler) namedConstant(name string) *Expr {
	switch name {
	case "T":
		return &Expr{Kind: ExprConst, Type: TypeBool, Value: 1}
	case "F":
		return &Expr{Kind: ExprConst, Type: TypeBool}
	case "NULL":
		return &Expr{Kind: ExprConst, Type: TypeHandle}
	}
	for _, l := range irqlNames {
		if l.name == name {
			return &Expr{Kind: ExprConst, Type: TypeInt, Value: l.irql}
		}
	}
	for _, s := range statusNames {
		if s.name == name {
			return &Expr{Kind: ExprConst, Type: TypeStatus, Value: s.code}
		}
	}
	if n, ok := processorNumber(name); ok && n < c.Processors {
		return &Expr{Kind: ExprConst, Type: TypeProc, Value: int64(n)}
	}
	return nil
}

// scope gives names their meaning in an expression. It is a program, where reading a shared variable is a step, or a
// condition, which peeks at it.
type scope interface {
	// local returns the local variable with that name, or nil.
	local(name string) *Expr
	// shared returns the value of a shared variable.
	shared(o *Object) *Expr
	// call returns the result of a call.
	call(n *node) *Expr
	// at returns the line.
	at() int
}

// resolve turns a syntax tree into an expression.
func (c *compiler) resolve(s scope, n *node) *Expr {
	switch n.kind {
	case nodeConst:
		return &Expr{Kind: ExprConst, Type: TypeInt, Value: n.value}
	case nodeName:
		return c.resolveName(s, n.text)
	case nodeProperty:
		return c.resolveProperty(s, n)
	case nodeCall:
		if n.text == "count" {
			return c.resolveCount(s, n)
		}
		return s.call(n)
	case nodeNot:
		x := c.resolve(s, n.args[0])
		return &Expr{Kind: ExprNot, Type: TypeBool, X: x}
	}
	x, y := c.resolve(s, n.args[0]), c.resolve(s, n.args[1])
	return &Expr{Kind: ExprBinary, Type: operatorType(s.at(), n.text, x, y), Op: n.text, X: x, Y: y}
}

// operatorType checks the operand types of an operator and returns the type of its result.
func operatorType(line int, op string, x, y *Expr) Type {
	switch op {
	case "and", "or":
		return TypeBool
	case "==", "!=":
		if x.Type != y.Type {
			fail(line, "both sides need one type", "%s %s %s", x.Type, op, y.Type)
		}
		return TypeBool
	}
	if x.Type != TypeInt || y.Type != TypeInt {
		fail(line, "both sides have to be numbers", "%s %s %s", x.Type, op, y.Type)
	}
	if op == "+" || op == "-" || op == "*" {
		return TypeInt
	}
	return TypeBool
}

// resolveName resolves a name that stands alone.
func (c *compiler) resolveName(s scope, name string) *Expr {
	if e := c.namedConstant(name); e != nil {
		return e
	}
	if e := s.local(name); e != nil {
		return e
	}
	if o := c.Object(name); o != nil {
		switch o.Kind {
		case KindVar:
			return s.shared(o)
		case KindRegister:
			fail(s.at(), "write: read("+name+")", "%s is a device register", name)
		}
		return &Expr{Kind: ExprObject, Type: TypeHandle, Object: o.ID}
	}
	if slices.Contains(c.Words, name) {
		return c.word(name)
	}
	fail(s.at(), "declare it in the setup, or assign it above", "unknown name %q", name)
	return nil
}

// resolveProperty resolves an observation such as D.runs or P0.irql.
func (c *compiler) resolveProperty(s scope, n *node) *Expr {
	if p, ok := processorNumber(n.text); ok && p < c.Processors {
		return &Expr{
			Kind: ExprObserve, Type: c.observation(s.at(), 0, n.property).Type,
			Object: NoObject, Value: int64(p), Property: n.property,
		}
	}
	o := c.Object(n.text)
	if o == nil {
		fail(s.at(), "declare it in the setup", "unknown name %q", n.text)
	}
	obs := c.observation(s.at(), o.Kind, n.property)
	return &Expr{Kind: ExprObserve, Type: obs.Type, Object: o.ID, Property: n.property}
}

// observation returns the observation of a kind of object (0: a processor) with that name.
func (c *compiler) observation(line int, kind ObjectKind, name string) *Observation {
	if obs := findObservation(kind, name); obs != nil {
		return obs
	}
	what, has := "a processor", []string{}
	if kind != 0 {
		what = article(kind.String())
	}
	for _, o := range Observations {
		if findObservation(kind, o.Name) != nil && !slices.Contains(has, o.Name) {
			has = append(has, o.Name)
		}
	}
	hint := "it has no observations"
	if len(has) > 0 {
		hint = "it has " + strings.Join(has, ", ")
	}
	fail(line, hint, "%s has no %q", what, name)
	return nil
}

// resolveCount resolves count(LIST).
func (c *compiler) resolveCount(s scope, n *node) *Expr {
	if len(n.args) != 1 || n.args[0].kind != nodeName {
		fail(s.at(), "write: count(r)", "count needs the name of a list")
	}
	return &Expr{Kind: ExprCount, Type: TypeInt, List: c.list(s.at(), n.args[0].text)}
}

// list returns the index of the list with that name.
func (c *compiler) list(line int, name string) int {
	for i := range c.Lists {
		if c.Lists[i].Name == name {
			return i
		}
	}
	fail(line, "lists are made by the statements out and mark", "there is no list %q", name)
	return 0
}

// condition is the scope of a condition of a step or an outcome.
type condition struct {
	line int
}

func (condition) local(string) *Expr { return nil }
func (d condition) at() int          { return d.line }

func (condition) shared(o *Object) *Expr {
	return &Expr{Kind: ExprPeek, Type: o.Cell.Type, Object: o.ID}
}

func (d condition) call(n *node) *Expr {
	fail(d.line, "conditions look at variables and observations only", "call of %s in a condition", n.text)
	return nil
}

// waiting is the scope of the condition of an until: like condition, but it knows the local variables.
type waiting struct {
	condition
	body *body
}

func (w waiting) local(name string) *Expr { return w.body.local(name) }

// condition compiles the text of a condition on the test: what the condition of a step may look at.
func (t *Test) condition(text string) (e *Expr, err error) {
	defer catch("condition", &err)
	c := compiler{Test: t}
	r := &reader{line: 1, tokens: lex(text, 1)}
	e = c.resolve(condition{r.line}, r.expression())
	r.done()
	return e, nil
}
