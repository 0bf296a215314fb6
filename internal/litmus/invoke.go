package litmus

import (
	"slices"
	"strings"
)

// call compiles a call inside an expression.
func (b *body) call(n *node) *Expr {
	typ := b.emitResult(n)
	t := b.temp()
	b.Code[len(b.Code)-1].Dst = t
	return &Expr{Kind: ExprReg, Type: typ, Reg: t}
}

// emitResult compiles a call that has a result and returns its type. The caller says where the result goes, in the
// instruction emitted last.
func (b *body) emitResult(n *node) Type {
	typ := b.emitCall(n)
	if typ == TypeNone {
		fail(b.line, "make the call a statement of its own", "%s has no result", n.text)
	}
	return typ
}

// emitCall compiles a call and returns the type of its result, which is dropped.
func (b *body) emitCall(n *node) Type {
	spec := findCall(n.text)
	if spec == nil {
		fail(b.line, callHint(n.text), "unknown statement or call %q", n.text)
	}
	if len(n.args) < spec.Needs || len(n.args) > len(spec.Params) {
		fail(b.line, "write: "+usage(spec), "wrong number of arguments for %s: %d", n.text, len(n.args))
	}
	var args []Arg
	holds := TypeNone // type of what the first argument holds
	for i, a := range n.args {
		arg, typ := b.argument(spec, &spec.Params[i], a, holds)
		if i == 0 {
			holds = typ
		}
		args = append(args, arg)
	}
	dst := NoRegister
	if spec.Saves {
		dst = b.saveIRQL(spec, args)
	}
	if spec.Restores != "" {
		args = append(args, b.restoreIRQL(spec, args))
	}
	b.emit(Instr{Op: OpCall, Dst: dst, Call: spec, Args: args})
	if spec.Result == typeOfArg {
		return holds
	}
	return spec.Result
}

// argument compiles an argument of a call. It also returns the type of what the argument holds.
func (b *body) argument(spec *Call, p *Param, n *node, holds Type) (Arg, Type) {
	switch {
	case p.Words != nil:
		if n.kind != nodeName || !slices.Contains(p.Words, n.text) {
			fail(b.line, "it is one of "+strings.Join(p.Words, ", "), "%s needs %s", spec.Name, p.What)
		}
		return Arg{Object: NoObject, Word: n.text}, TypeWord
	case p.Of != 0:
		return b.reference(spec, p, n)
	}
	want := p.Type
	if want == typeOfArg {
		want = holds
	}
	e := b.expr(n)
	if e.Type != want {
		fail(b.line, "write: "+usage(spec), "%s needs a %s, not a %s", spec.Name, want, e.Type)
	}
	return Arg{Object: NoObject, Expr: e}, e.Type
}

// reference compiles an argument that names an object, or a register of a ring.
func (b *body) reference(spec *Call, p *Param, n *node) (Arg, Type) {
	o := b.c.Object(n.text)
	if o == nil || n.kind != nodeName && n.kind != nodeProperty {
		fail(b.line, "declare it in the setup; write: "+usage(spec), "%s needs %s", spec.Name, p.What)
	}
	if !p.Of.has(o.Kind) {
		fail(b.line, "write: "+usage(spec), "%s needs %s, %s is %s", spec.Name, p.What, o.Name, article(o.Kind.String()))
	}
	if o.Kind == KindRing {
		if !slices.Contains(ringRegisters, n.property) {
			fail(b.line, "a ring has the registers "+strings.Join(ringRegisters, ", "), "%s needs a register of ring %s", spec.Name, o.Name)
		}
	} else if n.kind == nodeProperty {
		fail(b.line, "write: "+usage(spec), "%s needs %s", spec.Name, p.What)
	}
	typ := o.Cell.Type
	if o.Kind == KindRing {
		typ = TypeInt
	}
	return Arg{Object: o.ID, Field: n.property}, typ
}

// saveIRQL returns the register for the IRQL that an acquire or a raise saves.
func (b *body) saveIRQL(spec *Call, args []Arg) int {
	if spec.Params[0].Of == 0 {
		name := "$irql" + string(rune('0'+len(b.nesting)))
		i := b.register(name)
		if i < 0 {
			i = b.newRegister(name, TypeInt)
		}
		if len(b.nesting) == maxDepth {
			fail(b.line, "", "more than %d calls of %s without their counterpart", maxDepth, spec.Name)
		}
		b.nesting = append(b.nesting, i)
		return i
	}
	name := "$irql" + b.c.Objects[args[0].Object].Name
	if i := b.register(name); i >= 0 {
		return i
	}
	return b.newRegister(name, TypeInt)
}

// restoreIRQL returns the argument with the IRQL to restore.
func (b *body) restoreIRQL(spec *Call, args []Arg) Arg {
	i := -1
	if len(spec.Params) == 0 && len(b.nesting) > 0 {
		i = b.nesting[len(b.nesting)-1]
		b.nesting = b.nesting[:len(b.nesting)-1]
	} else if len(spec.Params) > 0 {
		i = b.register("$irql" + b.c.Objects[args[0].Object].Name)
	}
	if i < 0 {
		fail(b.line, "write the statement "+spec.Restores+" above", "%s without %s", spec.Name, spec.Restores)
	}
	return Arg{Object: NoObject, Expr: &Expr{Kind: ExprReg, Type: TypeInt, Reg: i}}
}

// usage shows how a call is written.
func usage(spec *Call) string {
	var what []string
	for i, p := range spec.Params {
		text := strings.TrimPrefix(strings.TrimPrefix(p.What, "a "), "an ")
		if i >= spec.Needs {
			text = "[" + text + "]"
		}
		what = append(what, text)
	}
	return spec.Name + "(" + strings.Join(what, ", ") + ")"
}

// callHint says which calls there are, or how a routine of Windows is called here.
func callHint(name string) string {
	var names []string
	for i := range Calls {
		if slices.Contains(strings.Fields(Calls[i].Routine), name) {
			return "here it is: " + usage(&Calls[i])
		}
		names = append(names, Calls[i].Name)
	}
	return "calls are " + strings.Join(names, ", ")
}
