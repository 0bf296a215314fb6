package litmus

import (
	"strconv"
	"strings"
)

// maxCode bounds the instructions of a program.
const maxCode = 2000

// collectLists finds the lists that the programs append to; their types are found when the programs are compiled.
func (c *compiler) collectLists() {
	for _, s := range c.src.sections {
		if !c.isProgram(&s) {
			continue
		}
		for _, b := range s.body {
			word, rest := cutWord(b.text)
			name, _, _ := strings.Cut(rest, "=")
			switch name = strings.TrimSpace(name); {
			case word == "mark":
				c.addList("seq")
			case word == "out" && name != "":
				c.addList(name)
			}
		}
	}
	c.finished = make([]bool, len(c.Lists))
}

// addList adds a list unless it is there already.
func (c *compiler) addList(name string) {
	for _, l := range c.Lists {
		if l.Name == name {
			return
		}
	}
	c.Lists = append(c.Lists, List{Name: name})
}

// isProgram reports whether a section is a program.
func (c *compiler) isProgram(s *section) bool {
	for _, k := range programKinds {
		if k.section == s.kind {
			return true
		}
	}
	return false
}

// parseProgram compiles a section if it is a program.
func (c *compiler) parseProgram(s *section) {
	for _, k := range programKinds {
		if k.section != s.kind {
			continue
		}
		p := Program{Name: s.name, Kind: k.kind, Object: NoObject, Processor: ThisProcessor, Line: s.line}
		r := &reader{line: s.line, tokens: lex(s.name, s.line)}
		r.next()
		switch {
		case k.kind == ProgramThread:
			c.threadHeader(r, &p)
		case k.of != 0:
			p.Object = c.objectOf(r, k.of).ID
		}
		r.done()
		p.Counts = k.counts
		b := &body{c: c, Program: &p, lines: s.body, result: k.result}
		b.compile()
		if p.Kind == ProgramWatch && b.visible > 0 {
			fail(s.line, "it is the test's view, not code of the driver: write mark and out only", "%s has a visible step", p.Name)
		}
		c.Programs = append(c.Programs, p)
	}
}

// threadHeader reads "[NAME] at P0" after "thread".
func (c *compiler) threadHeader(r *reader, p *Program) {
	hint := "write: thread at P0, or: thread NAME at P0"
	if !r.take("at") {
		r.name("a name or: at", hint)
		r.need("at", hint)
	}
	p.Processor = c.processor(r)
}

// body compiles the lines of one program. It is the scope of its expressions.
type body struct {
	c *compiler
	*Program
	lines  []bodyLine // not read yet
	line   int        // of the statement being compiled
	result Type

	temps   []int // registers for temporary values
	used    int   // temps that the current statement uses
	nesting []int // registers with the IRQLs that raise statements saved, innermost last
	visible int   // visible instructions so far
}

// compile compiles all lines.
func (b *body) compile() {
	b.line = b.Line
	returned := b.block(0)
	if len(b.lines) > 0 {
		fail(b.lines[0].line, "end and else belong to an if, a while or a repeat", "%q without a beginning", b.lines[0].text)
	}
	if !returned {
		if b.result != TypeNone && b.result != TypeStatus {
			fail(b.line, "add: return T", "%s does not end with a return", b.Name)
		}
		b.emit(Instr{Op: OpReturn})
	}
	b.setLive()
}

// emit appends an instruction and returns its index. Dst is only kept for operations that have one.
func (b *body) emit(in Instr) int {
	if len(b.Code) == maxCode {
		fail(b.line, "", "%s has more than %d instructions", b.Name, maxCode)
	}
	switch in.Op {
	case OpSet, OpLoad, OpCall:
	default:
		in.Dst = NoRegister
	}
	in.Line = b.line
	if in.Visible() {
		b.visible++
	}
	b.Code = append(b.Code, in)
	return len(b.Code) - 1
}

// local returns a local variable that was assigned above, or nil.
func (b *body) local(name string) *Expr {
	if i := b.register(name); i >= 0 {
		return &Expr{Kind: ExprReg, Type: b.Registers[i].Type, Reg: i}
	}
	return nil
}

func (b *body) at() int { return b.line }

// shared loads a shared variable into a temporary.
func (b *body) shared(o *Object) *Expr {
	t := b.temp()
	b.emit(Instr{Op: OpLoad, Dst: t, Object: o.ID})
	return &Expr{Kind: ExprReg, Type: o.Cell.Type, Reg: t}
}

// register returns the index of the register with that name, or -1.
func (b *body) register(name string) int {
	for i := range b.Registers {
		if b.Registers[i].Name == name {
			return i
		}
	}
	return -1
}

// newRegister adds a register.
func (b *body) newRegister(name string, typ Type) int {
	if len(b.Registers) == maxRegisters {
		fail(b.line, "", "%s needs more than %d registers", b.Name, maxRegisters)
	}
	b.Registers = append(b.Registers, Register{name, typ})
	return len(b.Registers) - 1
}

// temp returns a temporary that the current statement does not use yet.
func (b *body) temp() int {
	if b.used == len(b.temps) {
		b.temps = append(b.temps, b.newRegister("$"+strconv.Itoa(len(b.temps)), TypeNone))
	}
	t := b.temps[b.used]
	b.used++
	return t
}

// expr compiles an expression of the current statement.
func (b *body) expr(n *node) *Expr { return b.c.resolve(b, n) }
