package litmus

import (
	"slices"
	"strconv"
)

// maxRepeat bounds the count of a repeat.
const maxRepeat = 1000

// block compiles statements up to the end of the program, or to the "end" or "else" of the block, which it leaves.
// It reports whether the last statement is a return.
func (b *body) block(depth int) (returned bool) {
	if depth > maxDepth {
		fail(b.line, "", "blocks are nested too deeply")
	}
	for len(b.lines) > 0 {
		r := b.lines[0].reader()
		if t := r.peek(); t.kind == tokenName && (t.text == "end" || t.text == "else") {
			return returned
		}
		b.line = b.lines[0].line
		b.lines = b.lines[1:]
		b.used = 0
		returned = b.statement(r, depth)
		r.done()
	}
	if depth > 0 {
		fail(b.line, "close it with: end", "a block of %s has no end", b.Name)
	}
	return returned
}

// statement compiles one statement and reports whether it is a return.
func (b *body) statement(r *reader, depth int) bool {
	first := r.name("a statement", "")
	switch first {
	case "if":
		b.ifStatement(r, depth)
	case "while":
		b.whileStatement(r, depth)
	case "repeat":
		b.repeatStatement(r, depth)
	case "return":
		b.returnStatement(r)
		return true
	case "out":
		b.outStatement(r)
	case "mark":
		b.markStatement(r)
	case "until":
		cond := b.c.resolve(waiting{condition{b.line}, b}, r.expression())
		b.emit(Instr{Op: OpUntil, Expr: cond})
	case "check":
		b.emit(Instr{Op: OpCheck, Expr: b.expr(r.expression())})
	case "setup":
		b.setupDone(r, depth)
	default:
		b.simpleStatement(r, first)
	}
	return false
}

// simpleStatement compiles an assignment, an action or a call.
func (b *body) simpleStatement(r *reader, first string) {
	switch t := r.peek(); {
	case t.kind == tokenPunct && t.text == "=":
		r.next()
		b.assign(first, r.expression())
	case b.c.isAction(first):
		act := b.c.action(r, first, ThisProcessor)
		b.checkReach(act)
		b.emit(Instr{Op: OpAction, Action: act})
	case t.kind == tokenPunct && t.text == "(" && t.tight:
		r.next()
		n := &node{kind: nodeCall, text: first, args: r.arguments(maxDepth)}
		r.need(")", "close the parenthesis")
		b.emitCall(n)
	default:
		b.emitCall(&node{kind: nodeCall, text: first, args: r.arguments(maxDepth)})
	}
}

// checkReach checks that an interrupt can come to the processor of a thread that says "interrupt I".
func (b *body) checkReach(act Action) {
	if act.Processor == ThisProcessor && act.Object != NoObject && b.Processor != ThisProcessor {
		b.c.checkAffinity(b.line, act.Object, b.Processor)
	}
}

// assign compiles NAME = EXPR.
func (b *body) assign(name string, n *node) {
	if o := b.c.Object(name); o != nil {
		if o.Kind != KindVar {
			hint := "only variables can be assigned"
			if o.Kind == KindRegister {
				hint = "write: write(" + name + ", VALUE)"
			}
			fail(b.line, hint, "%s is %s", name, article(o.Kind.String()))
		}
		e := b.expr(n)
		b.wantType(name, o.Cell.Type, e.Type)
		b.emit(Instr{Op: OpStore, Object: o.ID, Expr: e})
		return
	}
	if reserved(name) || slices.Contains(b.c.Words, name) {
		fail(b.line, "choose another name", "%s cannot be a local variable", name)
	}
	b.assignLocal(name, n)
}

// assignLocal compiles an assignment to a local variable. A load or a call puts its result there at once.
func (b *body) assignLocal(name string, n *node) {
	if n.kind == nodeCall && n.text != "count" {
		typ := b.emitResult(n)
		b.Code[len(b.Code)-1].Dst = b.localRegister(name, typ)
		return
	}
	if o := b.c.Object(n.text); n.kind == nodeName && o != nil && o.Kind == KindVar {
		b.emit(Instr{Op: OpLoad, Dst: b.localRegister(name, o.Cell.Type), Object: o.ID})
		return
	}
	e := b.expr(n)
	b.emit(Instr{Op: OpSet, Dst: b.localRegister(name, e.Type), Expr: e})
}

// localRegister returns the register of a local variable that a value of a type is assigned to.
func (b *body) localRegister(name string, typ Type) int {
	i := b.register(name)
	if i < 0 {
		i = b.newRegister(name, typ)
	}
	b.wantType(name, b.Registers[i].Type, typ)
	return i
}

// wantType checks an assignment.
func (b *body) wantType(name string, want, have Type) {
	if want != have {
		fail(b.line, "use another variable", "%s is a %s, the value is a %s", name, want, have)
	}
}

// ifStatement compiles if, its else parts and its end.
func (b *body) ifStatement(r *reader, depth int) {
	var exits []int
	for {
		test := b.emit(Instr{Op: OpUnless, Expr: b.expr(r.expression())})
		r.done()
		b.block(depth + 1)
		r2 := b.closing()
		if r2.take("end") {
			r2.done()
			b.Code[test].Target = len(b.Code)
			break
		}
		r2.need("else", "")
		exits = append(exits, b.emit(Instr{Op: OpJump}))
		b.Code[test].Target = len(b.Code)
		if !r2.take("if") {
			r2.done()
			b.block(depth + 1)
			last := b.closing()
			last.need("end", "an if has one else, at its end")
			last.done()
			break
		}
		r = r2
	}
	for _, i := range exits {
		b.Code[i].Target = len(b.Code)
	}
}

// closing takes the line that closed a block.
func (b *body) closing() *reader {
	r := b.lines[0].reader()
	b.line = r.line
	b.lines = b.lines[1:]
	b.used = 0
	return r
}

// whileStatement compiles while and its end.
func (b *body) whileStatement(r *reader, depth int) {
	start, steps, line := len(b.Code), b.visible, b.line
	test := b.emit(Instr{Op: OpUnless, Expr: b.expr(r.expression())})
	r.done()
	b.block(depth + 1)
	b.closeLoop(start, test)
	if b.visible == steps {
		fail(line, "read a shared variable or a register in it, or use until", "the loop has no visible step")
	}
}

// repeatStatement compiles repeat and its end. The counter is a register of its own.
func (b *body) repeatStatement(r *reader, depth int) {
	n := r.number("the number of repetitions", 1, maxRepeat)
	r.done()
	counter := b.newRegister("$repeat"+strconv.Itoa(b.line), TypeInt)
	left := &Expr{Kind: ExprReg, Type: TypeInt, Reg: counter}
	one := &Expr{Kind: ExprConst, Type: TypeInt, Value: 1}
	b.emit(Instr{Op: OpSet, Dst: counter, Expr: &Expr{Kind: ExprConst, Type: TypeInt, Value: n}})
	start := len(b.Code)
	test := b.emit(Instr{Op: OpUnless, Expr: left})
	b.block(depth + 1)
	b.emit(Instr{Op: OpSet, Dst: counter, Expr: &Expr{Kind: ExprBinary, Type: TypeInt, Op: "-", X: left, Y: one}})
	b.closeLoop(start, test)
}

// closeLoop takes the end of a loop and compiles the jump back.
func (b *body) closeLoop(start, test int) {
	r := b.closing()
	r.need("end", "close the loop with: end")
	r.done()
	b.emit(Instr{Op: OpJump, Target: start})
	b.Code[test].Target = len(b.Code)
}

// returnStatement compiles return.
func (b *body) returnStatement(r *reader) {
	if b.result == TypeNone {
		if r.peek().kind != tokenEnd {
			fail(b.line, "write: return", "%s returns nothing", b.Name)
		}
		b.emit(Instr{Op: OpReturn})
		return
	}
	e := b.expr(r.expression())
	if e.Type != b.result {
		hint := "write: return T, or: return F"
		if b.result == TypeStatus {
			hint = "write: return STATUS_UNSUCCESSFUL"
		}
		fail(b.line, hint, "%s returns a %s, not a %s", b.Name, b.result, e.Type)
	}
	b.emit(Instr{Op: OpReturn, Expr: e})
}

// outStatement compiles out NAME, and out NAME = EXPR.
func (b *body) outStatement(r *reader) {
	name := r.name("the name of a list", "write: out r, or: out r = EXPR")
	var e *Expr
	if r.take("=") {
		e = b.expr(r.expression())
	} else if e = b.local(name); e == nil {
		fail(b.line, "assign it above, or write: out "+name+" = EXPR", "%s has no local variable %q", b.Name, name)
	}
	b.appendTo(name, e)
}

// markStatement compiles mark WORD.
func (b *body) markStatement(r *reader) {
	word := r.name("a word", "write: mark WORD")
	b.appendTo("seq", b.c.word(word))
}

// appendTo appends a value to a list; all values of a list have one type.
func (b *body) appendTo(name string, e *Expr) {
	i := b.c.list(b.line, name)
	l := &b.c.Lists[i]
	if b.c.finished[i] && l.Type != e.Type {
		fail(b.line, "use another list", "list %s has %s, the value is a %s", name, l.Type, e.Type)
	}
	l.Type, b.c.finished[i] = e.Type, true
	b.emit(Instr{Op: OpOut, List: i, Expr: e})
}

// setupDone compiles setup done.
func (b *body) setupDone(r *reader, depth int) {
	r.need("done", "write: setup done")
	switch {
	case b.Kind != ProgramThread || depth > 0:
		fail(b.line, "it stands in a thread, outside of if, while and repeat", "misplaced: setup done")
	case b.Setup:
		fail(b.line, "", "second: setup done")
	}
	b.Setup = true
	b.emit(Instr{Op: OpSetupDone})
}
